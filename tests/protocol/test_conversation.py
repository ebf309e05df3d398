"""Client and server driven against each other in memory, and the client against servers that misbehave."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ProtocolError,
    POP3UsageError,
)
from pop3frames.protocol import grammar, sasl
from pop3frames.protocol.commands import Argument, Command, Malformed
from pop3frames.protocol.conversation import ClientConversation, Reply, ServerConversation
from pop3frames.protocol.grammar import DEFAULT_LIMITS, VERBS, Limits, State, Verb

Cut = Callable[[bytes, list[int]], list[bytes]]
Call = tuple[Verb, tuple[Argument, ...]]

BODY = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\n.\n+OK FAKE\r\n"


def _greeted(limits: Limits = DEFAULT_LIMITS, state: State = State.TRANSACTION) -> ClientConversation:
    """A client that was greeted, and by default stands where commands about mail make sense."""
    client = ClientConversation(limits)
    client.receive(b"+OK ready\r\n")
    assert client.next_reply() is not None
    client.state = state
    return client


def _replies(client: ClientConversation, pieces: Iterable[bytes]) -> list[Reply | str]:
    """Every reply as early as it is whole; "broken" at the end if the client gave the server up."""
    told: list[Reply | str] = []
    try:
        for piece in pieces:
            client.receive(piece)
            while (reply := client.next_reply()) is not None:
                told.append(reply)
    except POP3ProtocolError:
        told.append("broken")
    return told


def _only(client: ClientConversation, data: bytes) -> Reply:
    """The one reply in these bytes."""
    client.receive(data)
    reply = client.next_reply()
    assert reply is not None
    return reply


ANSWERS: dict[Verb, Callable[[ServerConversation], bytes]] = {
    grammar.CAPA: lambda server: server.block("list follows", b"TOP\r\nUIDL\r\n"),
    grammar.STAT: lambda server: server.ok("2 320"),
    grammar.LIST: lambda server: server.block("2 messages", b"1 120\r\n2 200\r\n"),
    grammar.UIDL: lambda server: server.block("", b""),
    grammar.RETR: lambda server: server.block(f"{len(BODY)} octets", BODY),
    grammar.TOP: lambda server: server.block("", b".\r\n"),
    grammar.NOOP: lambda server: server.ok(),
    grammar.DELE: lambda server: server.err("no such message"),
    grammar.QUIT: lambda server: server.ok("bye"),
}


class Pair:
    """A client and a server in memory. The server answers by the table, or does not know."""

    def __init__(self) -> None:
        self.client, self.server = _greeted(), ServerConversation()
        self.server.state = State.TRANSACTION
        self.heard: list[Command | Malformed] = []

    def answers(
        self, calls: Iterable[Call], cut: Callable[[bytes], list[bytes]] = lambda data: [data]
    ) -> bytes:
        """All calls sent at once, what the server heard of them noted, and its answers as bytes."""
        sent = b"".join(self.client.send(verb, *arguments) for verb, arguments in calls)
        answers = b""
        for piece in cut(sent):
            self.server.receive(piece)
            while (command := self.server.next_command()) is not None:
                self.heard.append(command)
                assert isinstance(command, Command)
                answers += ANSWERS[command.verb](self.server)
        return answers


SESSION: list[Call] = [
    (grammar.CAPA, ()),
    (grammar.STAT, ()),
    (grammar.LIST, ()),
    (grammar.UIDL, ()),
    (grammar.RETR, (1,)),
    (grammar.DELE, (1,)),
    (grammar.TOP, (2, 0)),
    (grammar.NOOP, ()),
    (grammar.QUIT, ()),
]


@settings(deadline=None)
@given(data=st.data())
def test_a_pipelined_session_gives_the_same_replies_for_any_cut(
    data: st.DataObject, places: st.SearchStrategy[list[int]], cut: Cut
) -> None:
    """Cut the commands and the answers anywhere: the server hears and the client reads the same."""
    pair = Pair()
    answers = pair.answers(SESSION, lambda sent: cut(sent, data.draw(places)))
    told = _replies(pair.client, cut(answers, data.draw(places)))

    assert pair.heard == [Command(verb, arguments) for verb, arguments in SESSION]
    assert told == [
        Reply(grammar.CAPA, (), True, b"+OK list follows", b"TOP\r\nUIDL\r\n"),
        Reply(grammar.STAT, (), True, b"+OK 2 320"),
        Reply(grammar.LIST, (), True, b"+OK 2 messages", b"1 120\r\n2 200\r\n"),
        Reply(grammar.UIDL, (), True, b"+OK", b""),
        Reply(grammar.RETR, (1,), True, f"+OK {len(BODY)} octets".encode(), BODY),
        Reply(grammar.DELE, (1,), False, b"-ERR no such message"),
        Reply(grammar.TOP, (2, 0), True, b"+OK", b".\r\n"),
        Reply(grammar.NOOP, (), True, b"+OK"),
        Reply(grammar.QUIT, (), True, b"+OK bye"),
    ]
    assert (0, True, State.UPDATE) == (pair.client.outstanding, pair.client.ended, pair.client.state)


SMALL = Limits(status_line=24, message=40, listing=30, capability_lines=1)


@settings(deadline=None)
@given(data=st.data())
def test_whatever_a_server_sends_is_replies_or_a_typed_error_and_the_same_for_any_cut(
    data: st.DataObject,
    wirelike: st.SearchStrategy[bytes],
    places: st.SearchStrategy[list[int]],
    cut: Cut,
) -> None:
    """No other exception, no reply that depends on the network, limits included."""

    def told(pieces: list[bytes]) -> list[Reply | str]:
        client = _greeted(SMALL)
        for verb, arguments in [
            (grammar.STAT, ()),
            (grammar.RETR, (1,)),
            (grammar.LIST, ()),
            (grammar.NOOP, ()),
        ]:
            client.send(verb, *arguments)
        return _replies(client, pieces)

    wire = data.draw(wirelike)

    assert told([wire]) == told(cut(wire, data.draw(places)))


@pytest.mark.parametrize("verb", VERBS.values(), ids=str)
def test_the_server_hears_every_command_of_the_client(verb: Verb) -> None:
    """Both sides read one grammar."""
    kinds = {
        grammar.Kind.NUMBER: 7,
        grammar.Kind.COUNT: 0,
        grammar.Kind.WORD: b"AbC=",
        grammar.Kind.TEXT: b" a b ",
    }
    arguments = tuple(kinds[kind] for kind in verb.arguments)
    client, server = _greeted(state=verb.states[0]), ServerConversation()
    server.state = verb.states[0]
    server.receive(client.send(verb, *arguments))

    assert Command(verb, arguments) == server.next_command()
    assert server.next_command() is None


# Replies that are none


@pytest.mark.parametrize(
    "status",
    [
        b"+ERR no",
        b"",
        b"...",
        b".",
        b"+OKAY",
        b"-ERROR",
        b"+ok",
        b"-err",
        b"OK",
        b" +OK",
        b"+OK\tx",
        b"+ ",
        b"+",
        b"\0",
    ],
)
@pytest.mark.parametrize("verb", [grammar.NOOP, grammar.RETR], ids=str)
def test_a_line_that_is_neither_ok_nor_err_breaks_the_session(status: bytes, verb: Verb) -> None:
    """Nothing behind it is believed, nothing more is sent."""
    client = _greeted()
    client.send(verb, *[1] * verb.required)
    client.send(grammar.NOOP)
    client.receive(status + b"\r\n+OK\r\n.\r\n+OK\r\n")

    with pytest.raises(POP3ProtocolError, match=f"the reply to {verb} starts with neither"):
        client.next_reply()
    with pytest.raises(POP3ProtocolError, match="out of step"):
        client.next_reply()
    with pytest.raises(POP3UsageError, match="ended"):
        client.send(grammar.NOOP)


def test_the_greeting_is_read_as_strictly_as_any_reply() -> None:
    """A web server behind the port is not POP3."""
    client = ClientConversation()
    client.receive(b"HTTP/1.1 400 Bad Request\r\n\x1b[2J")
    with pytest.raises(POP3ProtocolError, match="neither") as caught:
        client.next_reply()
    assert str(caught.value).isprintable()


def test_text_of_a_false_status_line_is_shown_escaped_and_cut() -> None:
    """It may be mail, or an escape sequence."""
    client = _greeted()
    client.send(grammar.NOOP)
    client.receive(b"\x1b[2J" + b"x" * 300 + b"\r\n")
    with pytest.raises(POP3ProtocolError) as caught:
        client.next_reply()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("data", [b"+OK\n", b"+OK 1 octets\nbody\n.\n"])
def test_a_server_that_ends_lines_with_a_bare_lf_is_told_so(data: bytes) -> None:
    """An error that names the reason, not a session that hangs."""
    client = _greeted()
    client.send(grammar.RETR, 1)
    client.receive(data)
    with pytest.raises(POP3ProtocolError, match="bare LF"):
        client.next_reply()


def test_two_replies_to_one_command_are_an_error_before_the_next_command_is_sent() -> None:
    """The second one would answer it, and every answer after it would be the one before."""
    client = _greeted()
    client.send(grammar.NOOP)
    client.receive(b"+OK\r\n+OK marked\r\n")
    assert client.next_reply() is not None
    with pytest.raises(POP3ProtocolError, match="no command"):
        client.send(grammar.DELE, 1)
    assert (True, 0) == (client.ended, client.outstanding)


@pytest.mark.parametrize("data", [b"+OK\r\n", b"\n", b"x"])
def test_bytes_that_nobody_asked_for_are_an_error_when_they_are_read(data: bytes) -> None:
    """One octet is enough."""
    client = _greeted()
    client.receive(data)
    with pytest.raises(POP3ProtocolError, match="no command"):
        client.next_reply()


# Bodies that lie


def test_a_mail_forges_no_reply() -> None:
    """The body is whole, and the DELE that was refused stays refused."""
    client = _greeted()
    client.send(grammar.RETR, 1)
    client.send(grammar.DELE, 1)
    told = _replies(client, [b"+OK\r\nx\n.\n+OK FAKE\r\n.\r\n-ERR not yours\r\n"])

    assert told == [
        Reply(grammar.RETR, (1,), True, b"+OK", b"x\n.\n+OK FAKE\r\n"),
        Reply(grammar.DELE, (1,), False, b"-ERR not yours"),
    ]


@pytest.mark.parametrize("size", [1, 7, 10**9])
def test_a_first_dot_that_a_server_forgot_to_stuff_never_gives_a_body_to_the_wrong_message(size: int) -> None:
    """Dovecot and Courier send the mail `.`, `..`, ``, `.` like this: the next "status line" is `...`."""
    client = _greeted()
    client.send(grammar.RETR, 1)
    client.send(grammar.RETR, 2)
    wire = b"+OK 12 octets\r\n.\r\n...\r\n\r\n..\r\n.\r\n+OK 9 octets\r\nsecond\r\n.\r\n"
    told = _replies(client, [wire[at : at + size] for at in range(0, len(wire), size)])

    assert told == [Reply(grammar.RETR, (1,), True, b"+OK 12 octets", b""), "broken"]


@pytest.mark.parametrize(
    "verb", [grammar.CAPA, grammar.LIST, grammar.UIDL, grammar.RETR, grammar.TOP], ids=str
)
def test_a_refusal_is_one_line_always(verb: Verb) -> None:
    """Also of a command whose +OK has many."""
    client = _greeted()
    client.send(verb, *[1] * verb.required)
    client.send(grammar.NOOP)
    first, second = _replies(client, [b"-ERR no\r\n+OK\r\n"])

    assert Reply(verb, (1,) * verb.required, False, b"-ERR no") == first
    assert Reply(grammar.NOOP, (), True, b"+OK") == second


@pytest.mark.parametrize("verb", [grammar.LIST, grammar.UIDL], ids=str)
def test_a_listing_of_one_message_is_one_line(verb: Verb) -> None:
    """RFC 1939 sections 5 and 7."""
    client = _greeted()
    client.send(verb, 1)

    assert Reply(verb, (1,), True, b"+OK 1 120") == _only(client, b"+OK 1 120\r\n")


# Limits


def test_a_status_line_of_4096_octets_is_read_and_a_longer_one_is_an_error() -> None:
    """An endless greeting ends there, with or without a line end."""
    client = ClientConversation()
    assert _only(client, b"+OK " + b"x" * 4090 + b"\r\n").ok
    for tail in (b"\r\n", b""):
        client = ClientConversation()
        client.receive(b"+OK " + b"x" * 4092 + tail)
        with pytest.raises(POP3ProtocolError, match="4096"):
            client.next_reply()


@pytest.mark.parametrize(
    ("verb", "limits", "room"),
    [
        (grammar.RETR, Limits(message=1000), 1000),
        (grammar.TOP, Limits(message=1000), 1000),
        (grammar.LIST, Limits(listing=1000), 1000),
        (grammar.UIDL, Limits(listing=1000), 1000),
        (grammar.CAPA, Limits(capability_lines=2), 1024),
    ],
    ids=lambda value: str(value) if isinstance(value, Verb) else "",
)
def test_a_reply_may_be_as_long_as_its_limit_and_not_an_octet_longer(
    verb: Verb, limits: Limits, room: int
) -> None:
    """Each kind of reply has its own."""
    for excess in (0, 1):
        client = _greeted(limits)
        client.send(verb, *[1] * verb.required)
        content = b"x" * (room - 2 + excess) + b"\r\n"
        expected = ["broken"] if excess else [Reply(verb, (1,) * verb.required, True, b"+OK", content)]
        assert expected == _replies(client, [b"+OK\r\n" + content + b".\r\n"])


@pytest.mark.parametrize(
    ("verb", "limits"),
    [
        (grammar.LIST, Limits(listing_entries=3)),
        (grammar.UIDL, Limits(listing_entries=3)),
        (grammar.CAPA, Limits(capability_lines=3)),
    ],
    ids=lambda value: str(value) if isinstance(value, Verb) else "",
)
def test_a_listing_may_have_as_many_lines_as_its_limit_and_not_one_more(verb: Verb, limits: Limits) -> None:
    """Short lines by the million would cost far more memory than their octets."""
    for excess in (0, 1):
        client = _greeted(limits)
        client.send(verb)
        content = b"1 2\r\n" * (3 + excess)
        expected = ["broken"] if excess else [Reply(verb, (), True, b"+OK", content)]
        assert expected == _replies(client, [b"+OK\r\n" + content + b".\r\n"])


# What may be sent when


@pytest.mark.parametrize("barrier", [grammar.STLS, grammar.AUTH, grammar.QUIT], ids=str)
def test_nothing_is_sent_behind_a_barrier_before_its_reply(barrier: Verb) -> None:
    """The refusal changes nothing: the barrier's reply is still awaited."""
    client = _greeted(state=State.AUTHORIZATION)
    client.send(barrier, *["PLAIN"] * barrier.required)
    with pytest.raises(POP3UsageError, match=f"behind {barrier} yet"):
        client.send(grammar.CAPA)

    assert (1, barrier) == (client.outstanding, client.next_verb)


