"""An open session as the handler and the pool see it; foreign errors and shapes become ours here.

A client here is anything with poplib's methods: POP3 and POP3_SSL, or what a user's test puts in their place.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from pop3frames.client.authorization import Capabilities
from pop3frames.client.credentials import Secret
from pop3frames.client.pop3 import POP3
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3UsageError,
)
from pop3frames.protocol import listings
from pop3frames.protocol.framing import joined
from pop3frames.protocol.grammar import CRLF, DEFAULT_LIMITS, Limits, Verb, is_message_number
from pop3frames.protocol.numbered import Numbered, numbers_in
from pop3frames.protocol.sasl import BEARERS

log = logging.getLogger("pop3frames")

_SLACK = 64 << 10  # octets that a mail may be larger than LIST said: honest servers miscount
Fetched = tuple[int, bytes | POP3Error]  # message number, and its original bytes or why there are none


@dataclass
class Session:
    """One connection, who is logged in on it, and what was done that its end must know about."""

    client: POP3
    username: str | None = None
    lost: bool = False
    retrieved: bool = False  # RETR was sent: on servers with EXPIRE 0 a QUIT may now hide mail
    marks: set[int] = field(default_factory=set)  # DELE was answered +OK: lost with the session
    all_kept: bool = False  # what was RETRed is safe in a dataset: a QUIT may hide it on the server
    quit_confirmed: bool | None = None  # None: not ended by QUIT
    limits: Limits = DEFAULT_LIMITS  # how much the server is believed; the client has the same
    _uidls: Mapping[int, str] | None = None

    @contextlib.contextmanager
    def typed_errors(self, verb: str) -> Iterator[None]:
        """Inside, a lost connection is a POP3ConnectionError, any other foreign error a POP3CommandError."""
        try:
            yield
        except POP3ConnectionError:
            self.lost = True
            self.close()
            raise
        except POP3Error:
            raise
        except (OSError, EOFError) as exc:
            self.lost = True
            self.close()
            reason = str(exc) or type(exc).__name__
            raise POP3ConnectionError(f"the connection was lost during {verb}: {reason}") from exc
        except Exception as exc:
            raise POP3CommandError(verb, str(exc) or type(exc).__name__) from exc

    def log_in(
        self, username: str, secret: Secret, mechanism: str | None = None, ahead: Sequence[Verb] = ()
    ) -> None:
        """Log in; `ahead` names what will be asked next. With a foreign client: by USER and PASS.

        Anything a foreign client raises for it is a POP3AuthenticationError.
        """
        if self._is_ours:
            try:
                with self.typed_errors("PASS"):
                    self.client.log_in(username, secret, mechanism, ahead)
            finally:
                self.lost = self.client.ended
        else:
            self._log_in_foreign(self.client, username, secret)
        self.username = username

    def _log_in_foreign(self, client: Any, username: str, secret: Secret) -> None:
        verb = "USER"
        try:
            with self.typed_errors(verb):
                client.user(username)
            verb = "PASS"
            with self.typed_errors(verb):
                client.pass_(secret.reveal())
        except POP3CommandError as exc:
            if exc.__cause__ is None:
                raise
            if secret.reveal() in exc.text:
                raise POP3AuthenticationError(verb, "(not shown: it repeats the password)") from None
            raise POP3AuthenticationError(verb, exc.text) from exc.__cause__

    def utf8(self) -> None:
        """Ask for mails with headers in UTF-8 (RFC 6856). Before the login."""
        with self.typed_errors("UTF8"):
            self.client.utf8()

    @property
    def token_mechanism(self) -> str:
        """How a token logs in here: OAUTHBEARER where it is offered, else XOAUTH2."""
        with self.typed_errors("CAPA"):
            offered = self.client.known_capabilities.get("SASL", ())
        return next((each for each in BEARERS if each in offered), BEARERS[-1])

    @property
    def announced(self) -> Capabilities | None:
        """What the server said of itself before the login; None if nobody asked."""
        announced = getattr(self.client, "announced", None)
        return announced if isinstance(announced, dict) else None

    def sizes(self) -> Mapping[int, int]:
        """LISTed octets by message number."""
        with self.typed_errors("LIST"):
            listed = self.client.scan_listings() if self._is_ours else _block(self.client.list())
            told = listings.parse_sizes(listed)
        _tell_odd_lines("LIST", listed, told)
        return told

    def size(self, number: int) -> int:
        """LISTed octets of one message."""
        with self.typed_errors("LIST"):
            status = self.client.list(number)
            assert isinstance(status, str | bytes), "with an argument LIST answers in one line (RFC 1939)"
            told = listings.parse_sizes(_octets(status).partition(b" ")[2] + CRLF)
        if number not in told:
            raise POP3CommandError("LIST", "the answer names no size of this message")
        return told[number]

    def unique_ids(self) -> Mapping[int, str]:
        """Unique-ids by message number, asked once a session; empty where the server has no UIDL."""
        if self._uidls is None:
            try:
                with self.typed_errors("UIDL"):
                    listed = self.client.unique_ids() if self._is_ours else _block(self.client.uidl())
                self._uidls = listings.parse_unique_ids(listed, self.limits)
                _tell_odd_lines("UIDL", listed, self._uidls)
            except POP3CommandError as exc:
                log.info("no unique-ids: %s", exc)
                self._uidls = {}
        return self._uidls

    def numbers(self, sizes: Mapping[int, int]) -> Sequence[int]:
        """Every message not marked that LIST or UIDL names: a line that cannot be read hides no message."""
        listed = numbers_in(sizes, self.unique_ids())
        return [number for number in listed if number not in self.marks] if self.marks else listed

    def usable_ids(self) -> Mapping[int, str]:
        """Unique-ids that occur once: RFC 1939 section 7 lets a server give one to several equal messages."""
        return listings.occurring_once(self.unique_ids())

    def retrieve(self, numbers: Sequence[int], sizes: Mapping[int, int]) -> Iterator[Fetched]:
        """Number and raw message, or why that message failed, for each number in order."""
        self.retrieved = True
        refusals = [self._not_to_be_asked(number, sizes) for number in numbers]
        if not self._is_ours:
            for number, refusal in zip(numbers, refusals, strict=True):
                yield number, self._whole(number, refusal or self._retrieve_one(number), sizes)
            return
        asked = [number for number, refusal in zip(numbers, refusals, strict=True) if refusal is None]
        with self.typed_errors("RETR"):
            replies = self.client.retr_many(asked, sizes)
            for number, refusal in zip(numbers, refusals, strict=True):
                if refusal is not None:
                    yield number, refusal
                    continue
                reply = next(replies)
                raw = reply.error() if reply.block is None else reply.block
                yield number, self._whole(number, raw, sizes)

    @property
    def _is_ours(self) -> bool:
        return issubclass(type(self.client), POP3)  # not isinstance: a mock says what it stands for

    def _not_to_be_asked(self, number: int, sizes: Mapping[int, int]) -> POP3UsageError | None:
        """Why this message cannot or should not be RETRed; None when it can."""
        if not is_message_number(number):
            return POP3UsageError(f"{number!r} is not a message number")
        size, most = sizes.get(number, 0), self.limits.message
        if size > most:
            return POP3UsageError(f"LISTed with {size} octets, the limit is {most}: not fetched")
        return None

    def _retrieve_one(self, number: int) -> bytes | POP3Error:
        try:
            with self.typed_errors("RETR"):
                return _block(self.client.retr(number))
        except (POP3CommandError, POP3UsageError) as exc:
            return exc

    def _whole(self, number: int, raw: bytes | POP3Error, sizes: Mapping[int, int]) -> bytes | POP3Error:
        """The same; but an error where nothing came though LIST tells of octets.

        Dovecot and Courier do not stuff a dot at the very start of a mail: one that begins with a line "."
        arrives empty, and what follows stands where the next reply belongs.
        """
        if raw != b"":
            if isinstance(raw, bytes) and number in sizes and len(raw) > sizes[number] * 1.1 + _SLACK:
                log.info("message %d has %d octets, LIST told of %d", number, len(raw), sizes[number])
            return raw
        try:
            listed = sizes[number] if number in sizes else self.size(number)
        except POP3CommandError:
            return raw
        if listed <= len(b"\r\n"):
            return raw
        return POP3CommandError("RETR", f"nothing came, though LIST tells of {listed} octets")

    def top(self, number: int, lines: int) -> bytes:
        """The header and the first `lines` lines of the body, as they came."""
        with self.typed_errors("TOP"):
            if self._is_ours:
                [reply] = self.client.top_many([number], lines)
                if reply.block is None:
                    raise reply.error()
                return reply.block
            return _block(self.client.top(number, lines))

    def headers(self, numbers: Sequence[int], sizes: Mapping[int, int]) -> Iterator[Fetched]:
        """Number and header block (TOP 0), or why there is none; to look at, never for a hash or a key."""
        if not self._is_ours:
            for number in numbers:
                try:
                    yield number, self.top(number, 0)
                except POP3CommandError as exc:
                    yield number, exc
            return
        with self.typed_errors("TOP"):
            for number, reply in zip(numbers, self.client.top_many(numbers, 0, sizes), strict=True):
                yield number, reply.error() if reply.block is None else reply.block

    def delete(self, number: int) -> None:
        """Mark for deletion: real only after QUIT. Only what is a number: text may be meant otherwise."""
        if not is_message_number(number):
            raise POP3UsageError(f"{number!r} is not a message number")
        with self.typed_errors("DELE"):
            self.client.dele(number)
        self.marks.add(number)

    def delete_all(self, numbers: Sequence[int]) -> Iterator[tuple[int, POP3Error | None]]:
        """Mark each, ahead of the replies where the server pipelines; number and None, or why not."""
        if not self.pipelines:
            for number in numbers:
                try:
                    self.delete(number)
                    yield number, None
                except POP3CommandError as exc:
                    yield number, exc
            return
        with self.typed_errors("DELE"):
            for number, reply in zip(numbers, self.client.dele_many(numbers), strict=True):
                if reply.ok:
                    self.marks.add(number)
                yield number, None if reply.ok else reply.error()

    def reset(self) -> None:
        """Take all marks back."""
        with self.typed_errors("RSET"):
            self.client.rset()
        self.marks.clear()

    @property
    def pipelines(self) -> bool:
        """Whether RETRs go out ahead of their replies; never with a foreign client."""
        with self.typed_errors("CAPA"):
            return self.client.can_pipeline is True

    @property
    def unproven(self) -> bool:
        """Whether commands ran ahead and the server has not shown yet that it can take them."""
        return getattr(self.client, "unproven", None) is True

    @property
    def quit_hides_mail(self) -> bool:
        """Whether a QUIT now may hide or delete what was only RETRed (EXPIRE 0, RFC 2449 section 6.7)."""
        if not self.retrieved or self.lost:
            return False
        try:
            return getattr(self.client, "expires_retrieved", None) is True
        except POP3Error:
            return False

    @property
    def login_delay(self) -> int:
        """Seconds from one login to the next, as the server asks (RFC 2449 section 6.5); 0: it does not."""
        with self.typed_errors("CAPA"):
            return listings.login_delay(getattr(self.client, "known_capabilities", {})) or 0

    def quit(self) -> bool:
        """QUIT, or a forced close when it fails; True only when the server confirmed (RFC 1939 section 6)."""
        try:
            with self.typed_errors("QUIT"):
                self.client.quit()
            self.quit_confirmed = True
        except POP3Error as exc:
            log.warning("QUIT was not confirmed, deletions may not have happened: %s", exc)
            self.quit_confirmed = False
            self.close()
        return self.quit_confirmed

    def close(self) -> None:
        """Close without QUIT: marks are taken back."""
        with contextlib.suppress(OSError):
            self.client.close()


def _tell_odd_lines(verb: str, listed: bytes, told: Sized) -> None:
    if not isinstance(told, Numbered) and (count := listed.count(CRLF) - len(told)):
        log.warning("%d lines of %s name no message, one twice, or nothing usable: left out", count, verb)


def _block(response: object) -> bytes:
    """The block in a response of poplib's shape: (status, lines, octets)."""
    if not isinstance(response, tuple | list):
        raise TypeError(f"a response must be (status, lines, octets), not {type(response).__name__}")
    return joined([_octets(line) for line in response[1]])


def _octets(line: str | bytes) -> bytes:
    return line.encode() if isinstance(line, str) else line
