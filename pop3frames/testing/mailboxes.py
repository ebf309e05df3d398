"""Which mailbox a test is served, and a server over it: what the pytest plugin and the checks share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pop3frames.export.accounts import Account
    from pop3frames.server.embedded import EmbeddedServer
    from pop3frames.server.maildrop import StoredMessage

Source = str | Path | Iterable["bytes | StoredMessage"]

ACCOUNT = "test"  # what datasets call it


def sample_mailbox() -> Path:
    """The sample mailbox: beside the package in a wheel, in `data/` in a checkout."""
    package = Path(__file__).parent.parent
    packaged = package / "sample_mailbox"
    return packaged if packaged.is_dir() else package.parent / "data" / "mailbox"


def served(source: Source | None, **options: Any) -> EmbeddedServer:
    """A server over `source`, else over the sample mailbox; `options` as EmbeddedServer takes them."""
    from pop3frames.server.embedded import EmbeddedServer

    return EmbeddedServer(sample_mailbox() if source is None else source, **options)


def account_of(server: EmbeddedServer) -> Account:
    """The account of the server's user, in plain text on loopback."""
    from pop3frames.client.credentials import Secret
    from pop3frames.export.accounts import Account

    return Account(ACCOUNT, server.host, server.port, server.username, Secret(server.password), "none")