def test_nothing_is_sent_before_the_greeting() -> None:
    """It is a reply like the others, and the first (RFC 1939 section 4)."""
    client = ClientConversation()
    with pytest.raises(POP3UsageError, match="greeting"):
        client.send(grammar.CAPA)
    assert _only(client, b"+OK\r\n").verb is grammar.GREETING
    assert b"CAPA\r\n" == client.send(grammar.CAPA)


def test_tls_is_not_started_while_replies_are_awaited() -> None:
    """They would come in plain text, or not at all (RFC 2595 section 4)."""
    client = _greeted(state=State.AUTHORIZATION)
    client.send(grammar.CAPA)
    with pytest.raises(POP3UsageError, match="STLS"):
        client.send(grammar.STLS)
    assert 1 == client.outstanding


@pytest.mark.parametrize("verb", [grammar.STLS, grammar.USER, grammar.PASS, grammar.AUTH], ids=str)
def test_after_a_login_nobody_logs_in_again(verb: Verb) -> None:
    """Such a call is the caller's mistake and costs no round trip."""
    client = _greeted()
    with pytest.raises(POP3UsageError, match="already logged in"):
        client.send(verb, *["x"] * verb.required)
    assert (0, False) == (client.outstanding, client.ended)


def test_a_command_about_mail_before_the_login_is_left_to_the_server() -> None:
    """USER, PASS and LIST may be pipelined."""
    client = _greeted(state=State.AUTHORIZATION)
    calls: list[Call] = [(grammar.USER, ("ann",)), (grammar.PASS, ("x",)), (grammar.LIST, ())]
    sent = b"".join(client.send(verb, *arguments) for verb, arguments in calls)

    assert b"USER ann\r\nPASS x\r\nLIST\r\n" == sent
    assert [True, True, True] == [
        isinstance(each, Reply) and each.ok for each in _replies(client, [b"+OK\r\n+OK\r\n+OK\r\n.\r\n"])
    ]
    assert State.TRANSACTION is client.state


