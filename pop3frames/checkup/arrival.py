"""The first half of a check-up: from the connection to the login, and what a server says of itself.

What comes behind the login is in `stay.py`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from pop3frames.checkup import checkups
from pop3frames.checkup.findings import Check, Findings
from pop3frames.checkup.visits import NoSessionError, Visits, Watch, certificate_error
from pop3frames.client.authorization import Capabilities
from pop3frames.client.connection import Encryption
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.client.presets import PRESETS
from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3Error,
    POP3UsageError,
    printable,
)


class Arrival:
    """What is known of a server so far, and the session that is open, if one is."""

    def __init__(self, handler: POP3ProtocolHandler, visits: Visits) -> None:
        self.handler, self.visits = handler, visits
        self.findings = Findings(handler.username)
        self.client: POP3 | None = None
        self.greeting = b""
        self.before: Capabilities | None = None  # what was said before the login, under TLS if it stands
        self.after: Capabilities | None = None
        self.capa_hangs = False

    @property
    def told(self) -> Capabilities:
        """What was said before the login or after it."""
        return {**(self.before or {}), **(self.after or {})}

    def arrive(self) -> bool:
        """Whether a session stands, under TLS if that is asked for, ready for a login."""
        watch, start = Watch(), time.monotonic()
        encryption = self.handler.encryption
        try:
            client = self.visits.open(encryption="ssl" if encryption == "ssl" else "none", watch=watch)
        except POP3ConnectionError as exc:
            self._turned_away(exc, watch.heard)
            return False
        took, loopback = time.monotonic() - start, client._wire.is_loopback
        self.greeting = client.getwelcome()
        self.findings.add(
            Check("reach", "ok", f"{self._name} answered after {took * 1000:.0f} ms"),
            Check("greeting", "ok", "", "", printable(self.greeting)),
        )
        self.before = plain = self._asked(client)
        try:
            if encryption == "tls" and not self.capa_hangs:
                client.stls(self.handler._tls_context())
                self.before = self._asked(client)
            self.client = client = self.visits.open() if self.capa_hangs else client
        except POP3ConnectionError as exc:
            self._not_secured(exc, plain, loopback)
            return False
        self._judge_tls(client, encryption, loopback)
        if not self.capa_hangs:
            self.findings.add(
                checkups.announced(plain if encryption == "tls" else None, self.before),
                checkups.plaintext_login(plain, encryption, loopback),
                checkups.mechanisms(self.before, self.greeting, self.visits.mechanism(client)),
            )
            self.findings.add(checkups.stls(plain, encryption, loopback, works=True))
        return True

    def enter(self) -> bool:
        """Whether the login succeeded."""
        client = self.client
        assert client is not None, "arrive first"
        try:
            mechanism = "USER" if self.capa_hangs else self.visits.mechanism(client)
            self.visits.log_in(client)
        except POP3Error as exc:
            self.client, self.findings.secret = None, self.visits.secret
            self.findings.fail("login", exc, meaning=self._why_refused(exc))
            return False
        self.findings.secret = self.visits.secret
        way = "USER and PASS" if mechanism == "USER" else mechanism
        self.findings.add(Check("login", "ok", f"as {self.handler.username} by {way}"))
        if self.before is not None:
            with self.alone("capabilities after login"):
                self.after = self._capa(client)
                self.findings.add(checkups.announced_inside(self.before, self.after))
        self.findings.skip("there is no CAPA", "capabilities after login")
        self.visits.delay = checkups.login_delay(self.told)
        return True

    @contextlib.contextmanager
    def alone(self, check: str) -> Iterator[None]:
        """What fails inside is the row of this check, and of no other."""
        try:
            yield
        except NoSessionError as exc:
            self.findings.skip(str(exc), check)
        except POP3ConnectionError as exc:
            self.client = None
            if self.visits.over:
                finding = f"not done when the {self.visits.patience:g} seconds of this check-up were over"
                self.findings.add(Check(check, "problem", finding, "the server hangs, or is very slow"))
            self.findings.fail(check, exc)
        except POP3Error as exc:
            self.findings.fail(check, exc)

    def session(self) -> POP3:
        """The session that is logged in, another one where it was lost. NoSessionError when there is none."""
        if self.client is None:
            self.client = self.visits.another()
        return self.client

    # Behind the scenes

    @property
    def _name(self) -> str:
        return f"{self.handler.hostname}:{self.handler.port}"

    def _asked(self, client: POP3) -> Capabilities | None:
        """CAPA before the login; None where there is none, or where the session breaks on it."""
        try:
            return self._capa(client)
        except POP3ConnectionError as exc:
            self.capa_hangs = True
            meaning = "use pipelining=False: then CAPA is not asked before the login"
            self.findings.fail("capabilities", exc, meaning=meaning)
            self.findings.skip("CAPA ends the session", "mechanisms", "plaintext login", "stls")
            return None

    def _capa(self, client: POP3) -> Capabilities | None:
        try:
            return client.capa()
        except POP3CommandError:
            client.remember({})
            return None

    def _judge_tls(self, client: POP3, encryption: Encryption, loopback: bool) -> None:
        tls = client._wire.tls
        if tls is None:
            self.findings.add(checkups.unencrypted(loopback))
            self.findings.skip("there is none without TLS", "certificate")
            return
        peer, now = tls.getpeercert() or {}, time.time()
        self.findings.add(
            checkups.encrypted(tls.version(), tls.cipher(), encryption),
            checkups.certificate(peer, name_checked=tls.context.check_hostname, now=now),
        )

    def _not_secured(self, error: POP3ConnectionError, plain: Capabilities | None, loopback: bool) -> None:
        """Rows for a session that broke between its greeting and its login."""
        encryption, refused = self.handler.encryption, certificate_error(error)
        if encryption == "none":
            self.findings.fail("login", error)
            return
        if refused is not None:
            self._refuse(refused)
        self.findings.fail("tls", error, meaning=self.visits.elsewhere())
        self.findings.add(checkups.announced(None, plain))
        self.findings.add(
            checkups.plaintext_login(plain, encryption, loopback),
            checkups.stls(plain, encryption, loopback, works=refused is not None),
        )

    def _turned_away(self, error: POP3ConnectionError, heard: bool) -> None:
        """Rows for a connection that did not come about."""
        cause, refused = error.__cause__, certificate_error(error)
        if heard or type(cause).__module__ == "ssl":
            self.findings.add(Check("reach", "ok", f"{self._name} answered"))
        if refused is not None:
            self._refuse(refused)
        elif heard:
            meaning = "this server lets nobody in now, or it is no POP3 server"
            self.findings.fail("greeting", error, meaning=meaning)
        elif type(cause).__module__ == "ssl":
            self.findings.fail("tls", error, meaning=self.visits.elsewhere())
        elif type(cause).__name__ == "gaierror":
            self.findings.fail("reach", error, meaning="nothing can be asked of a host without address")
        else:
            meaning = self.visits.elsewhere() or "nothing answers in another way on this host either"
            self.findings.fail("reach", error, meaning=meaning)

    def _refuse(self, cause: BaseException) -> None:
        self.findings.add(checkups.certificate_refused(cause))
        self.findings.add(Check("tls", "problem", "ended by us: the certificate was refused"))

    def _why_refused(self, error: POP3Error) -> str:
        provider = next((each for each in PRESETS.values() if each.hostname == self.handler.hostname), None)
        if isinstance(error, POP3BusyError):
            return "name and password may be right: another program reads this mailbox, or it is too soon"
        if isinstance(error, POP3AuthenticationError):
            unsure = "" if error.code else "the server gives no reason code; "
            wanted = provider.credentials if provider else "many providers want an app password or a token"
            return f"{unsure}check name and password: {wanted}"
        return "nothing was sent" if isinstance(error, POP3UsageError) else ""
