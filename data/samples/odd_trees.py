"""Odd trees of parts: nesting, boundaries, messages inside messages."""

from __future__ import annotations

from samples.building import (
    File,
    Sample,
    as_read,
    file_part,
    header_block,
    multipart,
    raw_part,
    text_part,
    wire,
)
from samples.files import calendar, csv, pdf, png, tide_readings
from samples.oddity import odd
from samples.people import (
    CLAIRE,
    CONFERENCE,
    DMITRI,
    ELLEN,
    GRACE,
    JIWON,
    LIST,
    MEI,
    OSKAR,
    PRIYA,
    RAFAEL,
    SUNNIVA,
    TOMASZ,
    UWE,
    WATCH,
)

PLAN = pdf("plan.pdf", "Harbour plan", "Not to scale")
BUOY = png(
    "buoy.png",
    ["..r..", ".rrr.", ".rrr.", "~~r~~"],
    {"r": (200, 40, 40), ".": (240, 240, 250), "~": (60, 110, 160)},
)


DOLL = text_part("Still here.\n")
for size in range(1, 6):
    DOLL = multipart("mixed", f"doll-{size}", [DOLL])

HTML = '<html><body><p>The buoy: <img src="cid:buoy@porthollow.example"></p></body></html>\n'
BUOY_PART = file_part(BUOY, "inline", "buoy@porthollow.example")
FORWARDED = header_block(
    [
        ("Date", "Mon, 16 Mar 2026 09:00:00 +0900"),
        ("From", "Harbour office <office@haean.example>"),
        ("To", "jiwon.kim@haean.example"),
        ("Subject", "Permit for the mast"),
        ("Message-ID", "<permit-1@haean.example>"),
    ]
) + multipart("mixed", "permit", [text_part("The permit is granted.\n"), file_part(PLAN)])
DIGESTED = tuple(
    header_block([("From", person.shown), ("Subject", subject), ("Date", "Mon, 8 Jun 2026 07:00:00 +0000")])
    + b"\r\n"
    + wire(text)
    for person, subject, text in (
        (RAFAEL, "Copper or brass?", "Asking before I buy.\n"),
        (SUNNIVA, "Re: Copper or brass?", "Copper.\n"),
    )
)
REPORT = wire(
    "Reporting-MTA: dns; mx.saltmark.example\n\nFinal-Recipient: rfc822; crane@nordsiel-bau.example\n"
    "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no such user\n"
)
RETURNED = wire(
    "From: ines.albrecht@saltmark.example\nTo: crane@nordsiel-bau.example\nSubject: Crane, 22 June\n"
)
SIGNATURE = wire(
    "-----BEGIN PGP SIGNATURE-----\n\nbm90IGEgc2lnbmF0dXJlLCBvbmx5IGl0cyBzaGFwZQ==\n"
    "-----END PGP SIGNATURE-----\n"
)
LEVELLING = calendar(
    "levelling", "20260415T070000Z", "20260415T090000Z", "Levelling at the quay", "Porthollow", TOMASZ.address
)
NIGHT = csv("night.csv", tide_readings("SD-07", "2026-06-03", 60, 12))