def test_a_malformed_call_changes_nothing() -> None:
    """No reply is awaited for what was not sent."""
    client = _greeted()
    with pytest.raises(POP3UsageError):
        client.send(grammar.RETR, 0)
    assert (0, False) == (client.outstanding, client.ended)


@pytest.mark.parametrize("answer", [b"+OK bye\r\n", b"-ERR some messages were not removed\r\n"])
def test_a_session_ends_with_the_answer_to_quit(answer: bytes) -> None:
    """Whatever it says."""
    client = _greeted()
    client.send(grammar.QUIT)
    _only(client, answer)
    assert (True, State.UPDATE) == (client.ended, client.state)
    with pytest.raises(POP3UsageError, match="ended"):
        client.send(grammar.NOOP)


def test_a_session_that_was_ended_by_its_owner_believes_nothing_more() -> None:
    """As after a lost connection."""
    client = _greeted()
    client.send(grammar.NOOP)
    client.end()
    client.receive(b"+OK\r\n")
    with pytest.raises(POP3ProtocolError):
        client.next_reply()


# STLS

INJECTED = b"+OK logged in\r\n+OK 0 0\r\n"


@pytest.mark.parametrize("length", range(1, len(INJECTED) + 1))
def test_plain_text_behind_the_answer_to_stls_is_an_error_before_the_handshake(length: int) -> None:
    """A man in the middle may not answer what is asked under TLS; one octet is enough (CVE-2021-22947)."""
    wire = b"+OK begin TLS\r\n" + INJECTED[:length]
    for split in range(len(wire)):
        client = _greeted(state=State.AUTHORIZATION)
        client.send(grammar.STLS)
        client.receive(wire[:split])
        reply = client.next_reply()
        client.receive(wire[split:])
        reply = reply or client.next_reply()
        assert reply is not None
        with pytest.raises(POP3ProtocolError, match="behind \\+OK to STLS"):
            client.ready_for_tls()
        assert client.ended


