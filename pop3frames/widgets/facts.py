"""What a server can do, as a person wants to know it: seen in any session, told in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pop3frames.client.authorization import Capabilities
from pop3frames.client.session import Session
from pop3frames.errors import counted
from pop3frames.protocol import sasl
from pop3frames.protocol.listings import login_delay
from pop3frames.widgets.jobs import in_words

# What a way to log in asks of a person, the best first.
_LOGINS = {
    "a token": sasl.BEARERS,
    "a password that is never sent": ("SCRAM-SHA-256", "APOP"),
    "a password": ("USER", "PLAIN"),
}
_MARKS_READ = b"Microsoft Exchange"  # in its greeting: RETR marks as read there (jstedfast/MailKit#952)


@dataclass(frozen=True)
class Facts:
    """One mailbox, as one session found it.

    tls             version of TLS; None: not encrypted.   offers_tls  STLS could make it so
    logins          ways to log in, in words; empty where the server does not tell
    login_delay     seconds from one login to the next
    hides_fetched   what was RETRed may be hidden or deleted at QUIT (EXPIRE 0, RFC 2449 section 6.7)
    marks_read      RETR marks a message as read
    """

    messages: int
    octets: int
    tls: str | None
    offers_tls: bool
    local: bool
    logins: tuple[str, ...]
    unique_ids: bool
    top: bool
    pipelining: bool
    hides_fetched: bool
    marks_read: bool
    login_delay: int

    @property
    def safe_to_fetch(self) -> bool:
        """Whether fetching a whole message, only to look at it, leaves no trace."""
        return not (self.hides_fetched or self.marks_read)

    def sentences(self) -> list[str]:
        """What matters to whoever lists, reads, marks and exports here; good news is told too."""
        told = [f"{counted(self.messages)}, {in_words(self.octets)}"]
        told.append(self._encryption())
        if self.logins:
            told.append(f"lets in by {' or '.join(self.logins)}")
        told.append(
            "fetches many at a time"
            if self.pipelining
            else "fetches one by one: large mailboxes take a while"
        )
        if self.messages:
            told.append(
                "stable unique-ids: marks, and what is new, are safe to tell"
                if self.unique_ids
                else "NO UNIQUE-IDS: nothing can be marked or deleted here, exporting works"
            )
        if self.hides_fetched:
            told.append("hides what was fetched: previews read only the beginning of a message")
        elif self.marks_read:
            told.append("marks as read what was fetched: previews read only the beginning of a message")
        told.append(
            "shows headers without fetching: the list leaves no trace"
            if self.top
            else "no TOP: the list shows sizes only"
        )
        if self.login_delay:
            told.append(f"wants {self.login_delay} seconds between logins: actions may have to wait")
        return told

    def _encryption(self) -> str:
        if self.tls:
            return f"encrypted ({self.tls}), certificate checked"
        if self.local:
            return "not encrypted, and needs not be: it is this machine"
        told = "NOT ENCRYPTED: password and mail can be read on the way"
        return f"{told}. The server offers better: choose “STLS, or failure”" if self.offers_tls else told

    def __str__(self) -> str:
        return " · ".join(self.sentences())


def facts_of(session: Session, sizes: Mapping[int, int]) -> Facts:
    """What this session shows; `sizes` as it LISTed them. UIDL and CAPA are asked if nobody did."""
    client = session.client
    with session.typed_errors("CAPA"):
        announced = {**(session.announced or {}), **client.known_capabilities}
        hides, pipelining = client.expires_retrieved, client.can_pipeline
    return Facts(
        messages=len(session.numbers(sizes)),
        octets=sum(sizes.values()),
        tls=client._wire.tls.version() if client._wire.tls else None,
        offers_tls="STLS" in announced,
        local=client._wire.is_loopback,
        logins=_logins(announced, client.getwelcome()),
        unique_ids=bool(session.usable_ids()),
        top=not announced or "TOP" in announced,
        pipelining=pipelining,
        hides_fetched=hides,
        marks_read=_MARKS_READ in client.getwelcome(),
        login_delay=login_delay(announced) or 0,
    )


def _logins(announced: Capabilities, greeting: bytes) -> tuple[str, ...]:
    ways = {*announced.get("SASL", ()), *announced.keys() & {"USER"}}
    if sasl.apop_timestamp(greeting):
        ways.add("APOP")
    return tuple(words for words, by in _LOGINS.items() if ways.intersection(by))
