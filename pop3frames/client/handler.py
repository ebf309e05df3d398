"""POP3ProtocolHandler: the documented way to a mailbox, with or without a session of one's own.

How an operation gets its session is in `connection.py`, what a session can do in `session.py`, the verbs in
`pop3.py`; here is only what the documented methods promise.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pop3frames.client.connection import IDS, LISTINGS, Connection
from pop3frames.client.pop3 import POP3, POP3_SSL
from pop3frames.client.retry import Resumption
from pop3frames.client.rows import as_row, header_row
from pop3frames.client.session import Fetched, Session, log
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3UsageError,
    counted,
)
from pop3frames.message import Message
from pop3frames.protocol.grammar import STAT, Verb, plain_number

if TYPE_CHECKING:
    import pandas

    from pop3frames.frames.batches import MessageStream

__all__ = ["POP3AuthenticationError", "POP3ConnectionError", "POP3ProtocolHandler"]


class POP3ProtocolHandler(Connection):
    """One mailbox on one server.

    hostname, port   where it is: 995 is usual for 'ssl', 110 for 'tls' and 'none'
    username         who logs in
    password         a string, a Secret, an OAuth2, or (better) a SecretReference, resolved at each login
    encryption       'ssl': TLS from the first byte; 'tls': STLS or failure; 'none': plain text
    timeout          seconds without an answer before an operation fails
    auth             None: USER and PASS, or what fits the credential; else 'USER', 'PLAIN', 'SCRAM-SHA-256',
                     'OAUTHBEARER', 'XOAUTH2' or 'APOP'
    cafile           a PEM file of private CAs to trust as well; certificate and host name are always checked
    context          instead, an ssl.SSLContext of your own, which then says what is checked
    pipelining       True, False, or None: as the server says (RFC 2449 section 6.6), unless it breaks off
    utf8             ask for headers in UTF-8 (RFC 6856), for mails that a server gives only so
    retry            how often and after which pauses to try again (`client.retry.Retry`)
    observers        who is told what crosses (`client.exchange.Observer`)
    limits           how much the server is believed (`Limits`): the largest message, listing, line, ...

    A lost connection raises POP3ConnectionError, a refused login POP3AuthenticationError, everywhere.
    """

    # Messages

    def list_messages(self) -> tuple[list[int], int]:
        """Message numbers, and the octets of the whole mailbox."""
        with self._looking(ahead=LISTINGS) as session:
            sizes = session.sizes()
            return list(session.numbers(sizes)), sum(sizes.values())

    def fetch_message(self, message_id: int) -> dict[str, Any] | None:
        """The message dict; None, and a line in the log, when that message cannot be fetched."""
        message_id = _plain(message_id)
        with self._looking(message_id) as session:
            for number, raw in session.retrieve([message_id], {}):
                if isinstance(raw, bytes):
                    return self._row(number, raw).to_dict()
                log.warning("message %s was not fetched: %s", number, raw)
        return None

    def fetch_messages(self, message_ids: Iterable[int] | None = None) -> list[dict[str, Any]]:
        """The message dicts, of all messages if no numbers are given. A bad message never stops the rest.

        After a lost connection it goes on once in a new session; a second loss raises POP3ConnectionError
        with what was fetched in `.messages`. A message that twice was no POP3, or over a limit, is a bad one.
        """
        messages: list[dict[str, Any]] = []
        try:
            messages.extend(message.to_dict() for message in self.iter_messages(message_ids))
        except POP3ConnectionError as exc:
            exc.messages = messages
            raise
        return messages

    def iter_messages(self, message_ids: Iterable[int] | None = None) -> Iterator[Message]:
        """Messages one by one, while the next ones arrive; one warning at the end for those that failed."""
        failed: list[int] = []
        for number, raw, uidl in self._fetch(message_ids):
            if isinstance(raw, bytes):
                yield self._row(number, raw, uidl)
            else:
                failed.append(number)
                log.warning("message %s was not fetched: %s", number, raw)
        if failed:
            warnings.warn(f"{counted(len(failed))} could not be fetched: {failed[:20]}", stacklevel=2)

    def iter_raw(self, message_ids: Iterable[int] | None = None) -> Iterator[Fetched]:
        """Number and original bytes, or why that message failed. Goes on in a new session after one loss."""
        return ((number, raw) for number, raw, _ in self._fetch(message_ids))

    def iter_headers(self, message_ids: Iterable[int] | None = None) -> Iterator[Message]:
        """Rows without bodies, from TOP: it marks nothing as read. A message that has none is left out.

        For looking, in one session; never stored. `size` is what LIST told, `content_hash` None.
        """
        failed: list[int] = []
        with self.operation(ahead=LISTINGS) as session:
            self._see(session)
            sizes, usable = session.sizes(), session.usable_ids()
            numbers = session.numbers(sizes) if message_ids is None else [_plain(n) for n in message_ids]
            for number, header in session.headers(numbers, sizes):
                if isinstance(header, bytes):
                    size = sizes.get(number, len(header))
                    yield header_row(
                        header, number, account=self._account, uidl=usable.get(number), size=size
                    )
                else:
                    failed.append(number)
                    log.warning("message %s has no header to show: %s", number, header)
                self._check_lease()
        if failed:
            warnings.warn(f"{counted(len(failed))} gave no header: {failed[:20]}", stacklevel=2)

    def delete_message(self, message_id: int) -> bool:
        """Mark for deletion, real only after a QUIT; in a session of its own that follows at once.

        False when that message cannot be marked, or is not the one that was last listed under this number.
        """
        return self.delete_messages([message_id]) == (1, 0)

    def delete_messages(self, message_ids: Iterable[int]) -> tuple[int, int]:
        """How many were marked and how many were not. An unconfirmed QUIT of an own session: none was."""
        numbers = [_plain(number) for number in message_ids]
        with self.operation(commit=True, ahead=IDS) as session:
            for number, uidl in session.unique_ids().items():
                self._listed.setdefault(number, uidl)
            marked = sum(self._mark(session, number) for number in numbers)
        if session.quit_confirmed is False:
            marked = 0
        if session.quit_confirmed and marked and not session.unique_ids():
            self._moved = True
        return marked, len(numbers) - marked

    # Mailbox

    def get_mailbox_stat(self) -> tuple[int, int]:
        """Message count and octets."""
        with self.operation(ahead=(STAT,)) as session, session.typed_errors("STAT"):
            count, octets = session.client.stat()
        return count, octets

    def get_message_size(self, message_id: int) -> int:
        """Octets of one message as LISTed; -1, and a line in the log, when there is no such message."""
        with self._looking(message_id) as session:
            try:
                return session.size(_plain(message_id))
            except (POP3CommandError, POP3UsageError) as exc:
                log.warning("no size of message %s: %s", message_id, exc)
                return -1

    def reset(self) -> bool:
        """Take pending deletions back (RSET); False when the server refuses."""
        self._connected("reset")
        session = self._log_in_shared()
        try:
            session.reset()
        except POP3CommandError as exc:
            log.warning("%s", exc)
            return False
        return True

    def get_capabilities(self) -> list[str]:
        """What the server can do, as it says, before a login too: ['TOP', 'SASL PLAIN']; [] without CAPA."""
        with self.operation(login=False) as session:
            try:
                with session.typed_errors("CAPA"):
                    return [" ".join([name, *words]) for name, words in session.client.capa().items()]
            except POP3CommandError as exc:
                log.info("no capabilities: %s", exc)
                return []

    def uidl(self) -> dict[int, str]:
        """Unique-ids by message number; empty where the server has none."""
        with self._looking():
            return dict(self._listed)

    def top(self, message_id: int, lines: int = 0) -> bytes:
        """The header and the first `lines` lines of the body, as they came. Marks nothing as read."""
        with self._looking(message_id) as session:
            return session.top(_plain(message_id), lines)

    # Tables

    def record_batches(self, message_ids: Iterable[int] | None = None) -> MessageStream:
        """Arrow record batches, as they arrive: an object with `__arrow_c_stream__` for any Arrow reader."""
        from pop3frames.frames.batches import record_batches

        return record_batches(self.iter_messages(message_ids))

    def fetch_dataframe(self, message_ids: Iterable[int] | None = None) -> pandas.DataFrame:
        """A DataFrame with a row a message and the columns of `pop3frames.message`."""
        from pop3frames.frames.batches import to_dataframe

        return to_dataframe(self.iter_messages(message_ids))

    def headers_dataframe(self, message_ids: Iterable[int] | None = None) -> pandas.DataFrame:
        """The same columns, from headers only (`iter_headers`): bodies and hashes are null."""
        from pop3frames.frames.batches import to_dataframe

        return to_dataframe(self.iter_headers(message_ids))

    def export_parquet(self, path: str, message_ids: Iterable[int] | None = None) -> None:
        """One Parquet file, written atomically: whole or not at all."""
        from pop3frames.frames.parquet import write_file

        write_file(path, self.record_batches(message_ids))

    # Behind the scenes

    def _open_client(self) -> POP3:
        options: dict[str, Any] = {
            "timeout": self.timeout,
            "pipelining": False if self._serial else self._pipelining,
            "observers": self._observers,
            "limits": self._limits,
        }
        context = self._tls_context() if self.encryption != "none" else None
        try:
            if self.encryption == "ssl":
                client: POP3 = POP3_SSL(self.hostname, self.port, context=context, **options)
            else:
                client = POP3(self.hostname, self.port, **options)
            if self.encryption == "tls":
                client.stls(context)
            if self._announced is not None:
                client.remember(self._announced)
            return client
        except POP3Error:
            raise
        except Exception as exc:
            raise POP3ConnectionError(f"cannot connect to {self.hostname}:{self.port}: {exc}") from exc

    @contextlib.contextmanager
    def _looking(self, number: int | None = None, ahead: Sequence[Verb] = IDS) -> Iterator[Session]:
        """A session for looking at one message or all: what is deleted later must be what was seen there."""
        with self.operation(ahead=ahead) as session:
            self._see(session, number)
            yield session

    def _see(self, session: Session, number: int | None = None) -> None:
        now = session.unique_ids()
        if number is None:
            self._listed, self._moved = dict(now.items()), False
        elif number in now:
            self._listed[number] = now[number]

    def _fetch(
        self, message_ids: Iterable[int] | None
    ) -> Iterator[tuple[int, bytes | POP3Error, str | None]]:
        """What `iter_raw` yields, with unique-ids."""
        waiting = None if message_ids is None else [_plain(number) for number in message_ids]
        uidls: Mapping[int, str] | None = None  # what the numbers mean: as the first session lists them
        resumption = Resumption()
        while True:
            done, established = 0, False
            try:
                with self.operation(ahead=LISTINGS) as session:
                    now = session.unique_ids()
                    if uidls is None:
                        uidls = now
                        for seen in [None] if waiting is None else waiting:
                            self._see(session, seen)
                    sizes = session.sizes() if session.pipelines or waiting is None else {}
                    waiting = list(session.numbers(sizes)) if waiting is None else waiting
                    usable = session.usable_ids()
                    moved = [number for number in waiting if now.get(number) != uidls.get(number)]
                    for number in moved:
                        yield number, POP3CommandError("RETR", "it has another number since the loss"), None
                    waiting = [number for number in waiting if now.get(number) == uidls.get(number)]
                    established = True
                    for number, raw in session.retrieve(waiting, sizes):
                        done += 1
                        yield number, raw, usable.get(number)
                        self._check_lease()  # a handler given back meanwhile must not touch the connection
                return
            except POP3ConnectionError as exc:
                if not established or waiting is None:
                    raise
                waiting, failure = waiting[done:], exc
                left_out = resumption.leaves_out(exc, waiting[:1], done)
            log.warning("%s; going on in a new session", failure)
            if self._session is not None:  # the open one was lost
                self.connect()
            if left_out:
                yield waiting.pop(0), failure, None

    def _mark(self, session: Session, number: int) -> bool:
        expected = self._listed.get(number)
        try:
            if expected is not None and session.unique_ids().get(number) != expected:
                log.warning("message %d was not marked: it is not the one that was listed", number)
                return False
            if self._moved and session is not self._session and not session.unique_ids():
                log.warning("message %s was not marked: deletions have moved the numbers, list again", number)
                return False
            session.delete(number)
        except (POP3CommandError, POP3UsageError) as exc:
            log.warning("message %s was not marked: %s", number, exc)
            return False
        return True

    def _row(self, number: int, raw: bytes, uidl: str | None = None) -> Message:
        return as_row(raw, number, account=self._account, uidl=uidl)

    @property
    def _account(self) -> str:
        return f"{self.username}@{self.hostname}"


def _plain(number: int) -> int:
    return plain_number(number)  # type: ignore[return-value]  # what is no number is refused where it is used
