"""Where the parser reads a mail of the corpus otherwise than another one, and why that is meant.

By reason, then by the readers that share it, lines of "mail: columns". It may only shrink or be explained.
"""

from __future__ import annotations

_REASONS: dict[str, dict[str, str]] = {
    "A multipart without a usable boundary is shown as text; the others show nothing.": {
        "stdlib default fast-mail-parser": """
            cpython/msg_17.txt: text_body
            cpython/msg_25.txt: text_body
            cpython/msg_31.txt: text_body
            cpython/msg_41.txt: text_body
            flanker/mailformed-headers: text_body
            stalwart/malformed_002: text_body
            stalwart/malformed_004: text_body
        """,
    },
    "A line that is no field is skipped; the others end the block of the message there.": {
        "stdlib default fast-mail-parser": """
            mimekit/messages_issue358.txt: html_body text_body
        """,
        "stdlib default": """
            mikel_mail/plain_emails_raw_email_incorrect_header: from_ subject text_body to
            stalwart/malformed_019: html_body subject text_body to
        """,
        "stdlib": """
            mikel_mail/plain_emails_raw_email_incorrect_header: message_id_header received_at
            stalwart/malformed_019: message_id_header
        """,
    },
    "Beyond a limit: a subject of 130 KB, multiparts 105 deep.": {
        "stdlib default fast-mail-parser": """
            flanker/long-header: subject
            staktrace_mailparse/nested: attachments text_body
        """,
    },
    "Labelled Latin 1, but valid UTF-8.": {
        "stdlib default fast-mail-parser": """
            mikel_mail/attachment_emails_attachment_pdf_non_ascii: text_body
            mikel_mail/error_emails_content_transfer_encoding_7-bit: html_body text_body
        """,
    },
    "Raw 8-bit header text is UTF-8, or windows-1252 where that hardly fits, file names too.": {
        "default fast-mail-parser": """
            flanker/spam_broken-headers: subject
        """,
        "stdlib default": """
            stalwart/legacy_016: attachments
            stalwart/legacy_023: attachments
            stalwart/legacy_026: attachments
        """,
        "default": """
            fast_mail_parser/rfc_rfc6532_utf8_headers: from_
            flanker/mailformed-headers: subject to
            imap_tools/attachment_7bit: to
            imap_tools/forwarded_message: to
            mikel_mail/error_emails_invalid_subject_characters: subject
            mikel_mail/rfc6532_utf8_headers: from_ to
            stalwart/legacy_010: subject
            stalwart/legacy_020: subject
            stalwart/legacy_022: subject
            stalwart/legacy_027: subject
            stalwart/legacy_052: subject
        """,
        "stdlib": """
            flanker/mailformed-headers: from_
            flanker/outlook-express: attachments
            flanker/russian-attachment-yahoo: attachments
            imap_tools/attachment_emails_attachment_nonascii_filename: attachments
            mikel_mail/attachment_emails_attachment_nonascii_filename: attachments
        """,
    },
    "An unquoted name with an @ is a name.": {
        "stdlib default": """
            imap_tools/plain_emails_raw_email_with_at_display_name: to
            mikel_mail/plain_emails_raw_email_with_at_display_name: to
            mimekit/messages_issue358.txt: from_
        """,
    },
    "Comments in addresses go, also inside the angle brackets; blanks around dots and routes too.": {
        "stdlib fast-mail-parser": """
            mikel_mail/rfc2822_example10: from_ to
        """,
        "fast-mail-parser": """
            mikel_mail/rfc2822_example11: to
        """,
    },
    "A blank before the colon of a field is accepted.": {
        "stdlib default fast-mail-parser": """
            mikel_mail/rfc2822_example13: from_ subject text_body
        """,
        "stdlib fast-mail-parser": """
            mikel_mail/rfc2822_example13: message_id_header
        """,
        "stdlib": """
            mikel_mail/rfc2822_example13: to
        """,
    },
    "A bad address is kept as it stands.": {
        "stdlib default": """
            mikel_mail/error_emails_missing_body: to
            mikel_mail/plain_emails_raw_email_multiple_from: from_ to
            mimekit/mbox_content-length.mbox.txt.0003: from_
        """,
        "default": """
            mikel_mail/plain_emails_mix_caps_content_type: from_
        """,
        "stdlib": """
            mimekit/mbox_content-length.mbox.txt.0003: to
        """,
    },
    "A type ends at a blank, and an enclosed message without content is an empty attachment.": {
        "stdlib default fast-mail-parser": """
            mimekit/mbox_content-length-summary.txt.0015: attachments
            mimekit/mbox_jwz-summary.txt.0018: attachments
            mimekit/mbox_jwz-summary.txt.0029: attachments
            mimekit/mbox_jwz-summary.txt.0097: attachments
        """,
    },
    "A date in the year 1 is none.": {
        "stdlib default fast-mail-parser": """
            mimekit/mbox_jwz-summary.txt.0104: received_at
            mimekit/mbox_jwz-summary.txt.0114: received_at
            mimekit/mbox_jwz-summary.txt.0139: received_at
        """,
    },
    "A byte order mark or an mbox line before the first field is skipped.": {
        "stdlib default fast-mail-parser": """
            mimekit/mbox_unmunged.mbox.txt: from_ subject text_body
            mimekit/messages_feedback-report.txt: from_
        """,
        "stdlib default": """
            mimekit/messages_feedback-report.txt: attachments subject text_body to
        """,
    },
    "A boundary folded within its quotes is unfolded.": {
        "stdlib": """
            stalwart/thirdparty_012: attachments
        """,
    },
    "Labelled UTF-8, but hardly a sequence of it is valid: windows-1252.": {
        "stdlib default fast-mail-parser": """
            stalwart/legacy_033: text_body
        """,
        "stdlib default": """
            stalwart/thirdparty_002: text_body
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
    "The five bytes windows-1252 does not define are shown as lost.": {
        "fast-mail-parser": """
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
        "default fast-mail-parser": """
            imap_tools/attachment_emails_attachment_with_base64_encoded_name: attachments
            mikel_mail/attachment_emails_attachment_with_base64_encoded_name: attachments
        """,
        "fast-mail-parser": """
            imap_tools/attachment_7bit: attachments
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
    "Text labelled US-ASCII, X-UNKNOWN or nothing is UTF-8 when that is valid, else windows-1252.": {
        "default fast-mail-parser": """
            mikel_mail/error_emails_content_transfer_encoding_plain: text_body
            mikel_mail/plain_emails_raw_email5: text_body
            mikel_mail/plain_emails_raw_email6: text_body
            stalwart/thirdparty_010: text_body
        """,
        "default": """
            mimekit/yenc_00000020.ntx: text_body
            mimekit/yenc_00000021.ntx: text_body
            mimekit/yenc_simple.msg: text_body
            stalwart/legacy_052: text_body
        """,
        "fast-mail-parser": """
            mikel_mail/plain_emails_raw_email10: text_body
        """,
    },
    "A label that does not fit gives way to strict UTF-8.": {
        "default fast-mail-parser": """
            mikel_mail/error_emails_content_transfer_encoding_empty: html_body
        """,
    },
    "An encoded word in an unknown charset is decoded all the same.": {
        "fast-mail-parser": """
            mikel_mail/error_emails_bad_encoded_subject: subject
        """,
    },
    "Blanks behind the name of a transfer encoding do not count.": {
        "stdlib default fast-mail-parser": """
            stalwart/thirdparty_003: text_body
        """,
    },
    "The text of a part that lost its empty line begins at the first line that is no field.": {
        "fast-mail-parser": """
            cpython/msg_47.txt: html_body text_body
            mimekit/mbox_issue1189.mbox.txt.0001: attachments
        """,
    },
    "A parameter behind a lost semicolon counts.": {
        "stdlib default fast-mail-parser": """
            stalwart/malformed_017: attachments
        """,
    },
    "Without an empty line all of a message is header, and its body is empty.": {
        "stdlib default fast-mail-parser": """
            cpython/msg_35.txt: text_body
        """,
    },
    "Every author counts, not only the first.": {
        "fast-mail-parser": """
            imap_tools/plain_emails_raw_email_with_at_display_name: from_
            mikel_mail/plain_emails_raw_email_with_at_display_name: from_
        """,
    },
    "A bare file name may hold blanks.": {
        "default": """
            imap_tools/attachment_emails_attachment_with_unquoted_name: attachments
            mikel_mail/attachment_emails_attachment_with_unquoted_name: attachments
        """,
    },
    "A bare boundary may hold =, as some mail programs write it.": {
        "default": """
            imap_tools/mime_emails_raw_email_with_binary_encoded: attachments
            imap_tools/mime_emails_raw_email_with_illegal_boundary: html_body text_body
            mikel_mail/mime_emails_raw_email_with_binary_encoded: attachments
            mikel_mail/mime_emails_raw_email_with_illegal_boundary: html_body text_body
            mikel_mail/plain_emails_raw_email_bad_time: html_body text_body
        """,
    },
    "In a quoted file name only quotes and backslashes are escaped: the path of a Windows disk stays.": {
        "default": """
            stalwart/legacy_035: attachments
            stalwart/legacy_039: attachments
        """,
    },
}

# Where the standard library raises under its default policy: a group where one address is expected, and a
# charset it does not know.
NO_OPINION = {
    ("mikel_mail/plain_emails_raw_email10", "text_body"),
    ("mimekit/messages_delivery-status-no-blank-line.txt", "to"),
    ("mimekit/messages_delivery-status.anonymized", "to"),
    ("mimekit/messages_delivery-status.txt", "to"),
}


def _explained(reader: str) -> dict[tuple[str, str], str]:
    found = {}
    for reason, lists in _REASONS.items():
        lines = [
            line for readers, text in lists.items() if reader in readers.split() for line in text.split("\n")
        ]
        for line in lines:
            mail, _, columns = line.strip().partition(": ")
            found.update({(mail, column): reason for column in columns.split()})
    return found


EXPLAINED = {reader: _explained(reader) for reader in ("stdlib", "default", "fast-mail-parser")}
