"""Looking at a mailbox: connect, list, read. No trace on the server, no lock between two looks."""

from __future__ import annotations

import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from export.mailboxes import account_of, mail, mails
from widgets.looking import SECONDS, Place, listed, place

from pop3frames.errors import POP3AuthenticationError, POP3CommandError, POP3UsageError
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Rearrange, Say, migrated
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage
from pop3frames.widgets import mailbox as mailbox_module
from pop3frames.widgets.facts import Facts
from pop3frames.widgets.jobs import Cancelled, Job
from pop3frames.widgets.mailbox import PREVIEW_LINES, Look, Mailbox


def test_listing_reads_headers_only_and_leaves_the_mailbox_free() -> None:
    """By TOP, in one session that ends by QUIT; nothing is fetched, nothing held."""
    with place(3) as where:
        mailbox = listed(where)
        assert [row.subject for row in mailbox.rows] == ["mail 1", "mail 2", "mail 3"]
        assert [row.uidl for row in mailbox.rows] == ["uid-00001", "uid-00002", "uid-00003"]
        assert [row.size for row in mailbox.rows] == [
            len(each.raw) for each in where.server.maildrop.messages
        ]
        assert where.verbs == ["UIDL", "LIST", "TOP", "TOP", "TOP", "QUIT"]
        assert where.is_free
        assert mailbox.jobs.status == "3 messages listed."


def test_headers_tell_which_messages_probably_have_attachments() -> None:
    """By key, also of a message without a unique-id of its own; another listing tells anew."""
    kinds = ["multipart/mixed; boundary=b", "multipart/alternative; boundary=b", "application/pdf"]
    source = [
        StoredMessage(f"Subject: {kind}\r\nContent-Type: {kind}\r\n\r\n--b--\r\n".encode(), f"uid-{number}")
        for number, kind in enumerate(kinds)
    ]
    with place(source=source) as where:
        assert {"uid-0", "uid-2"} == listed(where).maybe
    with place(source=source, features=Features(uidl=False)) as where:
        assert {"# 1", "# 3"} == listed(where).maybe
    with place(3) as where:
        assert frozenset() == listed(where).maybe


def test_a_check_says_what_the_server_can_do() -> None:
    """In sentences that are our own; no message is read."""
    with place(3) as where:
        facts = where.mailbox.check().wait(SECONDS)
        assert facts is where.mailbox.facts
        assert facts.messages == 3
        assert facts.safe_to_fetch
        assert facts.sentences() == [
            "3 messages, 1.2 kB",
            "not encrypted, and needs not be: it is this machine",
            "lets in by a password",
            "fetches many at a time",
            "stable unique-ids: marks, and what is new, are safe to tell",
            "shows headers without fetching: the list leaves no trace",
        ]
        assert where.verbs == ["UIDL", "LIST", "QUIT"]


def test_a_check_warns_of_what_a_server_lacks_or_does() -> None:
    """EXPIRE 0, no UIDL, no TOP, one by one, LOGIN-DELAY."""
    features = Features(expire=0, uidl=False, top=False, pipelining=False, login_delay=7)
    with place(3, features=features) as where:
        told = where.mailbox.check().wait(SECONDS).sentences()
    assert told[3:] == [
        "fetches one by one: large mailboxes take a while",
        "NO UNIQUE-IDS: nothing can be marked or deleted here, exporting works",
        "hides what was fetched: previews read only the beginning of a message",
        "no TOP: the list shows sizes only",
        "wants 7 seconds between logins: actions may have to wait",
    ]


def test_a_check_names_the_ways_in_that_a_server_tells() -> None:
    """Those of before the login too; one that tells none, and one without CAPA, are not guessed at."""
    ways = Features(apop=True, user=False, only_before_login=("SASL",))
    with place(3, features=ways, tokens={"user": "a-token"}) as where:
        assert ("a token", "a password that is never sent", "a password") == _facts(where).logins
    with place(3, features=Features(capa=False)) as where:
        assert () == _facts(where).logins
        assert not [each for each in _facts(where).sentences() if "lets in" in each]


