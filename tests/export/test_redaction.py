"""Redacted mails: nothing of the original is left, its shape is, and the same stays the same."""

from __future__ import annotations

import base64
import os
import quopri
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.export.redaction import Redactor
from pop3frames.export.standins import StandIns, media_type
from pop3frames.message import Message
from pop3frames.parsing.contents import attachments, headers, iter_parts
from pop3frames.parsing.parser import parse_message

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "data" / "mailbox").glob("*.eml"))
CORPUS = os.environ.get("POP3FRAMES_CORPUS")
KEY = b"k" * 32
CANARY = C = "Zyxwvut4canary"
# Words of mail itself, which a redacted one may and must hold.
OF_MAIL = set(
    b"""content multipart alternative mixed related digest signed report parallel encrypted boundary charset
    subject message delivered transfer encoding disposition attachment inline filename version received
    references return reply sender quoted printable base64 example redacted octet stream application text
    plain calendar delivery status rfc822 headers partial header image video audio signature mailer agent
    organization keywords comments unsubscribe precedence submitted importance priority original importance
    vnd openxmlformats officedocument wordprocessingml spreadsheetml presentationml document sheet
    presentation msword excel powerpoint authentication results received spf follow apparently envelope
    errors notification resent archive subscribe richtext postscript""".split()
)  # fmt: skip


def redacted(raw: bytes) -> bytes:
    return Redactor(KEY).mail(raw)


def words(octets: bytes) -> set[bytes]:
    """Letters and digits in a row, in lower case: those that could mean something."""
    return {word.lower() for word in re.findall(rb"[A-Za-z0-9\x80-\xff]{7,}", octets)}


def everything_in(raw: bytes) -> bytes:
    """The bytes of a mail, and all that its parts hold when they are decoded."""
    decoded = [part.content() for part in iter_parts(raw)]
    told = [f"{name}: {value}".encode(errors="replace") for name, value in headers(raw)]
    return b"\n".join([raw, *decoded, *told])


def shape(message: Message) -> tuple[object, ...]:
    """What analysts count: kept by a redaction."""
    return (
        message.received_at,
        message.from_ is None,
        len(message.to),
        len(message.cc),
        message.subject is None,
        message.message_id_header is None,
        message.html_body is None,
        [media_type(each.content_type) for each in message.attachments],
    )


def mails() -> list[Path]:
    """The sample mails and, where it is there, the corpus."""
    return [*SAMPLES, *(sorted(Path(CORPUS).rglob("*.eml")) if CORPUS else [])]


def test_no_word_of_any_sample_is_left() -> None:
    """Every word of seven letters or more that a mail and its redacted self share is one of mail itself."""
    for path in mails():
        raw = path.read_bytes()
        shared = words(everything_in(raw)) & words(everything_in(redacted(raw)))
        assert set() == {each for each in shared if each not in OF_MAIL}, path.name


def test_a_word_that_was_left_would_be_found() -> None:
    """The check above can fail."""
    raw = SAMPLES[0].read_bytes()
    assert words(everything_in(raw)) & words(raw[:-40]) - OF_MAIL


def test_the_shape_of_every_sample_is_kept() -> None:
    """Dates, who wrote to how many, attachments and their types, in the same order."""
    for path in SAMPLES:
        raw = path.read_bytes()
        assert shape(parse_message(raw)) == shape(parse_message(redacted(raw))), path.name


def test_sizes_are_about_the_same() -> None:
    """The whole mailbox within a fifth, each attachment to the octet."""
    raws = [path.read_bytes() for path in SAMPLES]
    shown = [redacted(raw) for raw in raws]
    assert 0.8 < sum(map(len, shown)) / sum(map(len, raws)) < 1.2
    for path, raw, other in zip(SAMPLES, raws, shown, strict=True):
        binary = [
            each
            for each in parse_message(raw).attachments
            if not each.content_type.startswith(("text/", "message/"))
        ]
        names = {media_type(each.content_type) for each in binary}
        after = [each.size for each in parse_message(other).attachments if each.content_type in names]
        assert [each.size for each in binary] == after, path.name