ODD_TREES: tuple[Sample, ...] = (
    odd(
        "multipart-nested",
        "multiparts six deep around one sentence",
        PRIYA,
        "Packed with care",
        part=multipart("mixed", "doll-0", [DOLL, file_part(PLAN)]),
        text_starts="Still here.",
        html_starts=None,
        attachments=[PLAN.described],
    ),
    odd(
        "multipart-alternative-inside-related-inside-mixed",
        "text and HTML, an inline picture for the HTML, and an attachment: three kinds of multipart",
        GRACE,
        "The new buoy",
        part=multipart(
            "mixed",
            "outer",
            [
                multipart(
                    "related",
                    "middle",
                    [
                        multipart(
                            "alternative", "inner", [text_part("The buoy.\n"), text_part(HTML, "html")]
                        ),
                        BUOY_PART,
                    ],
                    parameters="; type=multipart/alternative",
                ),
                file_part(PLAN),
            ],
        ),
        text_starts="The buoy.",
        html_starts=as_read(HTML),
        attachments=[BUOY.described, PLAN.described],
    ),
    odd(
        "multipart-forwarded-message",
        "a whole message inside, with its own attachment: one attachment here, and never opened",
        JIWON,
        "Fwd: Permit for the mast",
        part=multipart(
            "mixed",
            "forward",
            [
                text_part("전달드립니다. See the permit below.\n"),
                raw_part(
                    "message/rfc822", FORWARDED, 'Content-Disposition: attachment; filename="permit.eml"'
                ),
            ],
        ),
        text_starts="전달드립니다. See the permit below.",
        html_starts=None,
        attachments=[("permit.eml", "message/rfc822", len(FORWARDED))],
    ),
    odd(
        "multipart-digest",
        "a digest of two messages, whose parts do not say what they are",
        LIST,
        "tide-users digest, 8 June 2026",
        part=multipart(
            "mixed",
            "day",
            [
                text_part("Two messages today.\n"),
                multipart("digest", "mails", [b"\r\n" + mail for mail in DIGESTED]),
            ],
        ),
        text_starts="Two messages today.",
        html_starts=None,
        attachments=[("", "message/rfc822", len(mail)) for mail in DIGESTED],
    ),
    odd(
        "multipart-delivery-report",
        "a bounce: text, machine-readable report, headers of the message that came back",
        WATCH,
        "Undelivered mail: Crane, 22 June",
        headers={"From": "Mail system <mailer-daemon@mx.saltmark.example>", "Auto-Submitted": "auto-replied"},
        from_="Mail system <mailer-daemon@mx.saltmark.example>",
        part=multipart(
            "report",
            "bounce",
            [
                text_part("Nobody of that name at nordsiel-bau.example.\n"),
                raw_part("message/delivery-status", REPORT),
                raw_part("text/rfc822-headers", RETURNED),
            ],
            parameters="; report-type=delivery-status",
        ),
        text_starts="Nobody of that name at nordsiel-bau.example.",
        html_starts=None,
        attachments=[
            ("", "message/delivery-status", len(REPORT)),
            ("", "text/rfc822-headers", len(RETURNED)),
        ],
    ),
    odd(
        "multipart-signed",
        "a signed message; the signature is only shaped like one",
        PRIYA,
        "Release key changed",
        part=multipart(
            "signed",
            "seal",
            [
                text_part("The old key ends with June.\n"),
                raw_part('application/pgp-signature; name="signature.asc"', SIGNATURE),
            ],
            parameters='; micalg=pgp-sha256; protocol="application/pgp-signature"',
        ),
        text_starts="The old key ends with June.",
        html_starts=None,
        attachments=[("signature.asc", "application/pgp-signature", len(SIGNATURE))],
    ),
    odd(
        "multipart-calendar-invitation",
        "text, HTML and an invitation as three alternatives, and the invitation once more as a file",
        TOMASZ,
        "Levelling at the quay",
        part=multipart(
            "mixed",
            "event",
            [
                multipart(
                    "alternative",
                    "event-ways",
                    [
                        text_part("15 April, 9 o'clock.\n"),
                        text_part("<p>15 April, 9 o'clock.</p>\n", "html"),
                        raw_part("text/calendar; method=REQUEST; charset=utf-8", wire(LEVELLING)),
                    ],
                ),
                file_part(File("invite.ics", "application/ics", wire(LEVELLING))),
            ],
        ),
        text_starts="15 April, 9 o'clock.",
        html_starts="<p>15 April, 9 o'clock.</p>",
        attachments=[
            ("", "text/calendar", len(wire(LEVELLING))),
            ("invite.ics", "application/ics", len(wire(LEVELLING))),
        ],
    ),
    odd(
        "multipart-preamble-and-epilogue",
        "text before the first and after the last delimiter: neither is shown",
        CONFERENCE,
        "Programme as of 11 May",
        part=multipart(
            "mixed", "programme", [text_part("The programme is attached.\n"), file_part(PLAN)]
        ).replace(b"\r\n\r\n--programme\r\n", b"\r\n\r\nThis is a MIME message.\r\n\r\n--programme\r\n", 1)
        + b"\r\nThis is the end of a MIME message.\r\n",
        text_starts="The programme is attached.",
        html_starts=None,
        attachments=[PLAN.described],
    ),
    odd(
        "multipart-closing-delimiter-missing",
        "the last delimiter is missing: the last part runs to the end",
        ELLEN,
        "Coupure de courant",
        part=multipart(
            "mixed", "open", [text_part("Le courant revient.\n"), text_part("Le voici.\n")]
        ).removesuffix(b"\r\n--open--\r\n"),
        text_starts="Le courant revient.",
        html_starts=None,
        attachments=[],
    ),
    odd(
        "multipart-boundary-begins-like-another",
        "the outer boundary is quay, the inner one quay1, and a line of text looks like a third",
        MEI,
        "Two boundaries",
        part=multipart(
            "mixed",
            "quay",
            [multipart("alternative", "quay1", [text_part("--quay12\nis a line.\n")]), file_part(PLAN)],
        ),
        text_starts="--quay12\nis a line.",
        html_starts=None,
        attachments=[PLAN.described],
    ),
    odd(
        "multipart-boundary-parameter-missing",
        "a multipart that does not say its boundary: shown as plain text",
        UWE,
        "Aus dem alten Archiv",
        part=raw_part(
            "multipart/mixed", b"--archive\r\n" + text_part("Seite eins.\n") + b"\r\n--archive--\r\n"
        ),
        text_starts="--archive\nContent-Type: text/plain",
        html_starts=None,
        attachments=[],
        parse_error="boundary",
    ),
    odd(
        "multipart-boundary-never-occurs",
        "a multipart whose boundary does not occur in the body: shown as plain text",
        OSKAR,
        "Copied by hand",
        part=raw_part(
            'multipart/mixed; boundary="elsewhere"',
            wire("The gateway rewrote one boundary, not the other.\n"),
        ),
        text_starts="The gateway rewrote one boundary, not the other.",
        html_starts=None,
        attachments=[],
        parse_error="boundary",
    ),
    odd(
        "multipart-two-html-bodies",
        "an HTML text, a picture, and more HTML: what some programs make of a picture in a text",
        CLAIRE,
        "Before and after",
        part=multipart(
            "mixed",
            "sandwich",
            [text_part("<p>Before:</p>\n", "html"), BUOY_PART, text_part("<p>After.</p>\n", "html")],
        ),
        text_starts=None,
        html_starts="<p>Before:</p>\n",
        attachments=[BUOY.described],
    ),
    odd(
        "multipart-part-without-headers",
        "a part that begins with its empty line: plain text by default, as in the example of RFC 2046",
        RAFAEL,
        "By hand, with telnet",
        part=multipart("mixed", "telnet", [b"\r\n" + wire("No headers needed.\n"), file_part(PLAN)]),
        text_starts="No headers needed.",
        html_starts=None,
        attachments=[PLAN.described],
    ),
    odd(
        "multipart-attached-csv-only",
        "nothing but an attachment: no body of any kind",
        DMITRI,
        "Показания за ночь",
        part=multipart("mixed", "night", [file_part(NIGHT)]),
        text_starts=None,
        html_starts=None,
        attachments=[NIGHT.described],
    ),
)
