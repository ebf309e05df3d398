"""One session shared by many operations, or one for each: opening, logging in, ending.

The handler's documented operations are in `handler.py`; this is how each of them gets a session.
"""

from __future__ import annotations

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self

from pop3frames.client.authorization import Capabilities
from pop3frames.client.credentials import OAuth2, Secret, SecretReference, as_secret, as_token, resolve
from pop3frames.client.exchange import Observer
from pop3frames.client.pop3 import POP3
from pop3frames.client.retry import Retry
from pop3frames.client.session import Session, log
from pop3frames.client.wire import TLSContext, default_context
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3UsageError,
)
from pop3frames.protocol.grammar import CAPA, DEFAULT_LIMITS, LIST, UIDL, Limits, Verb
from pop3frames.protocol.sasl import BEARERS, MECHANISMS

Encryption = Literal["ssl", "tls", "none"]
Password = str | Secret | SecretReference | OAuth2

# What an operation will ask for, so that it can leave together with the login.
IDS: tuple[Verb, ...] = (CAPA, UIDL)
LISTINGS: tuple[Verb, ...] = (CAPA, UIDL, LIST)
_RETRY = Retry()


class Connection(ABC):
    """Where and how to log in, and the session that is open, if one is."""

    def __init__(
        self,
        hostname: str,
        port: int,
        username: str,
        password: Password,
        encryption: Encryption = "ssl",
        timeout: float = 30,
        *,
        auth: str | None = None,
        cafile: str | None = None,
        context: TLSContext | None = None,
        pipelining: bool | None = None,
        utf8: bool = False,
        retry: Retry | None = None,
        observers: Iterable[Observer] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.hostname, self.port, self.username = hostname, port, username  # first what a repr shows
        self.encryption, self.timeout = encryption, timeout
        self._session: Session | None = None
        self._released = False
        try:
            secret = as_secret(password)
        finally:
            del password  # no frame that raises holds it as it was given
        self._auth, self._cafile, self._context, self._pipelining = auth, cafile, context, pipelining
        self._password = as_token(secret) if auth in BEARERS else secret
        self._utf8, self._retry, self._observers = utf8, retry or _RETRY, tuple(observers)
        self._limits = limits
        self._announced: Capabilities | None = None  # what the server said before the last login
        self._serial = False  # a connection broke while commands ran ahead: those that follow do without
        self._flew = False  # a login was answered together with what left behind it
        self._listed: dict[int, str] = {}  # what was last seen under each number, as a unique-id
        self._moved = False  # numbers moved by our own deletions, on a server without unique-ids
        # A URL may hold the password, so it is not quoted; and nothing, to a resolver, is this machine.
        if not isinstance(hostname, str) or not hostname or {"@", "/"} & set(hostname):
            raise POP3UsageError("hostname must be a name or an address alone, as pop.example.org, no URL")
        if encryption not in ("ssl", "tls", "none"):
            raise POP3UsageError(f"encryption must be 'ssl', 'tls' or 'none', not {encryption!r}")
        if auth is not None and auth not in MECHANISMS:
            raise POP3UsageError(f"auth must be None or one of {', '.join(MECHANISMS)}")
        if isinstance(self._password, OAuth2) and auth not in (None, *BEARERS):
            raise POP3UsageError(f"a token logs in by {' or '.join(BEARERS)}, not by {auth}")
        if cafile is not None and context is not None:
            raise POP3UsageError("give cafile= or context=, not both: a context brings its own CAs")
        if type(port) is not int or not 1 <= port <= 65535:
            raise POP3UsageError(f"port must be an integer from 1 to 65535, not {port!r}")

    def __repr__(self) -> str:
        state = "released" if self._released else "connected" if self._session else "not connected"
        where = f"{self.username}@{self.hostname}:{self.port} {self.encryption}"
        return f"<{type(self).__name__} {where}, {state}>"

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """QUIT, which makes deletions real; after an exception close without it, so nothing is deleted."""
        if kind is None:
            self.disconnect()
        elif self._session is not None:
            self._session.close()
            self._session = None

    # Connection

    def connect(self) -> bool:
        """Open the session that later calls share; True. POP3ConnectionError after three attempts."""
        self._check_lease()
        if self._session is None or self._session.lost:
            if self._session is not None and self._session.marks:
                warnings.warn("marks were lost with the connection: those messages stay", stacklevel=2)
            self._session = self._retry.call(self._new_session)
        return True

    def authenticate(self, username: str | None = None, password: Password | None = None) -> bool:
        """Log in, with other credentials if given; True, also when already logged in as that user.

        Waits for a mailbox that is in use as `retry` says, then raises POP3BusyError.
        """
        try:
            secret = self._password if password is None else as_secret(password)
        finally:
            del password
        session = self._connected("authenticate")
        name = self.username if username is None else username
        if session.username is not None:
            if session.username != name:
                raise POP3UsageError(f"already logged in as {session.username!r}: disconnect first")
            return True
        self.username = name
        self._password = as_token(secret) if self._auth in BEARERS else secret
        self._log_in_shared()
        return True

    def disconnect(self) -> bool:
        """QUIT and close; False when QUIT was not confirmed, after a loss too. Safe to call again."""
        session, self._session = self._session, None
        if session is None or session.lost:
            return session is None
        if session.quit_hides_mail:
            warnings.warn(
                f"{self.hostname} says EXPIRE 0: after this QUIT it may hide or delete what was fetched",
                stacklevel=2,
            )
        return session.quit()

    def test_connection(self) -> bool:
        """Whether the open session is there and answers (NOOP)."""
        session = self._session
        if session is None or session.lost:
            return False
        try:
            with session.typed_errors("NOOP"):
                session.client.noop()
        except POP3CommandError as exc:
            return exc.__cause__ is None  # -ERR before the login is an answer too
        except POP3Error:
            return False
        return True

    # For a pool: a session outlives the handler that used it

    def adopt(self, session: Session) -> None:
        """Go on with a session that is already open."""
        self._session = session

    def detach(self, *, usable: bool = False) -> Session | None:
        """Give the open session away, if there is one; from now on every use raises unless still `usable`."""
        session, self._session = self._session, None
        self._released = not usable
        return session

    def abandon(self) -> None:
        """After a fork, in the child: the open session and its marks are the parent's, and lost here."""
        if self._session is not None:
            self._session.lost = True
            self._session.marks.clear()
            self._session.close()

    # How an operation gets its session

    @abstractmethod
    def _open_client(self) -> POP3:
        """A connected client. Raises POP3ConnectionError."""

    def _tls_context(self) -> TLSContext:
        if self._context is None:
            self._context = default_context(self._cafile)  # kept: to read the system's CAs takes some 40 ms
        return self._context

    def _new_session(self) -> Session:
        session = Session(self._open_client(), limits=self._limits)
        if self._utf8:
            try:
                session.utf8()
            except BaseException:
                session.close()
                raise
        return session

    def _credential(self) -> Secret | OAuth2:
        """What to log in with, fetched now: whoever is asked for a password is asked once."""
        if isinstance(self._password, OAuth2):
            return self._password
        return resolve(self._password, f"Password for {self.username}@{self.hostname}: ")

    def _log_in(self, session: Session, credential: Secret | OAuth2, ahead: Sequence[Verb] = ()) -> None:
        """One login; a refused token is renewed once.

        A connection lost on the way is not tried again: the password may have been refused, and accounts are
        locked after a few wrong ones. Only where a server is not known yet to take a login in one flight is
        it said a second time, alone: twice in all, by whatever this handler does later once each.
        """
        try:
            if isinstance(credential, Secret):
                session.log_in(self.username, credential, self._auth, ahead)
            else:
                self._log_in_by_token(session, credential, ahead)
            self._flew = self._flew or session.unproven
        except POP3ConnectionError as exc:
            exc.retryable = not self._flew and self._doubt(session)
            raise
        finally:
            if session.announced is not None:
                self._announced = session.announced

    def _log_in_by_token(self, session: Session, credential: OAuth2, ahead: Sequence[Verb]) -> None:
        token = credential.token()
        mechanism = self._auth or session.token_mechanism
        try:
            session.log_in(self.username, token, mechanism, ahead)
        except POP3AuthenticationError as refusal:
            session.log_in(self.username, _renewed(credential, token, refusal), mechanism, ahead)

    def _log_in_shared(self, ahead: Sequence[Verb] = ()) -> Session:
        """The open session, logged in."""
        session = self._connected("this")
        if session.username is not None:
            return session
        credential, busy = self._credential(), False

        def attempt() -> Session:
            nonlocal busy, session
            if busy:  # Dovecot hangs up behind [IN-USE]
                session.close()
                session = self._session = self._new_session()
            try:
                self._log_in(session, credential, ahead)
            except POP3BusyError:
                busy = True
                raise
            return session

        return self._retry.call(attempt)

    def _logged_in(self, credential: Secret | OAuth2, ahead: Sequence[Verb]) -> Session:
        session = self._new_session()
        try:
            self._log_in(session, credential, ahead)
        except BaseException:
            session.close()
            raise
        return session

    def _doubt(self, session: Session) -> bool:
        """A session broke. Whether it may have been because commands ran ahead: from now on none does.

        Servers that offer PIPELINING and do not mean it cut the connection, or say nothing more.
        """
        doubtful = session.unproven and self._pipelining is None
        if doubtful:
            log.warning("%s broke off while commands ran ahead: going on one by one", self.hostname)
            self._serial = True
        return doubtful

    @contextlib.contextmanager
    def operation(
        self, *, commit: bool = False, login: bool = True, ahead: Sequence[Verb] = ()
    ) -> Iterator[Session]:
        """The open session, logged in; or one of its own, ended with the block: by QUIT to `commit`.

        `login`: False takes an open one as it is. `ahead`: the commands without arguments asked first.
        """
        self._check_lease()
        shared = self._session is not None
        if shared:
            session = self._log_in_shared(ahead) if login else self._connected("this")
        else:
            credential = self._credential()
            session = self._retry.call(lambda: self._logged_in(credential, ahead))
        try:
            yield session
        except BaseException as exc:
            if isinstance(exc, POP3ConnectionError):
                self._doubt(session)
            if not shared:
                session.close()
            raise
        if shared:
            return
        if session.quit_hides_mail and not (commit or session.all_kept):
            session.close()  # looking must not hide mail
        else:
            session.quit()

    def _connected(self, what: str) -> Session:
        self._check_lease()
        if self._session is None:
            raise POP3ConnectionError(f"not connected: call connect() before {what}()", retryable=False)
        if self._session.lost:
            raise POP3ConnectionError("the session was lost: call connect() for a new one", retryable=False)
        return self._session

    def _check_lease(self) -> None:
        if self._released:
            raise POP3UsageError("this handler was given back to its pool: acquire another one")


def _renewed(credential: OAuth2, refused: Secret, refusal: POP3AuthenticationError) -> Secret:
    """A newer token; where there is none, the error has the server's words about this one."""
    try:
        return credential.token(refused=refused)
    except POP3AuthenticationError as exc:
        raise POP3AuthenticationError("AUTH", f"{refusal.text}; {exc.text}", exc.code) from refusal
