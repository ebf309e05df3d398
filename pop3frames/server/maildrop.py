"""A mailbox as POP3 sees it: messages, marks, the lock. A plain object: no I/O, no protocol text."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple


class StoredMessage(NamedTuple):
    """One mail, its bytes with CRLF line ends, and its unique-id. A bare LF inside is the mail's own."""

    raw: bytes
    uidl: str


class Maildrop:
    """The messages of one mailbox. `open` gives one session at a time the lock (RFC 1939 section 4).

    Unique-ids that are not given are made from the content, so they survive a restart; equal messages get
    different ones, in their order.
    """

    def __init__(self, messages: Iterable[bytes | StoredMessage] = ()) -> None:
        # `_lock` guards `_messages`, `_seen` and `_open`.
        self._lock = threading.Lock()
        self._messages: list[StoredMessage] = []
        self._seen: Counter[str] = Counter()
        self._open = False
        for message in messages:
            self.add(message)

    def __len__(self) -> int:
        with self._lock:
            return len(self._messages)

    @property
    def messages(self) -> list[StoredMessage]:
        """What the mailbox holds now."""
        with self._lock:
            return list(self._messages)

    def add(self, message: bytes | StoredMessage) -> None:
        """Deliver a mail. An open session does not see it (RFC 1939 section 8)."""
        uidl = None if isinstance(message, bytes) else message.uidl
        given = message if isinstance(message, bytes) else message.raw
        exact = uidl is not None and given.endswith(b"\r\n")  # as it came from a server
        raw = given if exact else canonical(given)
        with self._lock:
            if uidl is None:
                digest = hashlib.sha256(raw).hexdigest()[:32]
                self._seen[digest] += 1
                uidl = digest if self._seen[digest] == 1 else f"{digest}-{self._seen[digest]}"
            self._messages.append(StoredMessage(raw, uidl))

    def rearrange(self, change: Callable[[list[StoredMessage]], Iterable[StoredMessage]]) -> None:
        """Hold what `change` makes of the messages, as if somebody had worked on the files of a real server.

        An open session keeps what it has; messages that are no longer the same object it cannot delete.
        """
        with self._lock:
            self._messages = list(change(list(self._messages)))

    def open(self, shows: int | None = None) -> MaildropSession | None:
        """A session on the messages of this moment, or the first so many; None while another one is open."""
        with self._lock:
            if self._open:
                return None
            self._open = True
            return MaildropSession(self, self._messages[:shows])

    def _close(self, deleted: set[int]) -> None:
        """End the session, removing the messages with these identities."""
        with self._lock:
            self._open = False
            if deleted:
                self._messages = [message for message in self._messages if id(message) not in deleted]


class MaildropSession:
    """One session: numbers from 1 that never move, marks that only `update` makes real."""

    def __init__(self, maildrop: Maildrop, messages: list[StoredMessage]) -> None:
        self._maildrop = maildrop
        self._messages = messages
        self._marked: set[int] = set()
        self._closed = False

    def get(self, number: int) -> StoredMessage | None:
        """The message with that number; None when there is none or it is marked."""
        if 1 <= number <= len(self._messages) and number not in self._marked:
            return self._messages[number - 1]
        return None

    def items(self) -> list[tuple[int, StoredMessage]]:
        """Numbers and messages, without the marked ones."""
        return [
            (number, message)
            for number, message in enumerate(self._messages, 1)
            if number not in self._marked
        ]

    def mark(self, number: int) -> bool:
        """Mark for deletion; False when there is no such message or it is marked already."""
        if self.get(number) is None:
            return False
        self._marked.add(number)
        return True

    def reset(self) -> None:
        """Take all marks back."""
        self._marked.clear()

    def update(self) -> None:
        """Enter the UPDATE state: remove the marked messages and give the lock back (RFC 1939 section 6)."""
        self._end({id(self._messages[number - 1]) for number in self._marked})

    def close(self) -> None:
        """Give the lock back and remove nothing. Safe to call again."""
        self._end(set())

    def _end(self, deleted: set[int]) -> None:
        if not self._closed:
            self._closed = True
            self._maildrop._close(deleted)


def canonical(raw: bytes) -> bytes:
    """The mail as it goes over the wire: bare LF becomes CRLF, the last line is ended. A bare CR stays."""
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"


def top(raw: bytes, count: int) -> bytes:
    """The header, the blank line and the first `count` lines of the body (RFC 1939 section 7)."""
    if raw.startswith(b"\r\n"):  # no header at all
        end = 2
    elif (end := raw.find(b"\r\n\r\n") + 4) < 4:
        return raw
    for _ in range(count):
        line_end = raw.find(b"\r\n", end)
        if line_end < 0:
            return raw
        end = line_end + 2
    return raw[:end]