def test_tls_may_begin_when_its_answer_is_all_that_came() -> None:
    """And what comes under TLS is read afresh."""
    client = _greeted(state=State.AUTHORIZATION)
    client.send(grammar.STLS)
    assert _only(client, b"+OK\r\n").ok
    client.ready_for_tls()
    client.tls_started()
    client.send(grammar.CAPA)

    assert b"USER\r\n" == _only(client, b"+OK\r\nUSER\r\n.\r\n").block


def test_a_server_drops_what_came_in_plain_text_behind_stls() -> None:
    """It is never run, whole or in part."""
    server = ServerConversation()
    server.receive(b"STLS\r\nUSER eve\r\nPASS")
    assert Command(grammar.STLS, ()) == server.next_command()
    server.tls_started()
    server.receive(b"CAPA\r\n")

    assert [Command(grammar.CAPA, ()), None] == [server.next_command(), server.next_command()]


# Refusals

REFUSALS = [
    (grammar.PASS, b"-ERR [IN-USE] locked", POP3BusyError, "IN-USE"),
    (grammar.AUTH, b"-ERR [in-use] locked", POP3BusyError, "IN-USE"),
    (grammar.PASS, b"-ERR [IN-USE/POP] locked", POP3BusyError, "IN-USE/POP"),
    (grammar.PASS, b"-ERR [LOGIN-DELAY] too soon", POP3BusyError, "LOGIN-DELAY"),
    (grammar.PASS, b"-ERR [SYS/TEMP] disk", POP3BusyError, "SYS/TEMP"),
    (grammar.RETR, b"-ERR [SYS/TEMP] disk", POP3BusyError, "SYS/TEMP"),
    (grammar.RETR, b"-ERR [SYS/TEMP/DISK] disk", POP3BusyError, "SYS/TEMP/DISK"),
    (grammar.PASS, b"-ERR [SYS/PERM] ask somebody", POP3CommandError, "SYS/PERM"),
    (grammar.AUTH, b"-ERR [SYS/PERM/X] ask somebody", POP3CommandError, "SYS/PERM/X"),
    (grammar.RETR, b"-ERR [SYS/PERM] ask somebody", POP3CommandError, "SYS/PERM"),
    (grammar.PASS, b"-ERR [AUTH] wrong", POP3AuthenticationError, "AUTH"),
    (grammar.AUTH, b"-ERR [AUTH/EXPIRED] wrong", POP3AuthenticationError, "AUTH/EXPIRED"),
    (grammar.RETR, b"-ERR [AUTH] token expired", POP3AuthenticationError, "AUTH"),
    (grammar.RETR, b"-ERR [UTF8] needs UTF8", POP3CommandError, "UTF8"),
    (grammar.USER, b"-ERR never heard of", POP3AuthenticationError, None),
    (grammar.PASS, b"-ERR", POP3AuthenticationError, None),
    (grammar.PASS, b"-ERR [SYS/TEMPORARY] is another code", POP3AuthenticationError, "SYS/TEMPORARY"),
    (grammar.DELE, b"-ERR [UNKNOWN/CODE] no", POP3CommandError, "UNKNOWN/CODE"),
    (grammar.DELE, b"-ERR no [IN-USE] here", POP3CommandError, None),
    (grammar.DELE, b"-ERR [] [x", POP3CommandError, None),
]