def _qp(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


HIDDEN = {
    "a-field-nobody-knows": f"X-{C}: 1\r\n\r\n",
    "a-value-nobody-knows": f"X-Note: {C}\r\n\r\n",
    "display-name": f'From: "{C}" <a@b.example>\r\n\r\n',
    "local-part": f"To: {C}@b.example\r\n\r\n",
    "domain": f"Cc: a@{C}.example\r\n\r\n",
    "group": f"To: {C}: a@b.example, {C} <c@d.example>;\r\n\r\n",
    "comment-in-an-address": f"From: a@b.example ({C})\r\n\r\n",
    "encoded-word": f"Subject: =?utf-8?b?{_base64(C)}?=\r\n\r\n",
    "encoded-word-q": f"From: =?utf-8?q?{C}?= <a@b.example>\r\n\r\n",
    "comment-in-a-date": f"Date: Tue, 2 Jan 2024 03:04:05 +0000 ({C})\r\n\r\n",
    "date-that-is-none": f"Date: {C}\r\n\r\n",
    "received": f"Received: from {C} by {C}.example with {C}; Tue, 2 Jan 2024 03:04:05 +0000\r\n\r\n",
    "message-id": f"Message-ID: <{C}@{C}>\r\nReferences: <{C}> {C}\r\n\r\n",
    "list": f"List-Id: {C} <{C}.example>\r\nList-Unsubscribe: <https://{C}/>\r\n\r\n",
    "dkim": f"DKIM-Signature: v=1; d={C}.example; b={C}\r\n\r\n",
    "folded": f"Subject: a\r\n {C}\r\n\t{C}\r\n\r\n",
    "line-that-is-no-field": f"Subject: a\r\n{C}\r\nTo: a@b.example\r\n\r\n",
    "mbox-line": f"From {C} Mon Jan  1 00:00:00 2024\r\nSubject: a\r\n\r\n",
    "no-header-at-all": f"\r\n{C}\r\n",
    "only-text": f"{C} {C}\r\n{C}",
    "text": f"Subject: a\r\n\r\nDear {C},\r\n> {C}\r\n>>{C}\r\n{C}",
    "text-base64": f"Content-Transfer-Encoding: base64\r\n\r\n{_base64(C)}\r\n",
    "text-base64-broken": f"Content-Transfer-Encoding: base64\r\n\r\n{_base64(C)[:-3]}\r\n",
    "text-qp": f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{_qp(C)}\r\n",
    "text-qp-broken": f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{C}=\r\n=ZZ{C}\r\n",
    "text-unknown-encoding": f"Content-Transfer-Encoding: x-{C}\r\n\r\n{C}\r\n",
    "html": f'Content-Type: text/html\r\n\r\n<p title="{C}">{C}<!-- {C} --><img src="{C}"'
    f'><script>{C}</script><{C}>&#90;{C[1:]}</p {C}',
    "charset": f"Content-Type: text/plain; charset={C}; x={C}; name={C}.{C}\r\n\r\na\r\n",
    "media-type": f"Content-Type: application/{C}\r\n\r\n{C}\r\n",
    "multipart-type": f"Content-Type: multipart/{C}; boundary=b\r\n\r\n--b\r\n\r\n{C}\r\n--b--\r\n",
    "disposition": f"Content-Type: image/png\r\nContent-Disposition: {C}; filename={C}.png\r\n\r\na",
    "filename-2231": "Content-Type: application/pdf\r\nContent-Disposition: attachment;"
    f" filename*0*=utf-8''{C[:5]}; filename*1*={C[5:]}.pdf\r\n\r\na\r\n",
    "suffix": f"Content-Type: application/pdf; name=a.{C}\r\n\r\na\r\n",
    "description": f"Content-Type: image/png\r\nContent-Description: {C}\r\nContent-ID: <{C}>\r\n\r\n",
    "boundary": f"Content-Type: multipart/mixed; boundary={C}\r\n\r\n{C}\r\n--{C}\r\n\r\na\r\n"
    f"--{C}--\r\n{C}\r\n",
    "boundary-that-never-occurs": f"Content-Type: multipart/mixed; boundary={C}\r\n\r\n{C}\r\n",
    "no-boundary": f"Content-Type: multipart/mixed\r\n\r\n--{C}\r\n\r\n{C}\r\n",
    "field-of-a-part": f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-{C}: {C}\r\n"
    f"Content-Description: {C}\r\n\r\na\r\n--b--\r\n",
    "mail-in-a-mail": f"Content-Type: message/rfc822\r\n\r\nSubject: {C}\r\nFrom: {C}@a.example\r\n\r\n{C}",
    "mail-in-a-mail-base64": "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + _base64(f"Subject: {C}\r\n\r\n{C}"),
    "delivery-report": f"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; {C}\r\n",
    "attached-text": f"Content-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n{C}\r\n",
    "attached-octets": "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + _base64(C),
    "calendar": f"Content-Type: text/calendar; method={C}\r\n\r\nBEGIN:VCALENDAR\r\nORGANIZER:{C}\r\n",
    "uuencoded": f"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 {C}\r\n#0V%T\r\nend\r\n{C}\r\n",
    "zero-octets": f"Subject: a\0{C}\r\n\r\n\0{C}\0\xff",
    "wide-text": "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(C.encode("utf-16")).decode(),
    "separators": f"Subject: Re:\u2028{C}\r\n\r\n\u2028{C}\x0b{C}\x1c{C}\u3000",
}  # fmt: skip


def spellings(secret: str) -> list[bytes]:
    """How a word may be hidden: as it is, backwards never, in base64, quoted-printable or UTF-16."""
    in_base64 = [
        base64.b64encode(b"\0" * at + secret.encode()).decode()[4 if at else 0 : -4] for at in range(3)
    ]
    return [each.encode() for each in (secret, quote(secret), *in_base64)] + [secret.encode("utf-16-le")]


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_canary_is_gone_wherever_it_was(text: str) -> None:
    """Not in the bytes, not in what they decode to, in no case and no spelling."""
    raw = text.encode("utf-8")
    found = everything_in(redacted(raw)).lower()
    assert [] == [each for each in spellings(CANARY) if each.lower() in found]
    assert [] == [each for each in spellings(CANARY[1:-1]) if each.lower() in found]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HIDDEN.values(), "\r\n", "--b\r\n", "\n", CANARY, " "]), max_size=5))
