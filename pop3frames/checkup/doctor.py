"""A check-up of a POP3 server: can it be reached, is it safe, and would an export work? It deletes nothing.

This is the way in. Its course is in `arrival.py` and `stay.py`, its sessions in `visits.py`; what a server
says of itself is judged in `checkups.py`, what it does in `soundings.py`; `findings.py` collects the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pop3frames.checkup.findings import Check
from pop3frames.checkup.stay import Stay
from pop3frames.checkup.visits import Visits
from pop3frames.client.connection import Encryption, Password
from pop3frames.client.credentials import OAuth2, Secret, SecretReference, as_secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.wire import TLSContext
from pop3frames.errors import POP3UsageError

if TYPE_CHECKING:
    import pandas

PATIENCE = 120.0  # seconds; a connect or a handshake under way may add its own timeout


class HasHandler(Protocol):
    """Such as an Account."""

    def handler(self) -> POP3ProtocolHandler:
        """A handler that is not connected yet."""


def doctor(
    server: str | POP3ProtocolHandler | HasHandler,
    port: int | None = None,
    username: str | None = None,
    password: Password | None = None,
    encryption: Encryption | None = None,
    timeout: float | None = None,
    *,
    auth: str | None = None,
    cafile: str | None = None,
    context: TLSContext | None = None,
    retrieve: bool | None = None,
    samples: int = 5,
    patience: float = PATIENCE,
) -> pandas.DataFrame:
    """Look a server over, and say what an export would meet: a row a check, always the same checks.

    server      a host name; or a handler without open session, or an Account, which then say all the rest
    port ... context   as POP3ProtocolHandler takes them; without username and password it ends before the
                login
    retrieve    fetch the samples, not only their headers; None: unless that leaves a trace on the server
    samples     how many small messages are looked at
    patience    seconds that all of it may take

    Columns: check, verdict ('ok', 'note', 'warning', 'problem' or 'skipped'), finding (what was seen),
    meaning (for an export, and what to do). Whatever the server does wrong becomes a row; only a call that
    makes no sense raises, a POP3UsageError.
    """
    import pandas

    try:
        secret = None if password is None else as_secret(password)
    finally:
        del password  # no frame that raises holds it as it was given
    if isinstance(server, str):
        handler = handler_for(
            server, port, username, secret, encryption, timeout, auth=auth, cafile=cafile, context=context
        )
    elif any(
        each is not None for each in (port, username, secret, encryption, timeout, auth, cafile, context)
    ):
        raise POP3UsageError("a handler or an account already says where and how to log in")
    else:
        handler = server if isinstance(server, POP3ProtocolHandler) else server.handler()
    log_in = username is not None or not isinstance(server, str)
    rows = check_up(handler, log_in=log_in, retrieve=retrieve, samples=samples, patience=patience)
    columns = ["check", "verdict", "finding", "meaning"]
    return pandas.DataFrame([[getattr(row, name) for name in columns] for row in rows], columns=columns)


def handler_for(
    hostname: str,
    port: int | None = None,
    username: str | None = None,
    secret: Secret | SecretReference | OAuth2 | None = None,
    encryption: Encryption | None = None,
    timeout: float | None = None,
    *,
    auth: str | None = None,
    cafile: str | None = None,
    context: TLSContext | None = None,
) -> POP3ProtocolHandler:
    """The handler for a check-up; without a user name one that cannot log in."""
    if (username is None) != (secret is None):
        raise POP3UsageError("give both username and password, or neither to end before the login")
    encryption = encryption or "ssl"
    return POP3ProtocolHandler(
        hostname,
        port or (995 if encryption == "ssl" else 110),
        username or "nobody",
        secret or Secret("never sent"),
        encryption,
        timeout or 30,
        auth=auth,
        cafile=cafile,
        context=context,
    )


def check_up(
    handler: POP3ProtocolHandler,
    *,
    log_in: bool = True,
    retrieve: bool | None = None,
    samples: int = 5,
    patience: float = PATIENCE,
) -> list[Check]:
    """The rows of `doctor`, for who prints them. The handler stays as it is: the sessions are others."""
    if handler._session is not None:
        raise POP3UsageError("this handler has an open session: disconnect first, or its lock is in the way")
    if not patience > 0 or samples < 0:
        raise POP3UsageError("patience must be more than 0 seconds, and samples 0 or more")
    if handler.encryption != "none":
        handler._tls_context()  # a CA file that cannot be read is for the caller to mend
    credential = handler._credential() if log_in else None  # before the clock runs: somebody may have to type
    with Visits(handler, patience, credential) as visits:
        return Stay(handler, visits, retrieve, samples).run(log_in)
