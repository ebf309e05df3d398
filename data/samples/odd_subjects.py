"""Odd subjects."""

from __future__ import annotations

import base64

from samples.building import Sample
from samples.oddity import odd
from samples.people import CLAIRE, DMITRI, OSKAR, PRIYA, RAFAEL, SUNNIVA, TOMASZ, UWE, WATCH


def _cut_words(text: str, at: int) -> str:
    """Two encoded words, cut after `at` octets of UTF-8, in the middle of a character or not."""
    octets = text.encode()
    words = (base64.b64encode(piece).decode() for piece in (octets[:at], octets[at:]))
    return "\r\n ".join(f"=?utf-8?B?{word}?=" for word in words)


def _word(text: str, charset: str) -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset)).decode()}?="


ODD_SUBJECTS: tuple[Sample, ...] = (
    odd(
        "subject-encoded-words-split-inside-a-character",
        "two encoded words, cut between the two octets of an ü",
        UWE,
        "Prüfung der Pegel",
        "Die Prüfung findet am Montag statt.\n",
        headers={"Subject": _cut_words("Prüfung der Pegel", 3)},
        subject="Prüfung der Pegel",
    ),
    odd(
        "subject-encoded-words-glued-to-text",
        "an encoded word without blanks between it and the plain text around it",
        CLAIRE,
        "Re:café,demain",
        "Dix heures ?\n",
        headers={"Subject": "Re:=?utf-8?Q?caf=C3=A9?=,demain"},
        subject="Re:café,demain",
    ),
    odd(
        "subject-encoded-words-in-two-charsets",
        "neighbouring encoded words in ISO-8859-1 and KOI8-R",
        DMITRI,
        "",
        "A greeting in two alphabets.\n",
        headers={"Subject": f"{_word('Grüße ', 'iso-8859-1')}\r\n {_word('из порта', 'koi8-r')}"},
        subject="Grüße из порта",
    ),
    odd(
        "subject-encoded-word-with-language-tag",
        "an encoded word that names its language, as RFC 2231 allows",
        UWE,
        "",
        "Für die Akten.\n",
        headers={"Subject": "=?utf-8*de?Q?Hafengeb=C3=BChr?="},
        subject="Hafengebühr",
    ),
    odd(
        "subject-encoded-word-unclosed",
        "an encoded word whose end is missing: it stays as written",
        CLAIRE,
        "",
        "My phone cut the subject.\n",
        headers={"Subject": "=?utf-8?Q?Offer_for_the_caf"},
        subject="=?utf-8?Q?Offer_for_the_caf",
    ),
    odd(
        "subject-emoji",
        "emoji, one of them joined from three code points",
        PRIYA,
        "Bench units 🎉 all green 👩\u200d🔧",
        "Seven days without a reset.\n",
    ),
    odd(
        "subject-right-to-left",
        "Hebrew and Arabic words, to be drawn from right to left",
        SUNNIVA,
        "גאות ושפל / المد والجزر",
        "The two words for the tide, from the poster in the fish hall.\n",
    ),
    odd(
        "subject-missing",
        "no Subject header",
        TOMASZ,
        "",
        "Phone only today. Call me.\n",
        headers={"Subject": None},
        subject=None,
    ),
    odd(
        "subject-empty",
        "a Subject header without a value",
        TOMASZ,
        "",
        "See you at the slipway.\n",
    ),
    odd(
        "subject-folded",
        "a subject folded over four lines",
        SUNNIVA,
        "",
        "The title of the paper, in full.\n",
        headers={
            "Subject": "On the behaviour of float gauges\r\n in long swell,"
            "\r\n with remarks on stilling wells\r\n and their cleaning"
        },
        subject="On the behaviour of float gauges in long swell,"
        " with remarks on stilling wells and their cleaning",
    ),
    odd(
        "subject-repeated",
        "two Subject headers: the first counts",
        RAFAEL,
        "",
        "The list server adds a second one since its update.\n",
        headers={"Subject": "Tape on the ports\r\nSubject: [tide-users] Tape on the ports"},
        subject="Tape on the ports",
    ),
    odd(
        "subject-control-characters",
        "a tab, an escape and a bell inside the subject: a blank, and nothing",
        WATCH,
        "",
        "The modem of PH-01 talks in its sleep.\n",
        headers={"Subject": "PH-01\tmodem \x1b\x07restarted"},
        subject="PH-01 modem restarted",
    ),
    odd(
        "subject-spreadsheet-formula",
        "a subject that a spreadsheet would run as a formula",
        OSKAR,
        '=HYPERLINK("https://figures.example.invalid/","total")',
        "Pasted from the wrong window, sorry.\n",
    ),
)
