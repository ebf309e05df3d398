"""Where the parser reads a mail of the corpus otherwise than another one, and why that is meant.

By reason, then by the other reader: lines of "mail: columns". The list may only shrink or be explained.
"""

from __future__ import annotations

_REASONS: dict[str, dict[str, str]] = {
    "A multipart without a usable boundary is shown as text; the others show nothing.": {
        "stdlib": """
            cpython/msg_17.txt: text_body
            cpython/msg_25.txt: text_body
            cpython/msg_31.txt: text_body
            cpython/msg_41.txt: text_body
            flanker/mailformed-headers: text_body
            stalwart/malformed_002: text_body
            stalwart/malformed_004: text_body
            stalwart/malformed_017: text_body
        """,
        "fast-mail-parser": """
            cpython/msg_17.txt: text_body
            cpython/msg_25.txt: text_body
            cpython/msg_31.txt: text_body
            cpython/msg_41.txt: text_body
            flanker/mailformed-headers: text_body
            stalwart/malformed_002: text_body
            stalwart/malformed_004: text_body
            stalwart/malformed_017: text_body
        """,
    },
    "A line that is no field is skipped; the others end the header block there.": {
        "stdlib": """
            cpython/msg_35.txt: text_body
            cpython/msg_47.txt: html_body text_body
            mikel_mail/plain_emails_raw_email_incorrect_header: from_ message_id_header received_at subject
            mikel_mail/plain_emails_raw_email_incorrect_header: text_body to
            mimekit/mbox_issue1189.mbox.txt.0001: attachments
            mimekit/messages_issue358.txt: html_body text_body
            stalwart/malformed_019: html_body message_id_header subject text_body
            stalwart/malformed_019: to
        """,
        "fast-mail-parser": """
            cpython/msg_35.txt: text_body
            mimekit/messages_issue358.txt: html_body text_body
        """,
    },
    "Beyond a limit: a header value of 130 KB, multiparts 105 deep.": {
        "stdlib": """
            flanker/long-header: subject
            staktrace_mailparse/nested: attachments text_body
        """,
        "fast-mail-parser": """
            flanker/long-header: subject
            staktrace_mailparse/nested: attachments text_body
        """,
    },
    "Labelled Latin 1, but valid UTF-8.": {
        "stdlib": """
            mikel_mail/attachment_emails_attachment_pdf_non_ascii: text_body
            mikel_mail/error_emails_content_transfer_encoding_7-bit: html_body text_body
        """,
        "fast-mail-parser": """
            mikel_mail/attachment_emails_attachment_pdf_non_ascii: text_body
            mikel_mail/error_emails_content_transfer_encoding_7-bit: html_body text_body
            mikel_mail/plain_emails_raw_email5: text_body
            mikel_mail/plain_emails_raw_email6: text_body
        """,
    },
    "Raw 8-bit header text is UTF-8, or windows-1252, and cut characters do not change that.": {
        "stdlib": """
            flanker/mailformed-headers: from_
            flanker/outlook-express: attachments
            flanker/russian-attachment-yahoo: attachments
            imap_tools/attachment_emails_attachment_nonascii_filename: attachments
            mikel_mail/attachment_emails_attachment_nonascii_filename: attachments
            stalwart/legacy_016: attachments
            stalwart/legacy_023: attachments
            stalwart/legacy_026: attachments
        """,
        "fast-mail-parser": """
            stalwart/thirdparty_010: text_body
        """,
    },
    "An unquoted name with an @ is a name, and a second author counts.": {
        "stdlib": """
            imap_tools/plain_emails_raw_email_with_at_display_name: to
            mikel_mail/plain_emails_raw_email_with_at_display_name: to
            mimekit/messages_issue358.txt: from_
        """,
        "fast-mail-parser": """
            imap_tools/plain_emails_raw_email_with_at_display_name: from_
            mikel_mail/plain_emails_raw_email_with_at_display_name: from_
        """,
    },
    "Comments in addresses go, also inside the angle brackets; blanks around dots and routes too.": {
        "stdlib": """
            mikel_mail/rfc2822_example10: from_ to
        """,
        "fast-mail-parser": """
            mikel_mail/rfc2822_example10: from_ to
            mikel_mail/rfc2822_example11: to
        """,
    },
    "A blank before the colon of a field is accepted.": {
        "stdlib": """
            mikel_mail/rfc2822_example13: from_ message_id_header subject text_body
            mikel_mail/rfc2822_example13: to
        """,
        "fast-mail-parser": """
            mikel_mail/rfc2822_example13: from_ message_id_header subject text_body
        """,
    },
    "A bad address is kept as it stands.": {
        "stdlib": """
            mikel_mail/error_emails_missing_body: to
            mikel_mail/plain_emails_raw_email_multiple_from: from_ to
            mimekit/mbox_content-length.mbox.txt.0003: from_ to
        """,
    },
    "An enclosed message without content is an empty attachment, whatever line follows its type.": {
        "stdlib": """
            mimekit/mbox_content-length-summary.txt.0015: attachments
            mimekit/mbox_jwz-summary.txt.0018: attachments
            mimekit/mbox_jwz-summary.txt.0029: attachments
            mimekit/mbox_jwz-summary.txt.0097: attachments
        """,
        "fast-mail-parser": """
            mimekit/mbox_content-length-summary.txt.0015: attachments
            mimekit/mbox_jwz-summary.txt.0018: attachments
            mimekit/mbox_jwz-summary.txt.0029: attachments
            mimekit/mbox_jwz-summary.txt.0097: attachments
        """,
    },
    "A date in the year 1 is none.": {
        "stdlib": """
            mimekit/mbox_jwz-summary.txt.0104: received_at
            mimekit/mbox_jwz-summary.txt.0114: received_at
            mimekit/mbox_jwz-summary.txt.0139: received_at
        """,
        "fast-mail-parser": """
            mimekit/mbox_jwz-summary.txt.0104: received_at
            mimekit/mbox_jwz-summary.txt.0114: received_at
            mimekit/mbox_jwz-summary.txt.0139: received_at
        """,
    },
    "A byte order mark or an mbox line before the first field is skipped.": {
        "stdlib": """
            mimekit/mbox_unmunged.mbox.txt: from_ subject text_body
            mimekit/messages_feedback-report.txt: attachments from_ subject text_body
            mimekit/messages_feedback-report.txt: to
        """,
        "fast-mail-parser": """
            mimekit/mbox_unmunged.mbox.txt: from_ subject text_body
            mimekit/messages_feedback-report.txt: from_
        """,
    },
    "Quoted-printable or base64 in spite of blanks behind its name; garbage gives what it can.": {
        "stdlib": """
            stalwart/thirdparty_002: text_body
            stalwart/thirdparty_003: text_body
        """,
        "fast-mail-parser": """
            stalwart/thirdparty_003: text_body
        """,
    },
    "A boundary folded within its quotes is unfolded.": {
        "stdlib": """
            stalwart/thirdparty_012: attachments
        """,
    },
    "Labelled UTF-8, but hardly a sequence of it is valid: windows-1252.": {
        "stdlib": """
            stalwart/legacy_033: text_body
        """,
        "fast-mail-parser": """
            stalwart/legacy_033: text_body
        """,
    },
    "A Content-Type without a slash is text/plain.": {
        "fast-mail-parser": """
            cpython/msg_14.txt: attachments text_body
            flanker/spam_broken-ctype: attachments
            mimekit/messages_missing-subtype.txt: attachments text_body
        """,
    },
    "A delimiter is a whole line; a longer line that begins like one is text.": {
        "fast-mail-parser": """
            cpython/msg_38.txt: text_body
            imap_tools/mime_emails_raw_email4: text_body
            mikel_mail/mime_emails_raw_email4: text_body
        """,
    },
    "RFC 2231 applies to every parameter, the boundary too.": {
        "fast-mail-parser": """
            cpython/msg_33.txt: text_body
        """,
    },
    "The five bytes windows-1252 does not define are lost; 0x85 in ISO-8859-1 is an ellipsis.": {
        "fast-mail-parser": """
            flanker/spam_broken-headers: subject
            mimekit/yenc_00000020.ntx: text_body
            mimekit/yenc_00000021.ntx: text_body
            mimekit/yenc_simple.msg: text_body
        """,
    },
    "Uuencode is a transfer encoding and is undone.": {
        "fast-mail-parser": """
            flanker/torture: attachments
            stalwart/legacy_017: attachments
            stalwart/legacy_026: attachments
            stalwart/legacy_048: attachments
        """,
    },
    "A raw 8-bit character in a subject is kept.": {
        "fast-mail-parser": """
            stalwart/legacy_009: subject
            stalwart/legacy_015: subject
            stalwart/legacy_016: subject
            stalwart/legacy_018: subject
            stalwart/legacy_023: subject
            stalwart/legacy_024: subject
            stalwart/legacy_025: subject
            stalwart/legacy_026: subject
            stalwart/legacy_050: subject
            stalwart/legacy_051: subject
        """,
    },
    "Encoded words in file names are decoded although forbidden there.": {
        "fast-mail-parser": """
            imap_tools/attachment_7bit: attachments
            imap_tools/attachment_emails_attachment_with_base64_encoded_name: attachments
            mikel_mail/attachment_emails_attachment_with_base64_encoded_name: attachments
        """,
    },
    "One address the other cannot read costs it the whole list.": {
        "fast-mail-parser": """
            mimekit/mbox_jwz-summary.txt.0000: to
            mimekit/mbox_jwz-summary.txt.0089: to
            mimekit/mbox_jwz-summary.txt.0099: to
            mimekit/messages_stack-overflow.txt: to
        """,
    },
    "An unknown label, or one that does not fit: strict UTF-8, then windows-1252.": {
        "fast-mail-parser": """
            mikel_mail/error_emails_bad_encoded_subject: subject
            mikel_mail/error_emails_content_transfer_encoding_empty: html_body
            mikel_mail/error_emails_content_transfer_encoding_plain: text_body
            mikel_mail/plain_emails_raw_email10: text_body
        """,
    },
}


def _explained(reader: str) -> dict[tuple[str, str], str]:
    found = {}
    for reason, lists in _REASONS.items():
        for line in lists.get(reader, "").split("\n"):
            mail, _, columns = line.strip().partition(": ")
            found.update({(mail, column): reason for column in columns.split()})
    return found


EXPLAINED = {reader: _explained(reader) for reader in ("stdlib", "fast-mail-parser")}
