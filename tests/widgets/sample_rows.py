"""Rows as a mailbox of years gives them, any number, always the same: for tests and their kernels."""

from __future__ import annotations

from random import Random

from pop3frames.message import Attachment, Message

_PEOPLE = (
    "Ann Carter,Björn Öberg,Chiara De Luca,Dmitri Sokolov,Eun-ji Park,Fatima Zahra,Georg Weiß,Hana Nováková,"
    "Ines Duarte,Joris van Dijk,Kenji Yamada,Lena Hoffmann,Mateusz Zieliński,Noor Haddad,Olga Smirnova"
)
_PLACES = ["example.org", "harbour.example", "lab.example.net", "nordsiel.example", "mail.example.com"]
_ABOUT = (
    "Quarterly figures,Sensor drift at buoy,Invoice,Re: Invoice,Minutes of the meeting,Travel plans for,"
    "Fwd: Photos from the market,Alert: battery low on,Firmware release,Re: Re: Mounting dates,Angebot Nr.,"
    "Relevés de février,見積もりのお願い,Call for talks,Your rail ticket,Summer lunch,Question about order"
)
_NEWEST = 1_764_000_000


def rows(count: int, *, seed: int = 7) -> list[Message]:
    """`count` headers in the order of a mailbox, the oldest first; every fifth mail has attachments."""
    random = Random(seed)
    return [_row(number, count, random) for number in range(1, count + 1)]


def _row(number: int, count: int, random: Random) -> Message:
    name = random.choice(_PEOPLE.split(","))
    local = name.lower().replace(" ", ".").encode("ascii", "ignore").decode()
    attachments = [Attachment("plan.pdf", "application/pdf", 40_000)] * random.choice([0, 0, 0, 0, 1])
    return Message(
        message_id=number,
        pop_id=number,
        from_=f"{name} <{local}@{random.choice(_PLACES)}>",
        to=["office@harbour.example"],
        subject=f"{random.choice(_ABOUT.split(','))} {random.randrange(10_000)}",
        received_at=(_NEWEST - (count - number) * 3_600 - random.randrange(3_000)) * 1000,
        size=int(random.lognormvariate(9, 1.6)) + 400,
        attachment_count=len(attachments),
        attachments=attachments,
        account="ann@example.org",
        uidl=f"{number:08x}",
    )