def test_a_check_says_how_a_session_is_encrypted(tmp_path: Path) -> None:
    """And in plain text over a network, what could be done about it."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with place(3, context=context, features=Features(plaintext=True)) as where:
        facts = _facts(where)
        safe = account_of(where.server, encryption="tls", cafile=str(tmp_path / "ca.pem"))
        assert "encrypted (TLSv1.3), certificate checked" in Mailbox(safe).check().wait(SECONDS).sentences()
    assert (facts.tls, facts.offers_tls) == (None, True)
    assert "it is this machine" in facts.sentences()[1]
    far = replace(facts, local=False)
    assert "choose “STLS, or failure”" in far.sentences()[1]
    assert far.sentences()[1].startswith("NOT ENCRYPTED")
    assert "choose" not in replace(far, offers_tls=False).sentences()[1]


def _facts(where: Place) -> Facts:
    return where.mailbox.check().wait(SECONDS)


def test_a_message_is_read_by_top_once_and_the_lock_is_not_held() -> None:
    """Looking again asks nobody."""
    with place(3) as where:
        mailbox = listed(where)
        asked = len(where.verbs)
        look = mailbox.read("uid-00002").wait(SECONDS)
        assert look.raw == where.server.maildrop.messages[1].raw
        assert (look.row.subject, look.partial) == ("mail 2", False)
        assert where.verbs[asked:] == ["UIDL", "TOP", "QUIT"]
        assert where.is_free
        asked = len(where.verbs)
        mailbox.look = None
        assert mailbox.read("uid-00002") is None
        assert mailbox.look == look
        assert len(where.verbs) == asked


def test_a_long_message_is_shown_in_part_and_fetched_whole_on_request() -> None:
    """The beginning by TOP, all of it by RETR."""
    long = mail(1, 100_000)
    with place(source=[long]) as where:
        mailbox = listed(where)
        look = mailbox.read(long.uidl).wait(SECONDS)
        assert look.partial
        assert look.raw.partition(b"\r\n\r\n")[2].count(b"\n") == PREVIEW_LINES
        assert "RETR" not in where.verbs
        whole = mailbox.read_whole(long.uidl).wait(SECONDS)
        assert (whole.raw, whole.partial) == (long.raw, False)
        assert mailbox.look is whole
        assert where.is_free


def test_where_fetching_leaves_a_trace_nothing_is_fetched_to_look_at_it() -> None:
    """EXPIRE 0: a QUIT after RETR could hide the mail. The words say what to do instead."""
    long = mail(1, 100_000)
    with place(source=[long], features=Features(expire=0, removes_retrieved=True)) as where:
        mailbox = listed(where)
        assert mailbox.read(long.uidl).wait(SECONDS).partial
        with pytest.raises(POP3UsageError, match="Export it"):
            mailbox.read_whole(long.uidl)
        mailbox.facts = None  # as if nobody had asked: the session itself tells
        with pytest.raises(POP3UsageError, match="Export it"):
            mailbox.read_whole(long.uidl).wait(SECONDS)
        assert "RETR" not in where.verbs
        assert len(where.server.maildrop) == 1


def test_a_message_is_found_by_its_unique_id_when_numbers_have_shifted() -> None:
    """Somebody deleted the first: number 2 is another message now."""
    with place(3) as where:
        mailbox = listed(where)
        where.server.maildrop.rearrange(lambda messages: messages[1:])
        assert mailbox.read("uid-00002").wait(SECONDS).raw == mail(2).raw
        with pytest.raises(POP3UsageError, match="no longer on the server"):
            mailbox.read("uid-00001").wait(SECONDS)
        assert mailbox.jobs.error == "This message is no longer on the server: list the messages again."


def test_without_unique_ids_a_message_is_read_by_number_as_long_as_its_size_fits() -> None:
    """It is only looked at; where the size differs, it is another one."""
    with place(source=[mail(1, 400), mail(2, 900)], features=Features(uidl=False)) as where:
        mailbox = listed(where)
        assert mailbox.read("# 2").wait(SECONDS).raw == mail(2, 900).raw
        where.server.maildrop.rearrange(lambda messages: messages[::-1])
        with pytest.raises(POP3UsageError, match="no longer on the server"):
            mailbox.read("# 1").wait(SECONDS)


def test_without_top_the_list_shows_sizes_and_a_message_can_still_be_fetched() -> None:
    """Nothing to look at is an empty beginning, not an error."""
    with place(2, features=Features(top=False)) as where:
        mailbox = listed(where)
        assert [(row.uidl, row.subject) for row in mailbox.rows] == [("uid-00001", None), ("uid-00002", None)]
        look = mailbox.read("uid-00001").wait(SECONDS)
        assert (look.raw, look.partial) == (b"", True)
        assert mailbox.read_whole("uid-00001").wait(SECONDS).raw == mail(1).raw


def test_a_wrong_password_is_told_in_plain_words_and_not_in_the_servers() -> None:
    """A server may repeat the password in its refusal."""
    refusal = Say("PASS", b"-ERR [AUTH] no such password: secret\r\n")
    with place(1, faults=[refusal]) as where:
        with pytest.raises(POP3AuthenticationError):
            where.mailbox.list_messages().wait(SECONDS)
        assert where.mailbox.jobs.error.startswith("The server refused the login. Check the user name")
        assert "secret" not in where.mailbox.jobs.error
        assert where.mailbox.rows == ()


def test_listing_can_be_cancelled_and_the_old_list_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session ends, the mailbox is free."""
    with place(3) as where:
        mailbox = listed(where)
        rows = mailbox.rows
        mailbox.jobs.observe(lambda change: change["new"] and mailbox.jobs.cancel(), "pace")
        job = mailbox.list_messages()
        with pytest.raises(Cancelled):
            job.wait(SECONDS)
        assert mailbox.rows is rows
        assert (mailbox.jobs.error, mailbox.jobs.running) == ("", "")


