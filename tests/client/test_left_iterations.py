"""An iteration that is left, or waits: what it still has under way is dropped or kept within bounds."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest

from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3ConnectionError
from pop3frames.protocol.grammar import Limits
from pop3frames.server.embedded import EmbeddedServer

MAILS = [b"Subject: %d\r\n\r\n" % number + b"x" * 1_000_000 + b"\r\n" for number in range(12)]


def logged_in(server: EmbeddedServer, **options: object) -> POP3:
    """A client that does not know the mails' sizes: all of them are asked for at once."""
    client = POP3(server.host, server.port, timeout=20, pipelining=True, **options)  # type: ignore[arg-type]
    client.user(server.username)
    client.pass_(server.password)
    return client


def test_replies_that_nobody_wants_are_not_kept() -> None:
    """Twelve mails of a megabyte are under way; one at a time is in memory."""
    with EmbeddedServer(MAILS) as server:
        client = logged_in(server)
        replies = client.retr_many(range(1, 13))
        next(replies)
        replies.close()
        tracemalloc.start()
        client.noop()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 12 == client.stat()[0]
        client.quit()

    assert peak < 6 << 20


@pytest.mark.parametrize("left", [True, False])
def test_more_than_a_window_and_a_message_is_not_waited_for(left: bool) -> None:
    """A server may send 64 MiB for each of a thousand commands: beyond the bound we hang up."""
    with EmbeddedServer(MAILS) as server:
        client = logged_in(server, limits=Limits(message=2_000_000, window_bytes=1_000_000))
        replies = client.retr_many(range(1, 13), dict.fromkeys(range(1, 13), 10))
        next(replies)
        if left:
            replies.close()
        with pytest.raises(POP3ConnectionError, match="under way"):
            client.noop()
        assert client.ended
        with contextlib.suppress(POP3ConnectionError):
            list(replies)
