"""A check-up on servers that do one thing differently: each thing is found, and only the rest goes on."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
from checkup.odd_servers import CAPABILITIES, MAILS, block, capa, looked_over, odd
from client.canaries import CANARY, everything
from lab.scripted import CLOSE

from pop3frames.checkup.doctor import check_up, doctor
from pop3frames.checkup.findings import CHECKS, SEVERITY
from pop3frames.client.credentials import OAuth2, Secret
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.errors import POP3UsageError
from pop3frames.export.accounts import Account
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

REFUSED = b"-ERR no\r\n"


def test_a_good_server_passes_every_check() -> None:
    """In plain text on loopback: what is left to note is TLS, and that two sessions are let in."""
    with odd({}) as server:
        rows = looked_over(server)
    told = {row.check for row in rows.values() if row.verdict not in ("ok", "skipped")}
    assert {"tls", "stls", "plaintext login", "second session"} == told
    assert {"certificate"} == {row.check for row in rows.values() if row.verdict == "skipped"}
    assert (
        "would fetch 3 messages of 111 octets, many at a time, keyed by unique-id" in rows["export"].finding
    )
    assert "ok" == rows["export"].verdict
    assert server.commands.count("QUIT") == 2


def test_a_host_without_a_user_name_is_looked_over_up_to_the_login() -> None:
    """Nothing of a login is sent."""
    with odd({}) as server:
        frame = doctor("127.0.0.1", server.port, encryption="none")
    verdicts = dict(zip(frame["check"], frame["verdict"], strict=True))
    assert ["CAPA", "QUIT"] == server.commands
    assert ("ok", "ok", "ok") == tuple(verdicts[name] for name in ("reach", "capabilities", "response codes"))
    assert ("skipped", "skipped") == (verdicts["login"], verdicts["export"])


def test_the_frame_has_one_row_a_check_and_says_what_it_means() -> None:
    """With a handler, and with an account."""
    with EmbeddedServer(MAILS) as server:
        place = (server.host, server.port, server.username, server.password, "none")
        account = Account("a", server.host, server.port, server.username, Secret(server.password), "none")
        frames = [doctor(POP3ProtocolHandler(*place)), doctor(account), doctor(*place)]
    for frame in frames:
        assert isinstance(frame, pandas.DataFrame)
        assert ["check", "verdict", "finding", "meaning"] == list(frame.columns)
        assert list(CHECKS) == list(frame["check"])
        assert set(SEVERITY) >= set(frame["verdict"])
    assert len(server.maildrop) == 3


def test_a_token_logs_in_by_what_is_offered_for_tokens() -> None:
    """And is not shown, though this server repeats it."""
    features = Features(sasl=("XOAUTH2", "OAUTHBEARER"), user=False, implementation="token-4711")
    with EmbeddedServer(
        users={"ann": (None, MAILS)}, tokens={"ann": "token-4711"}, features=features
    ) as server:
        token = OAuth2(lambda *, force_refresh=False: "token-4711")
        rows = check_up(POP3ProtocolHandler(server.host, server.port, "ann", token, "none", 5))
    by_name = {row.check: row for row in rows}
    assert "OAUTHBEARER would be used: XOAUTH2 OAUTHBEARER" == by_name["mechanisms"].finding
    assert "as ann by OAUTHBEARER" == by_name["login"].finding
    assert "(not shown: it repeats the password)" == by_name["implementation"].finding


# One thing different each

STAT_LIES = b"+OK 3 999\r\n"
ODD: list[tuple[dict[str, Any], str, str, str]] = [
    # what is different, check, verdict, words of the finding
    ({"greeting": b"-ERR closed for today\r\n"}, "greeting", "problem", "closed for today"),
    ({"greeting": b"220 smtp.example.org\r\n"}, "greeting", "problem", "neither +OK nor -ERR"),
    ({"CAPA": REFUSED}, "capabilities", "note", "no CAPA"),
    ({"CAPA": REFUSED}, "capabilities after login", "skipped", "no CAPA"),
    ({"CAPA": REFUSED}, "plaintext login", "skipped", "no CAPA"),
    ({"CAPA": REFUSED}, "mechanisms", "note", "USER and PASS is tried"),
    ({"CAPA": REFUSED}, "pipelining", "note", "not announced"),
    ({"CAPA": CLOSE}, "capabilities", "problem", "lost"),
    ({"CAPA inside": REFUSED}, "capabilities after login", "note", "no CAPA here"),
    ({"CAPA inside": CLOSE}, "capabilities after login", "problem", "lost"),
    ({"CAPA inside": capa(b"TOP\r\nEXPIRE NEVER\r\n")}, "capabilities after login", "note", "EXPIRE NEVER"),
    ({"CAPA inside": capa(b"TOP\r\n")}, "capabilities after login", "note", "gone: UIDL, USER"),
    ({"CAPA": capa(b"TOP\r\n")}, "plaintext login", "ok", "not offered"),
    ({"CAPA": capa(b"TOP\r\n")}, "mechanisms", "warning", "none is offered"),
    ({"CAPA": capa(b"SASL NTLM GSSAPI\r\n")}, "mechanisms", "problem", "none that can be used: NTLM GSSAPI"),
    ({"CAPA": capa(b"SASL XOAUTH2\r\n")}, "mechanisms", "warning", "not among the offered: XOAUTH2"),
    ({"CAPA": capa(b"USER\r\n")}, "response codes", "note", "no RESP-CODES and no AUTH-RESP-CODE"),
    ({"CAPA": capa(b"STLS\r\n")}, "stls", "note", "offered and not used"),
    ({"PASS": b"-ERR [AUTH] wrong\r\n"}, "login", "problem", "the server refused PASS: [AUTH] wrong"),
    ({"PASS": b"-ERR wrong\r\n"}, "login", "problem", "wrong"),
    ({"PASS": b"-ERR [IN-USE] locked\r\n"}, "login", "problem", "[IN-USE] locked"),
    ({"PASS": b"-ERR [SYS/PERM] no disk\r\n"}, "login", "problem", "no disk"),
    ({"PASS": CLOSE}, "login", "problem", "lost"),
    ({"CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 0\r\n")}, "login delay", "ok", "0 seconds"),
    ({"CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 300\r\n")}, "login delay", "note", "300 seconds"),
    ({"CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 300\r\n")}, "second session", "skipped", "LOGIN-DELAY 300"),
    ({"CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 300\r\n")}, "uidl stable", "skipped", "LOGIN-DELAY 300"),
    ({"CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 300\r\n")}, "pipelining", "ok", "16 commands"),
    ({"CAPA": capa(CAPABILITIES + b"EXPIRE NEVER\r\n")}, "expire", "ok", "NEVER"),
    ({"CAPA": capa(CAPABILITIES + b"EXPIRE 31 USER\r\n")}, "expire", "warning", "in days: 31 USER"),
    ({"CAPA": capa(CAPABILITIES + b"EXPIRE 0\r\n")}, "expire", "warning", "hidden or deleted"),
    ({"CAPA": capa(CAPABILITIES + b"EXPIRE 0\r\n")}, "retr", "skipped", "--retrieve"),
    ({"greeting": b"+OK The Microsoft Exchange POP3 service\r\n"}, "retr", "skipped", "marks as read"),
    ({"CAPA": capa(CAPABILITIES + b"UTF8 USER\r\nLANG\r\n")}, "utf8", "note", "UTF8 is offered"),
    ({"CAPA": capa(b"IMPLEMENTATION odd-1.0\r\n")}, "implementation", "ok", "odd-1.0"),
    ({"STAT": b"+OK many\r\n"}, "mailbox", "warning", "STAT cannot be read"),
    ({"STAT": REFUSED}, "mailbox", "problem", "the server refused STAT: no"),
    ({"STAT": CLOSE}, "mailbox", "problem", "lost"),
    ({"LIST": REFUSED}, "list", "problem", "the server refused LIST: no"),
    ({"LIST": block(b"1 %!d(float64=5461)", b"2 37", b"3 37")}, "list", "warning", "1 of 3 lines"),
    ({"STAT": b"+OK 4 111\r\n"}, "list", "warning", "LIST names 3 messages, STAT counts 4"),
    ({"STAT": STAT_LIES}, "list", "note", "111 octets, STAT says 999"),
    ({"LIST": block(b"1 37", b"2 37", b"3 99999999")}, "oversized", "warning", "octets: 3"),
    ({"UIDL": REFUSED, "CAPA": capa(b"TOP\r\n")}, "uidl", "warning", "the server has none"),
    ({"UIDL": REFUSED}, "uidl", "warning", "announced, but refused"),
    ({"UIDL": REFUSED}, "uidl stable", "skipped", "none to compare"),
    (
        {"UIDL": block(b"1 a", b"2 b", b"3 a")},
        "uidl",
        "warning",
        "2 messages share theirs with another: 1, 3",
    ),
    ({"UIDL": block(b"1 a", b"2 b", b"3 " + b"x" * 71)}, "uidl", "warning", "1 are not 1 to 70"),
    ({"UIDL": block(b"1 a", b"2 b", b"3 \xff")}, "uidl", "warning", "1 are not 1 to 70"),
    ({"UIDL": block(b"1 a", b"2 b")}, "uidl", "warning", "none for 1 message: 3"),
    ({"TOP": REFUSED}, "top", "warning", "refused"),
    ({"TOP": REFUSED}, "top against retr", "skipped", "no TOP"),
    ({"TOP 2 5": block(b"Subject: else")}, "top against retr", "warning", "differ for message 2"),
    ({"RETR 2": REFUSED}, "retr", "problem", "refused for 2: no"),
    ({"RETR": b"+OK\r\nother\r\n.\r\n"}, "octets", "ok", "tells no octets"),
    ({"RETR": b"+OK 77 octets\r\nother\r\n.\r\n"}, "octets", "note", "off for 3 of 3"),
    ({"LIST": block(b"1 37", b"2 37", b"3 38")}, "sizes", "note", "off for 1 of 3: 38 octets told, 37 came"),
    ({"LIST": block(b"1 37", b"2 37", b"3 9999")}, "sizes", "warning", "9,999 octets told, 37 came"),
    ({"TOP 2 5": b"+OK\r\n.\r\nrest\r\n.\r\n"}, "framing", "problem", "message 2 comes as if empty"),
    ({"TOP 2 5": block(b"Subject: mail 2") + b"rest\r\n"}, "framing", "problem", "broke at message 2"),
    ({"RETR 3": CLOSE}, "framing", "problem", "broke at message 3"),
    ({"RETR 3": CLOSE}, "retr", "problem", "nothing came for 3"),
    (
        {"CAPA inside": capa(CAPABILITIES + b"X\r\n"), "CAPA": capa(b"USER\r\n")},
        "pipelining",
        "ok",
        "after the l",
    ),
    ({"CAPA inside": capa(b"TOP\r\n")}, "pipelining", "ok", "announced only before the login"),
]


@pytest.mark.parametrize(("changes", "check", "verdict", "words"), ODD)
def test_what_a_server_does_differently_is_found(
    changes: dict[str, Any], check: str, verdict: str, words: str
) -> None:
    """And named in the row of its check."""
    with odd(changes) as server:
        row = looked_over(server)[check]
    assert (verdict, True) == (row.verdict, words in row.finding), row


def test_each_check_fails_alone() -> None:
    """STAT, LIST and UIDL refused: the rest is looked at all the same."""
    with odd({"STAT": REFUSED, "UIDL": REFUSED, "TOP": REFUSED}) as server:
        rows = looked_over(server)
    names = ("list", "retr", "round trip", "pipelining")
    assert ["ok"] * 4 == [rows[name].verdict for name in names]
    assert ("problem", "but see mailbox") == (rows["export"].verdict, rows["export"].meaning)


def test_a_lost_session_is_replaced_and_the_rest_goes_on() -> None:
    """But not for ever: four logins at most."""
    with odd({"STAT": CLOSE}) as server:
        rows = looked_over(server)
    assert ["problem", "ok", "ok", "ok"] == [rows[n].verdict for n in ("mailbox", "list", "retr", "uidl")]
    with odd({"TOP": CLOSE}, mails=MAILS * 3) as server:
        rows = looked_over(server, samples=9)
    assert 4 == server.commands.count("USER ann")
    assert ("skipped", "the session was lost, and 4 logins are enough") == (
        rows["round trip"].verdict,
        rows["round trip"].finding,
    )


def test_a_lost_session_is_not_replaced_where_logins_have_to_wait() -> None:
    """LOGIN-DELAY: what is behind the loss is skipped."""
    with odd({"STAT": CLOSE, "CAPA": capa(CAPABILITIES + b"LOGIN-DELAY 300\r\n")}) as server:
        rows = looked_over(server)
    assert 1 == server.commands.count("USER ann")
    assert ("skipped", True) == (rows["list"].verdict, "LOGIN-DELAY 300" in rows["list"].finding)


def test_a_server_that_cuts_on_capa_is_met_again_without_it() -> None:
    """Everything behind the login is looked at."""
    with odd({"CAPA": CLOSE}) as server:
        rows = looked_over(server)
    assert ("problem", "ok", "ok") == tuple(rows[n].verdict for n in ("capabilities", "login", "retr"))
    assert "CAPA ends the session" == rows["mechanisms"].finding
    assert 1 == server.commands.count("CAPA")


def test_a_mailbox_without_messages_has_nothing_to_compare() -> None:
    """The same for one with large ones only."""
    with odd({}, mails=[]) as server:
        rows = looked_over(server)
    assert ("skipped", "no messages") == (rows["retr"].verdict, rows["retr"].finding)
    assert ("ok", "ok") == (rows["pipelining"].verdict, rows["uidl"].verdict)
    with odd({"LIST": block(b"1 70000")}) as server:
        rows = looked_over(server)
    assert "there is no message of 65,536 octets or less" == rows["framing"].finding


# Misuse


def test_calls_that_make_no_sense_are_usage_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the credentials, two sources, an open session, no patience, no secret, no CA file."""
    handler = POP3ProtocolHandler("127.0.0.1", 1, "ann", "x", "none")
    calls: list[Any] = [
        lambda: doctor("pop.example.org", username="ann"),
        lambda: doctor("pop.example.org", password="x"),
        lambda: doctor(handler, port=110),
        lambda: doctor(handler, encryption="none"),
        lambda: doctor(handler, patience=0),
        lambda: doctor(handler, samples=-1),
        lambda: doctor("pop.example.org", cafile="/nowhere.pem"),
        lambda: doctor(Account("a", "pop.example.org", 995, "ann", "env:NO_SUCH_NAME")),
    ]
    for call in calls:
        with pytest.raises(POP3UsageError):
            call()
    with (
        EmbeddedServer(MAILS) as server,
        POP3ProtocolHandler(server.host, server.port, server.username, server.password, "none") as opened,
        pytest.raises(POP3UsageError, match="open session"),
    ):
        doctor(opened)


@pytest.mark.parametrize(
    "wrong", [{"encryption": "starttls"}, {"auth": "XOAUTH"}, {"cafile": "/nowhere.pem"}, {"port": -1}]
)
@pytest.mark.parametrize("password", [CANARY, CANARY.encode()])
def test_a_call_that_makes_no_sense_does_not_turn_the_password_out(
    wrong: dict[str, Any], password: Any
) -> None:
    """No frame that refuses it holds it as it was given."""
    with pytest.raises(POP3UsageError) as raised:
        doctor("pop.example.org", username="ann", password=password, **wrong)

    assert CANARY not in everything(raised.value)


def test_the_handler_stays_as_it_was() -> None:
    """It can go on as if nobody had looked."""
    with EmbeddedServer(MAILS, features=Features(only_after_login=("PIPELINING",))) as server:
        handler = POP3ProtocolHandler(server.host, server.port, server.username, server.password, "none")
        before = dict(vars(handler))
        doctor(handler)
        assert before == vars(handler)
        assert 3 == len(handler.fetch_messages())
