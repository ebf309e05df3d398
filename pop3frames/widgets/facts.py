"""What a server can do, as a person wants to know it: seen in any session, told in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pop3frames.client.session import Session
from pop3frames.widgets.jobs import counted, in_words

_MARKS_READ = b"Microsoft Exchange"  # in its greeting: RETR marks as read there (jstedfast/MailKit#952)


@dataclass(frozen=True)
class Facts:
    """One mailbox, as one session found it.

    hides_fetched   what was RETRed may be hidden or deleted at QUIT (EXPIRE 0, RFC 2449 section 6.7)
    marks_read      RETR marks a message as read
    """

    messages: int
    octets: int
    encrypted: bool
    local: bool
    unique_ids: bool
    top: bool
    pipelining: bool
    hides_fetched: bool
    marks_read: bool
    login_delay: bool

    @property
    def safe_to_fetch(self) -> bool:
        """Whether fetching a whole message, only to look at it, leaves no trace."""
        return not (self.hides_fetched or self.marks_read)

    def sentences(self) -> list[str]:
        """What matters to whoever lists, reads, marks and exports here; good news is told too."""
        told = [f"{counted(self.messages)}, {in_words(self.octets)}"]
        if self.encrypted:
            told.append("encrypted, certificate checked")
        elif self.local:
            told.append("not encrypted, and needs not be: it is this machine")
        else:
            told.append("NOT ENCRYPTED: password and mail can be read on the way")
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
        if not self.top:
            told.append("no TOP: the list shows sizes only")
        if self.login_delay:
            told.append("wants a pause between logins: actions may have to wait")
        return told

    def __str__(self) -> str:
        return " · ".join(self.sentences())


def facts_of(session: Session, sizes: Mapping[int, int]) -> Facts:
    """What this session shows; `sizes` as it LISTed them. UIDL and CAPA are asked if nobody did."""
    client = session.client
    with session.typed_errors("CAPA"):
        announced = client.known_capabilities
        hides, pipelining = client.expires_retrieved, client.can_pipeline
    return Facts(
        messages=len(session.numbers(sizes)),
        octets=sum(sizes.values()),
        encrypted=client._wire.encrypted,
        local=client._wire.is_loopback,
        unique_ids=bool(session.usable_ids()),
        top=not announced or "TOP" in announced,
        pipelining=pipelining,
        hides_fetched=hides,
        marks_read=_MARKS_READ in client.getwelcome(),
        login_delay="LOGIN-DELAY" in announced,
    )