def test_a_canary_is_gone_from_any_mixture_of_these(pieces: list[str]) -> None:
    """Headers in bodies, parts in headers: what is odd is replaced whole."""
    found = everything_in(redacted("".join(pieces).encode())).lower()
    assert CANARY.lower().encode() not in found


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_become_a_mail_in_ascii(raw: bytes) -> None:
    """Never an exception; and what comes out is lines that POP3 can carry."""
    shown = redacted(raw)
    assert shown.isascii()
    assert b"" == raw or shown.endswith(b"\r\n")
    assert shown.count(b"\n") == shown.count(b"\r\n") == shown.count(b"\r")
    assert all(len(line) <= 998 for line in shown.split(b"\r\n"))


def test_mail_nested_beyond_all_bounds_ends() -> None:
    """A thousand multiparts and a thousand mails in one another cost no stack."""
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000)
    )
    mail_in_mail = b"Content-Type: message/rfc822\r\n\r\n" * 1000 + CANARY.encode()
    for raw in (parts + CANARY.encode(), mail_in_mail):
        assert CANARY.encode() not in redacted(raw)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b"Content-Type: text/html\r\n\r\n" + b"<b x=1>" * n,
        lambda n: b"Content-Type: text/html\r\n\r\n" + b"<" * n * 4,
        lambda n: b"\r\n" + b"word " * n,
        lambda n: b"\r\n" + b"> a\r\n" * n,
        lambda n: b"To: " + b"a@b.example, " * n + b"\r\n\r\n",
        lambda n: b"Subject: " + b"Re: " * n + b"\r\n\r\n",
    ],
)
def test_a_mail_twice_as_long_takes_about_twice_the_time(make: Callable[[int], bytes]) -> None:
    """CPU time of n and 2n in one process: hostile mail cannot keep a recording for ever."""
    redactor = Redactor(KEY)

    def seconds(raw: bytes) -> float:
        taken = []
        for _ in range(3):
            before = time.process_time()
            redactor.mail(raw)
            taken.append(time.process_time() - before)
        return min(taken)

    assert seconds(make(24_000)) < 3 * seconds(make(12_000)) + 0.02