def test_marked_messages_that_are_gone_are_told_and_unmarked() -> None:
    """The marks of the others stay as they were, also where the size has changed since."""
    with place(3) as where:
        mailbox = listed(where)
        mailbox.marks.mark({"uid-00001": 11, "uid-00002": 22})
        where.server.maildrop.rearrange(lambda messages: messages[1:])
        listed(where)
        assert mailbox.marks.marked == {"uid-00002": 22}
        assert mailbox.jobs.status == "2 messages listed. No longer there: 1 marked message."


def test_another_account_starts_afresh() -> None:
    """Nothing that was seen, marked or kept of the last mailbox is shown for this one."""
    with place(3) as where, EmbeddedServer(mails(1)) as other:
        mailbox = listed(where)
        mailbox.read("uid-00001").wait(SECONDS)
        mailbox.marks.mark({"uid-00001": 1})
        mailbox.use(account_of(other))
        assert (mailbox.rows, mailbox.facts, mailbox.look) == ((), None, None)
        assert (mailbox.marks.marked, mailbox.marks.can_undo) == ({}, False)
        with pytest.raises(POP3UsageError, match="not in the list"):
            mailbox.read("uid-00001")


def test_another_account_waits_for_work_that_goes_on() -> None:
    """What it brings would be shown as the other mailbox's."""
    with place(3) as where, EmbeddedServer(mails(1)) as other:
        gate = threading.Event()
        where.mailbox.jobs.observe(lambda _: gate.wait(SECONDS), "pace")
        job = where.mailbox.list_messages()
        with pytest.raises(POP3UsageError, match="still going on"):
            where.mailbox.use(account_of(other))
        gate.set()
        job.wait(SECONDS)
        assert len(where.mailbox.rows) == 3


