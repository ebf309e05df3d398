"""What an ordinary message is, how it becomes bytes, and what a correct reader must find in it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from samples.building import (
    File,
    Person,
    Truth,
    address_list,
    address_text,
    as_read,
    date_line,
    documentation_address,
    file_part,
    header_block,
    header_text,
    milliseconds,
    multipart,
    raw_part,
    text_part,
    wire,
)
from samples.people import INES

CALENDAR = "text/calendar; method=REQUEST; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Mail:
    """One ordinary message.

    `when` is the sender's local time; `answers` names the thread so far, oldest first.
    """

    slug: str
    when: str
    sender: Person
    to: Sequence[Person]
    subject: str
    text: str
    cc: Sequence[Person] = ()
    html: str = ""
    invitation: str = ""
    files: Sequence[File] = ()
    pictures: Sequence[File] = ()
    answers: Sequence[str] = ()
    charset: str = "utf-8"
    transfer: str = "quoted-printable"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        """When it was sent, with its zone."""
        return datetime.strptime(self.when, "%Y-%m-%d %H:%M %z")

    @property
    def message_id(self) -> str:
        """A Message-ID that says what it is."""
        return f"<{self.slug}.{self.moment:%Y%m%d}@{self.sender.domain}>"


def compose(mail: Mail, ids: Mapping[str, str]) -> bytes:
    """The message as it travels.

    `ids` maps slugs to Message-IDs; slugs that are not there are mails Ines wrote herself.
    """
    headers = [*_trace(mail), *_envelope(mail)]
    thread = [ids.get(slug, f"<{slug}@{INES.domain}>") for slug in mail.answers]
    if thread:
        headers += [("In-Reply-To", thread[-1]), ("References", "\r\n ".join(thread))]
    headers += [*mail.headers.items(), ("MIME-Version", "1.0")]
    return header_block(headers) + _content(mail)


def _trace(mail: Mail) -> list[tuple[str, str]]:
    """The headers that servers put on top."""
    host = f"mail.{mail.sender.domain}"
    arrival = date_line(mail.moment + timedelta(seconds=3 + len(mail.text) % 20))
    queue_id = f"{zlib.crc32(mail.slug.encode()):08X}"
    return [
        ("Return-Path", f"<{mail.sender.address}>"),
        ("Delivered-To", INES.address),
        (
            "Received",
            f"from {host} ({host} [{documentation_address(host)}])\r\n"
            f"\tby mx.saltmark.example with ESMTPS id {queue_id}\r\n\tfor <{INES.address}>; {arrival}",
        ),
    ]


def _envelope(mail: Mail) -> list[tuple[str, str]]:
    """The headers that the sender wrote."""
    headers = [
        ("Date", date_line(mail.moment)),
        ("From", address_text(mail.sender)),
        ("To", address_list(mail.to)),
        ("Subject", header_text(mail.subject)),
        ("Message-ID", mail.message_id),
    ]
    if mail.cc:
        headers.insert(3, ("Cc", address_list(mail.cc)))
    if mail.sender.agent:
        headers.append(("User-Agent", mail.sender.agent))
    return headers


def _content(mail: Mail) -> bytes:
    """The Content-* lines and the body."""
    text = text_part(mail.text, "plain", mail.charset, mail.transfer)
    choices = [text]
    if mail.html:
        page = text_part(mail.html, "html", mail.charset, mail.transfer)
        if mail.pictures:
            shown = [file_part(picture, "inline", picture.name) for picture in mail.pictures]
            page = multipart("related", f"related-{mail.slug}", [page, *shown])
        choices.append(page)
    if mail.invitation:
        choices.append(raw_part(CALENDAR, wire(mail.invitation), "Content-Transfer-Encoding: 7bit"))
    body = text if len(choices) == 1 else multipart("alternative", f"choice-{mail.slug}", choices)
    if not mail.files:
        return body
    return multipart("mixed", f"mixed-{mail.slug}", [body, *(file_part(file) for file in mail.files)])


def truth_of(mail: Mail) -> Truth:
    """The row of a correct reader."""
    attachments = [picture.described for picture in mail.pictures]
    if mail.invitation:
        # Its last CRLF is its own, the one before the delimiter is the delimiter's (RFC 2046, 5.1.1).
        attachments.append(("", "text/calendar", len(wire(mail.invitation))))
    attachments += [file.described for file in mail.files]
    return Truth(
        message_id_header=mail.message_id,
        from_=mail.sender.shown,
        to=[person.shown for person in mail.to],
        cc=[person.shown for person in mail.cc],
        bcc=[],
        subject=mail.subject,
        text_starts=as_read(mail.text),
        html_starts=as_read(mail.html) if mail.html else None,
        received_at=milliseconds(mail.moment),
        attachments=attachments,
        parse_error=None,
    )