# The same stays the same


def test_the_same_person_stays_the_same_and_another_another() -> None:
    """Under one key: names, addresses in any case, and the domain they share."""
    raw = b"From: Ann <ann@corp.example>\r\nTo: ANN@corp.example, bob@corp.example, cy@other.example\r\n\r\n"
    message = parse_message(redacted(raw))
    ann = message.from_ or ""
    assert f"<{message.to[0]}>" in ann
    domains = {each.rstrip(">").rpartition("@")[2] for each in message.to}
    assert 2 == len(domains)
    assert 3 == len(set(message.to))
    assert ann == parse_message(redacted(b"Sender: x@y.example\r\n" + raw)).from_


def test_threads_hang_together() -> None:
    """References name the Message-ID they named, and a reply has the subject of what it answers."""
    first = redacted(b"Message-ID: <1@a.example>\r\nSubject: Some news\r\n\r\n")
    second = redacted(
        b"Message-ID: <2@a.example>\r\nIn-Reply-To: <1@a.example>\r\nReferences: <0@a> <1@a.example>\r\n"
        b"Subject: AW: some  news\r\n\r\n"
    )
    one, two = parse_message(first), parse_message(second)
    fields = dict(headers(second))
    assert one.message_id_header == fields["In-Reply-To"]
    assert fields["References"].split()[1] == one.message_id_header != two.message_id_header
    assert f"AW: {one.subject}" == two.subject


def test_quoted_lines_are_those_they_quote() -> None:
    """A reply's quotation is recognisable as one, with the words of the mail it came from."""
    first, second = redacted(b"\r\nThe rain in Spain.\r\n"), redacted(b"\r\nYes\r\n> The rain in Spain.\r\n")
    line = (parse_message(first).text_body or "").strip()
    assert line.endswith(".")
    assert f"> {line}" in (parse_message(second).text_body or "")


def test_equal_mails_stay_equal_and_equal_attachments_too() -> None:
    """Whoever counts duplicates counts the same."""
    one = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(
        b"abc" * 50
    )
    other = b"Subject: x\r\n" + one
    assert redacted(one) == redacted(one)
    assert [each.content for each in attachments(redacted(one))] == [
        each.content for each in attachments(redacted(other))
    ]


def test_another_key_invents_otherwise() -> None:
    """A random key by default: two snapshots cannot be compared unless the key is given."""
    raw = SAMPLES[0].read_bytes()
    assert redacted(raw) != Redactor(b"other").mail(raw)
    assert Redactor().mail(raw) != Redactor().mail(raw)


def test_a_zone_is_kept_with_the_moment() -> None:
    """Whoever plots office hours needs both; odd spellings become the usual one."""
    raw = b"Date: 2 Jan 24 23:04 -0530 (x)\r\n\r\n"
    assert "Tue, 2 Jan 2024 23:04:00 -0530" == dict(headers(redacted(raw)))["Date"]


@pytest.mark.parametrize(
    "uidl", ["whqtswO00WBw418f9t5JxYwZ", "UID77-1700000000", "000000014a2b", "GmailId18c0"]
)
def test_an_opaque_unique_id_is_kept(uidl: str) -> None:
    """It says nothing about anybody."""
    assert uidl == Redactor(KEY).uidl(uidl)


@pytest.mark.parametrize("uidl", ["1700000000.M1P2.mail.corp.example,S=3", "<1@corp.example>"])
def test_a_unique_id_that_holds_a_name_is_replaced(uidl: str) -> None:
    """By the same number each time."""
    assert re.fullmatch(r"[0-9a-f]{32}", Redactor(KEY).uidl(uidl))
    assert Redactor(KEY).uidl(uidl) == Redactor(KEY).uidl(uidl)


def test_no_repr_shows_a_key() -> None:
    """Nor what it replaced."""
    assert "<StandIns>" == repr(StandIns(KEY))
