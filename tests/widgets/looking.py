"""A mailbox to try the models on: an embedded server behind a relay that notes every command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from export.mailboxes import account_at, mails
from lab.relay import Relay

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.widgets.mailbox import Mailbox

SECONDS = 20  # for a job to end: more is a hang


@dataclass
class Place:
    """A server, what was said to it, and the mailbox that a person looks at."""

    server: EmbeddedServer
    relay: Relay
    mailbox: Mailbox

    @property
    def verbs(self) -> list[str]:
        """What was said in all sessions so far, without arguments; logins and CAPA left out."""
        lines = b"".join(map(bytes, self.relay.from_clients)).decode().split("\r\n")
        verbs = [line.split(" ")[0] for line in lines if line]
        return [verb for verb in verbs if verb not in ("CAPA", "USER", "PASS", "AUTH")]

    @property
    def is_free(self) -> bool:
        """Whether another program could open the mailbox now."""
        session = self.server.maildrop.open()
        if session is None:
            return False
        session.close()
        return True


@contextlib.contextmanager
def place(count: int = 3, **options: Any) -> Iterator[Place]:
    """So many mails, uid-00001 and on; options of the embedded server."""
    source, password = options.pop("source", None), options.pop("password", "secret")
    with (
        EmbeddedServer(mails(count) if source is None else source, password=password, **options) as server,
        Relay(server.port) as relay,
    ):
        yield Place(server, relay, Mailbox(account_at(relay.port, password)))


def listed(where: Place) -> Mailbox:
    """The mailbox, when its messages were listed."""
    where.mailbox.list_messages().wait(SECONDS)
    return where.mailbox