@pytest.mark.parametrize(("verb", "status", "kind", "code"), REFUSALS, ids=lambda value: str(value)[:30])
def test_a_refusal_becomes_the_error_that_its_code_means(
    verb: Verb, status: bytes, kind: type[POP3CommandError], code: str | None
) -> None:
    """RFC 2449 section 8 and RFC 3206; unknown detail behind a slash is ignored."""
    error = Reply(verb, (), False, status).error()

    assert (kind, str(verb), code) == (type(error), error.verb, error.code)


def test_a_response_code_may_stand_in_a_good_reply_too() -> None:
    """RFC 2449 section 8; what stands at the end of a line is none."""
    assert "LOGIN-DELAY" == Reply(grammar.PASS, (), True, b"+OK [LOGIN-DELAY] come back later").code
    assert None is Reply(grammar.GREETING, (), True, b"+OK ready [QUJD]").code


@pytest.mark.parametrize(
    ("status", "text"),
    [(b"+OK", ""), (b"-ERR no  mail", "no  mail"), (b"+OK Gr\xc3\xbc\xc3\x9fe \xff", "Grüße \\xff")],
)
def test_the_text_of_a_reply_is_what_stands_behind_the_indicator(status: bytes, text: str) -> None:
    """Octets that are no UTF-8 are escaped."""
    assert text == Reply(grammar.NOOP, (), True, status).text


