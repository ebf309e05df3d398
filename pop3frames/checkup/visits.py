"""The sessions of a check-up: opened one by one, counted, and all of them cut when its time is over.

What is looked at in them is in `doctor.py`.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from typing import Self

from pop3frames.client.connection import Encryption
from pop3frames.client.credentials import OAuth2, Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.session import Session
from pop3frames.errors import POP3ConnectionError, POP3Error

MOST_LOGINS = 4  # of one check-up, refused ones too
_KNOCK = 10.0  # seconds, for a look at another port
_USUAL: dict[Encryption, int] = {"ssl": 995, "none": 110}


class NoSessionError(Exception):
    """No other session is opened; the message says why. A check-up that meets it skips what needs one."""


class Watch:
    """An observer that knows whether anything came."""

    def __init__(self) -> None:
        self.heard = False

    def sent(self, _verb: object, _line: bytes) -> None:
        """Nothing to know."""

    def received(self, _data: bytes) -> None:
        """Something came."""
        self.heard = True

    def secured(self) -> None:
        """Nothing to know."""

    def closed(self) -> None:
        """Nothing to know."""


class Visits:
    """Sessions with the server of a handler, which stays as it is, until `patience` seconds are over.

    Commands go out one by one, whatever the handler is set to.
    """

    def __init__(
        self, handler: POP3ProtocolHandler, patience: float, credential: Secret | OAuth2 | None
    ) -> None:
        self.patience, self.over, self.logins = patience, False, 0
        self.delay = 0  # LOGIN-DELAY, once it is known
        self.credential = credential  # None: nobody logs in
        self._visitor = copy.copy(handler)
        self._visitor._session, self._visitor._announced = None, None
        self._visitor._pipelining = False
        self._visitor.timeout = min(handler.timeout, patience)
        self._clients: list[POP3] = []
        self._end = time.monotonic() + patience
        self._timer = threading.Timer(patience, self._time_is_over)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
        for client in self._clients:
            client.close()

    def _time_is_over(self) -> None:
        self.over = True
        for client in list(self._clients):  # each operation under way ends in a POP3ConnectionError
            client.close()

    def open(
        self, port: int | None = None, encryption: Encryption | None = None, watch: Watch | None = None
    ) -> POP3:
        """A connected client, of this port and encryption instead of the handler's if they are given."""
        visitor = copy.copy(self._visitor)
        if encryption is not None:
            visitor.encryption = encryption
        if port is not None:
            visitor.port, visitor.timeout = port, min(visitor.timeout, _KNOCK)
        visitor.timeout = max(0.001, min(visitor.timeout, self._end - time.monotonic()))
        if watch is not None:
            visitor._observers = (*visitor._observers, watch)
        client = visitor._open_client()
        self._clients.append(client)
        if self.over:
            client.close()
        return client

    def log_in(self, client: POP3) -> None:
        """As the handler would, and raising what it would."""
        assert self.credential is not None, "nobody was to log in"
        self.logins += 1
        self._visitor._log_in(Session(client), self.credential)

    @property
    def secret(self) -> Secret | None:
        """What was last used to log in."""
        return self.credential._latest if isinstance(self.credential, OAuth2) else self.credential

    def another(self) -> POP3:
        """One more client that is logged in. NoSessionError when that would be too many or too soon."""
        if self.over:
            raise NoSessionError(f"the {self.patience:g} seconds of this check-up were over")
        if self.delay:
            raise NoSessionError(f"LOGIN-DELAY {self.delay}: another login would come too soon")
        if self.logins >= MOST_LOGINS:
            raise NoSessionError(f"the session was lost, and {MOST_LOGINS} logins are enough")
        client = self.open()
        self.log_in(client)
        return client

    def mechanism(self, client: POP3) -> str:
        """How a login would be done."""
        visitor = self._visitor
        if visitor._auth:
            return visitor._auth
        is_token = isinstance(visitor._password, OAuth2)
        return Session(client).token_mechanism if is_token else client._password_mechanism()

    def elsewhere(self) -> str:
        """What answers on this host in another way, or nothing."""
        visitor = self._visitor
        own: Encryption = "ssl" if visitor.encryption == "ssl" else "none"
        other: Encryption = "none" if own == "ssl" else "ssl"
        places = [(visitor.port, other), (_USUAL[own], own), (_USUAL[other], other)]
        for port, encryption in places:
            if (
                (port, encryption) != (visitor.port, own)
                and not self.over
                and self._answers(port, encryption)
            ):
                way = "encryption='ssl'" if encryption == "ssl" else "encryption='tls' (or 'none')"
                return f"port {port} answers with {way}"
        return ""

    def _answers(self, port: int, encryption: Encryption) -> bool:
        try:
            client = self.open(port, encryption)
        except POP3ConnectionError as exc:
            return certificate_error(exc) is not None  # whoever shows a certificate speaks TLS
        with contextlib.suppress(POP3Error):
            client.quit()
        return True


def certificate_error(error: BaseException) -> BaseException | None:
    """Why a certificate was refused, if that is what ended it."""
    cause = error.__cause__
    return cause if hasattr(cause, "verify_message") else None