def test_a_look_that_comes_too_late_is_not_shown_for_another_mailbox() -> None:
    """The message was on its way when somebody changed the account."""
    with place(3) as where, EmbeddedServer(mails(1)) as other:
        mailbox = listed(where)
        look = mailbox.read("uid-00001").wait(SECONDS)
        gate = threading.Event()

        def arrive(job: Job[Look]) -> Look:
            assert gate.wait(SECONDS)
            return mailbox._show(look, job)

        job = mailbox.jobs.start("reading", arrive, brief=True)
        mailbox.use(account_of(other))
        gate.set()
        with pytest.raises(Cancelled):
            job.wait(SECONDS)
        assert mailbox.look is None


def test_without_an_account_the_words_say_what_to_do() -> None:
    """An explorer may be opened before anything is filled in."""
    mailbox = Mailbox()
    with pytest.raises(POP3UsageError, match="connect"):
        mailbox.list_messages().wait(SECONDS)
    assert mailbox.jobs.error == "No mailbox is connected: fill in where it is, and connect."


def test_what_was_looked_at_is_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest look goes first; the latest always stays."""
    monkeypatch.setattr(mailbox_module, "KEPT_OCTETS", 900)
    with place(3) as where:
        mailbox = listed(where)
        for key in ("uid-00001", "uid-00002", "uid-00003"):
            mailbox.read(key).wait(SECONDS)
        assert mailbox.read("uid-00003") is None
        job = mailbox.read("uid-00001")
        assert job is not None
        job.wait(SECONDS)


def test_walking_down_the_list_ends_at_the_last_message() -> None:
    """Each look gives way to the next; no session meets another, and none is an error."""
    with place(30) as where:
        mailbox = listed(where)
        jobs = [mailbox.read(row.uidl) for row in mailbox.rows]
        assert jobs[-1].wait(SECONDS).row.subject == "mail 30"
        assert mailbox.look.row.subject == "mail 30"
        assert (mailbox.jobs.error, mailbox.jobs.running) == ("", "")
        assert where.is_free


def test_a_migrated_server_is_seen_as_other_mail() -> None:
    """New unique-ids: what was listed is no longer there."""
    with place(2, faults=[Rearrange(migrated, nth=2)]) as where:
        mailbox = listed(where)
        with pytest.raises(POP3UsageError, match="no longer on the server"):
            mailbox.read("uid-00001").wait(SECONDS)


def test_a_message_whose_unique_id_is_another_ones_too_is_read_by_number() -> None:
    """It has no unique-id of its own, so it can be looked at and not marked."""
    twins = [StoredMessage(mail(1).raw, "twin"), StoredMessage(mail(2, 900).raw, "twin")]
    with place(source=twins) as where:
        mailbox = listed(where)
        assert [row.uidl for row in mailbox.rows] == [None, None]
        assert mailbox.read("# 2").wait(SECONDS).raw == mail(2, 900).raw


def test_threads_end_with_their_jobs() -> None:
    """Nothing is left behind that could hold the mailbox."""
    with place(2) as where:
        mailbox = listed(where)
        mailbox.read("uid-00001").wait(SECONDS)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("pop3frames ")]
    for thread in ours:
        thread.join(SECONDS)
    assert [thread for thread in ours if thread.is_alive()] == []


def test_a_refused_message_is_told_with_what_to_try() -> None:
    """A server that refuses RETR."""
    with place(2, faults=[Say("RETR", b"-ERR CANARY\r\n")]) as where:
        mailbox = listed(where)
        with pytest.raises(POP3CommandError):
            mailbox.read_whole("uid-00001").wait(SECONDS)
        assert mailbox.jobs.error.startswith("The server refused RETR")
        assert "CANARY" not in mailbox.jobs.error