def test_a_refusal_leaves_the_session_usable() -> None:
    """In step, in the state it had."""
    client = _greeted(state=State.AUTHORIZATION)
    client.send(grammar.PASS, "x")
    assert not _only(client, b"-ERR [AUTH] wrong\r\n").ok
    assert (State.AUTHORIZATION, False) == (client.state, client.ended)
    client.send(grammar.CAPA)
    assert _only(client, b"+OK\r\n.\r\n").ok


# SASL


def _in_exchange(
    challenge: bytes = b"+ \r\n", limits: Limits = DEFAULT_LIMITS
) -> tuple[ClientConversation, Reply]:
    client = _greeted(limits, state=State.AUTHORIZATION)
    client.send(grammar.AUTH, "PLAIN")
    return client, _only(client, challenge)


@pytest.mark.parametrize(
    ("line", "said"), [(b"+ \r\n", b""), (b"+\r\n", b""), (b"+ Z28gb24=\r\n", b"Z28gb24=")]
)
def test_a_challenge_keeps_the_command_open(line: bytes, said: bytes) -> None:
    """Plus, one blank, base64 (RFC 5034 section 4); the blank is forgotten by some."""
    client, reply = _in_exchange(line)

    assert Reply(grammar.AUTH, (), True, line[:-2], challenge=said) == reply
    assert (1, State.AUTHORIZATION) == (client.outstanding, client.state)


