"""A mailbox named by environment variables: a notebook reads it, a test or a person says which.

POP3FRAMES_HOST         the server; with POP3FRAMES_USERNAME all that must be there
POP3FRAMES_PORT         default: 995 for ssl, 110 for tls and none
POP3FRAMES_USERNAME     who logs in
POP3FRAMES_PASSWORD     the password; or POP3FRAMES_SECRET, a reference to one: keyring:SERVICE/USER, ...
POP3FRAMES_ENCRYPTION   ssl (the default), tls or none
POP3FRAMES_ACCOUNT      its name in datasets; default: USERNAME@HOST
POP3FRAMES_CAFILE, POP3FRAMES_AUTH      as Account takes them
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pop3frames.errors import POP3UsageError, printable

if TYPE_CHECKING:
    from pop3frames.export.accounts import Account
    from pop3frames.server.embedded import EmbeddedServer

PREFIX = "POP3FRAMES_"
_NEEDED = ("HOST", "USERNAME")


def account_from_environment(name: str | None = None) -> Account:
    """The account that the variables describe, named `name` if given. Its password stays where it is.

    With neither POP3FRAMES_PASSWORD nor POP3FRAMES_SECRET it is asked for at the login. Raises POP3UsageError
    when a variable is missing, or says what cannot be; the login does, where nobody can be asked.
    """
    from pop3frames.export.accounts import Account

    missing = [PREFIX + each for each in _NEEDED if not _variable(each)]
    if missing:
        raise POP3UsageError(f"no mailbox is named: set {' and '.join(missing)} (docs: notebooks in CI)")
    encryption = _variable("ENCRYPTION") or "ssl"
    hostname, username = _variable("HOST"), _variable("USERNAME")
    return Account(
        name=name or _variable("ACCOUNT") or f"{username}@{hostname}",
        hostname=hostname,
        port=_port(_variable("PORT"), 995 if encryption == "ssl" else 110),
        username=username,
        secret=_reference(),
        encryption=encryption,  # type: ignore[arg-type]  # Account says what is wrong with it
        cafile=_variable("CAFILE") or None,
        auth=_variable("AUTH") or None,
    )


def server_environment(server: EmbeddedServer) -> dict[str, str]:
    """The variables that name a server that listens. They hold its password: for child processes only.

    What may be set for a mailbox of one's own (POP3FRAMES_AUTH, ...) is empty in them.
    """
    return {
        **dict.fromkeys((f"{PREFIX}SECRET", f"{PREFIX}ACCOUNT", f"{PREFIX}CAFILE", f"{PREFIX}AUTH"), ""),
        f"{PREFIX}HOST": server.host,
        f"{PREFIX}PORT": str(server.port),
        f"{PREFIX}USERNAME": server.username,
        f"{PREFIX}PASSWORD": server.password,
        f"{PREFIX}ENCRYPTION": "none",
    }


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Inside, these are variables of this process and of what it starts; then they are as they were."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _variable(name: str) -> str:
    return os.environ.get(PREFIX + name, "").strip()


def _reference() -> str:
    if f"{PREFIX}PASSWORD" in os.environ:
        return f"env:{PREFIX}PASSWORD"
    return _variable("SECRET") or "prompt"


def _port(text: str, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError as exc:
        raise POP3UsageError(f"{PREFIX}PORT must be a number, not {printable(text)}") from exc