def test_an_exchange_in_two_steps_logs_in() -> None:
    """Command, challenge, response, +OK; the server reads what was said."""
    client, server = _greeted(state=State.AUTHORIZATION), ServerConversation()
    server.receive(client.send(grammar.AUTH, "PLAIN"))
    assert Command(grammar.AUTH, (b"PLAIN",)) == server.next_command()
    assert b"" == _only(client, server.challenge()).challenge
    server.receive(client.respond(base64.b64encode(next(sasl.plain("ann", lambda: "sécret")))))
    assert ("ann", "sécret") == sasl.parse_plain(sasl.decoded(server.next_line() or b"") or b"")
    assert _only(client, server.ok("logged in")).ok

    assert (0, State.TRANSACTION) == (client.outstanding, client.state)


def test_an_exchange_can_be_cancelled_and_the_session_goes_on() -> None:
    """A line that is only an asterisk; the server says -ERR (RFC 5034 section 4)."""
    client, _ = _in_exchange()
    assert b"*\r\n" == client.respond(grammar.CANCEL)
    assert not _only(client, b"-ERR cancelled\r\n").ok
    assert b"USER ann\r\n" == client.send(grammar.USER, "ann")


def test_challenges_may_follow_each_other() -> None:
    """XOAUTH2 says why it refuses in a second one, and waits for an answer."""
    client, _ = _in_exchange()
    client.respond(b"dG9rZW4=")
    assert b"eyJzIjoiNDAxIn0=" == _only(client, b"+ eyJzIjoiNDAxIn0=\r\n").challenge
    assert b"\r\n" == client.respond(b"")
    assert isinstance(_only(client, b"-ERR [AUTH] no\r\n").error(), POP3AuthenticationError)


@pytest.mark.parametrize("line", [b"+ERR no", b"+x", b"++", b"+OKAY", b"+\t"])
def test_only_plus_and_blank_is_a_challenge(line: bytes) -> None:
    """Inside AUTH a false status line is as false as anywhere."""
    with pytest.raises(POP3ProtocolError, match="AUTH starts with neither"):
        _in_exchange(line + b"\r\n")


def test_a_challenge_has_a_limit_of_its_own() -> None:
    """16 KiB by default: longer than a status line may be, and not endless."""
    _, reply = _in_exchange(b"+ " + b"A" * 12_000 + b"\r\n")
    assert 12_000 == len(reply.challenge or b"")
    for excess in (0, 1):
        line = b"+ " + b"A" * (96 + excess) + b"\r\n"
        if excess:
            with pytest.raises(POP3ProtocolError, match="100"):
                _in_exchange(line, Limits(challenge=100))
        else:
            assert _in_exchange(line, Limits(challenge=100))[1].ok


@pytest.mark.parametrize(
    "response", [b"AA==\r\nDELE 1", b"AA==\n", b"\0", b"A A", b"**", b"=A", b"caf\xc3\xa9", b"A==="]
)
def test_a_response_that_is_no_base64_is_refused(response: bytes) -> None:
    """A line end in it would begin a command: the gate stands here too."""
    client, _ = _in_exchange()
    with pytest.raises(POP3UsageError, match="base64"):
        client.respond(response)
    assert b"AA==\r\n" == client.respond(b"AA==")


CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    "client", [_greeted(state=State.AUTHORIZATION), _in_exchange()[0]], ids=["closed", "open"]
)
def test_a_refused_response_is_in_no_message_and_no_local_of_the_traceback(
    client: ClientConversation,
) -> None:
    """It holds a password, in base64 or as it is."""
    with pytest.raises(POP3UsageError) as caught:
        client.respond(f"\n{CANARY}".encode())

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    shown = [str(caught.value), *(repr(value) for frame in frames for value in frame.f_locals.values())]
    assert len(shown) > 2
    assert [] == [each for each in shown if CANARY in each]


@pytest.mark.parametrize(
    ("verb", "secret"), [(grammar.PASS, (CANARY,)), (grammar.AUTH, ("PLAIN", CANARY))], ids=str
)
def test_a_reply_to_a_login_does_not_carry_what_was_sent(verb: Verb, secret: tuple[str, ...]) -> None:
    """Replies are kept, shown and logged."""
    client = _greeted(state=State.AUTHORIZATION)
    client.send(verb, *secret)
    assert CANARY not in repr(client._pending)
    assert CANARY not in repr(_only(client, b"-ERR no\r\n"))


# The server's side


def test_a_server_takes_commands_in_order_and_waits_for_the_rest() -> None:
    """Pipelined input is one command after the other."""
    server = ServerConversation()
    server.receive(b"CAPA\r\nUSER ann\r\nNOSUCH\r\nQU")
    taken = [server.next_command() for _ in range(4)]
    server.receive(b"IT\r\n")

    assert taken == [
        Command(grammar.CAPA, ()),
        Command(grammar.USER, (b"ann",)),
        Malformed("unknown command"),
        None,
    ]
    assert Command(grammar.QUIT, ()) == server.next_command()


def test_a_server_gives_up_on_a_line_without_end() -> None:
    """4096 octets, then the connection is to be closed; before that, a long line is only malformed."""
    server = ServerConversation()
    server.receive(b"x" * 4094 + b"\r\n" + b"x" * 4095)
    assert Malformed("command too long") == server.next_command()
    assert server.next_command() is None
    server.receive(b"x")
    with pytest.raises(POP3ProtocolError):
        server.next_command()


def test_a_server_speaks_in_lines_and_blocks() -> None:
    """Status lines with and without text and code, blocks stuffed and ended."""
    server = ServerConversation()

    assert b"+OK\r\n" == server.ok()
    assert b"+OK Gr\xc3\xbc\xc3\x9fe\r\n" == server.ok("Grüße")
    assert b"-ERR no\r\n" == server.err("no")
    assert b"-ERR [IN-USE] locked\r\n" == server.err("locked", "IN-USE")
    assert b"+OK 1 message\r\n..\r\n.\r\n" == server.block("1 message", b".\r\n")
    assert b"+ \r\n" == server.challenge()
