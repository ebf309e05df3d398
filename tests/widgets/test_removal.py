"""What is marked goes, after a review and a second word, and only when its bytes are on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from export.mailboxes import mail, stored
from widgets.looking import SECONDS, Place, listed, place

from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.export.mailbox import export_mailbox
from pop3frames.server.faults import Drop, Rearrange, Say
from pop3frames.server.maildrop import StoredMessage
from pop3frames.widgets import removal as removal_module
from pop3frames.widgets.jobs import Cancelled
from pop3frames.widgets.marks import sizes_of
from pop3frames.widgets.removal import CHANGED, GONE, NOT_UNIQUE, WITHOUT_BYTES, Plan, Removal


def removal_of(where: Place, folder: Path, *marked: str) -> Removal:
    """The mailbox listed, these unique-ids marked."""
    mailbox = listed(where)
    mailbox.dataset = str(folder)
    removal = Removal(mailbox)
    mailbox.marks.mark(sizes_of(mailbox.rows, lambda row: row.uidl in marked))
    return removal


def reviewed(removal: Removal) -> Plan:
    return removal.review().wait(SECONDS)


def left(where: Place) -> list[str]:
    """The unique-ids on the server."""
    return [message.uidl for message in where.server.maildrop.messages]


def test_marked_messages_are_exported_with_their_bytes_and_then_deleted(tmp_path: Path) -> None:
    """The named dataset holds them, the server does not, and the report says so for each."""
    with place(3) as where:
        removal = removal_of(where, tmp_path / "kept", "uid-00001", "uid-00003")
        plan = reviewed(removal)
        assert (set(plan.going), plan.unstored) == ({"uid-00001", "uid-00003"}, {"uid-00001", "uid-00003"})
        assert (plan.left, dict(plan.staying), plan.warnings) == (1, {}, [])
        assert left(where) == ["uid-00001", "uid-00002", "uid-00003"]
        assert not (tmp_path / "kept").exists()

        report = removal.commit(2).wait(SECONDS)
        assert report.confirmed == ["uid-00001", "uid-00003"]
        assert left(where) == ["uid-00002"]
        assert stored(tmp_path / "kept") == ["uid-00001", "uid-00003"]
        assert removal.export is not None
        assert removal.export.new == 2
        mailbox = removal.mailbox
        assert [row.uidl for row in mailbox.rows] == ["uid-00002"]
        assert (mailbox.marks.marked, mailbox.marks.can_undo, removal.plan) == ({}, False, None)
        assert mailbox.jobs.status == "2 messages deleted from the server."
        assert where.is_free


def test_what_is_stored_already_is_not_exported_again(tmp_path: Path) -> None:
    """The plan says so, and the deletion compares it with the server's all the same."""
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00002")
        export_mailbox(where.mailbox.account, tmp_path, keep_raw=True)
        assert reviewed(removal).unstored == frozenset()
        assert removal.commit(1).wait(SECONDS).confirmed == ["uid-00002"]
        assert removal.export is None


@pytest.mark.parametrize("number", [0, 1, 3])
def test_another_number_than_the_reviewed_one_deletes_nothing(number: int, tmp_path: Path) -> None:
    """The second act names the number; nothing is sent."""
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00001", "uid-00002")
        reviewed(removal)
        before = len(where.verbs)
        with pytest.raises(POP3UsageError, match="2 messages would go"):
            removal.commit(number)
        assert len(where.verbs) == before


def test_without_a_review_nothing_is_deleted(tmp_path: Path) -> None:
    """And other marks, another dataset or another mailbox need another review."""
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00001")
        with pytest.raises(POP3UsageError, match="review first"):
            removal.commit(1)
        changes = [
            lambda: removal.mailbox.marks.mark({"uid-00002": 1}),
            removal.mailbox.marks.undo,
            lambda: setattr(removal.mailbox, "dataset", str(tmp_path / "other")),
        ]
        for change in changes:
            reviewed(removal)
            change()
            with pytest.raises(POP3UsageError, match="review first"):
                removal.commit(1)
        assert left(where) == ["uid-00001", "uid-00002", "uid-00003"]


def test_a_plan_that_was_made_for_other_marks_is_refused(tmp_path: Path) -> None:
    """A mark made while the review was under way: its plan came too late."""
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00001")
        plan = reviewed(removal)
        removal.mailbox.marks.mark({"uid-00002": 1})
        removal.plan = plan
        with pytest.raises(POP3UsageError, match="marks have changed"):
            removal.commit(1)


def test_marking_nothing_has_nothing_to_review(tmp_path: Path) -> None:
    """In words."""
    with place(1) as where, pytest.raises(POP3UsageError, match="nothing is marked"):
        removal_of(where, tmp_path).review()


def test_emptying_the_mailbox_needs_a_word_more(tmp_path: Path) -> None:
    """The plan warns, the number alone does not do."""
    with place(2) as where:
        removal = removal_of(where, tmp_path, "uid-00001", "uid-00002")
        assert reviewed(removal).warnings == ["This leaves the mailbox empty."]
        with pytest.raises(POP3UsageError, match="leaves the mailbox empty"):
            removal.commit(2)
        assert len(left(where)) == 2
        removal.commit(2, despite_warnings=True).wait(SECONDS)
        assert left(where) == []


def test_very_many_need_a_word_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the hand on a filter must not clean a mailbox out."""
    monkeypatch.setattr(removal_module, "MOST", 1)
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00001", "uid-00002")
        assert reviewed(removal).warnings == ["These are more than 1 messages."]
        with pytest.raises(POP3UsageError):
            removal.commit(2)
        assert removal.commit(2, despite_warnings=True).wait(SECONDS).confirmed == ["uid-00001", "uid-00002"]


def test_what_cannot_go_is_named_in_the_plan(tmp_path: Path) -> None:
    """Gone, changed, doubled, or stored without its bytes: each stays, and why."""
    with place(5) as where:
        ids = [f"uid-0000{number}" for number in range(1, 6)]
        removal = removal_of(where, tmp_path, *ids)
        export_mailbox(where.mailbox.account, tmp_path, uidls=["uid-00004"])

        def later(messages: list[StoredMessage]) -> list[StoredMessage]:
            _gone, _changed, third, *rest = messages
            return [
                StoredMessage(mail(2, 999).raw, "uid-00002"),
                third,
                third._replace(raw=mail(7).raw),
                *rest,
            ]

        where.server.maildrop.rearrange(later)
        plan = reviewed(removal)
        assert dict(plan.staying) == {
            "uid-00001": GONE,
            "uid-00002": CHANGED,
            "uid-00003": NOT_UNIQUE,
            "uid-00004": WITHOUT_BYTES,
        }
        assert set(plan.going) == {"uid-00005"}
        assert removal.commit(1).wait(SECONDS).confirmed == ["uid-00005"]
        assert removal.mailbox.marks.uidls == set(ids[:4])


def test_mail_that_changed_behind_the_review_is_not_deleted(tmp_path: Path) -> None:
    """The size seen when it was marked is checked in the very session that deletes."""
    other = StoredMessage(mail(9, 800).raw, "uid-00001")
    swap = Rearrange(lambda messages: [other, *messages[1:]], nth=3)  # listing, review, then the export
    with place(2, faults=[swap]) as where:
        removal = removal_of(where, tmp_path, "uid-00001")
        reviewed(removal)
        report = removal.commit(1).wait(SECONDS)
        assert report.confirmed == []
        assert "another size" in report.refused["uid-00001"]
        assert other in where.server.maildrop.messages
        assert removal.mailbox.marks.uidls == {"uid-00001"}


def test_a_cancel_while_it_exports_deletes_nothing(tmp_path: Path) -> None:
    """What was exported by then is complete."""
    with place(3) as where:
        removal = removal_of(where, tmp_path, "uid-00001", "uid-00002")
        reviewed(removal)
        removal.mailbox.jobs.observe(lambda change: change["new"] and removal.mailbox.jobs.cancel(), "pace")
        job = removal.commit(2)
        with pytest.raises(Cancelled):
            job.wait(SECONDS)
        assert len(left(where)) == 3
        assert stored(tmp_path) == ["uid-00001"]
        assert "DELE" not in where.verbs


def test_an_unanswered_quit_is_told_as_unknown(tmp_path: Path) -> None:
    """They stay in the list and stay marked: the next listing tells."""
    with place(
        3, faults=[Say("QUIT", b"-ERR [SYS/TEMP] some messages may not be deleted\r\n", nth=4)]
    ) as where:
        removal = removal_of(where, tmp_path, "uid-00001")
        export_mailbox(where.mailbox.account, tmp_path, keep_raw=True)
        reviewed(removal)
        report = removal.commit(1).wait(SECONDS)
        assert (report.confirmed, report.unknown) == ([], ["uid-00001"])
        assert removal.mailbox.marks.uidls == {"uid-00001"}
        assert removal.mailbox.jobs.status == "0 messages deleted from the server, 1 unknown."


def test_a_connection_lost_at_the_deletion_leaves_a_report_and_words(tmp_path: Path) -> None:
    """Nothing is confirmed; the person reads what happened."""
    with place(3, faults=[Drop("DELE")]) as where:
        removal = removal_of(where, tmp_path, "uid-00001")
        reviewed(removal)
        with pytest.raises(POP3ConnectionError):
            removal.commit(1).wait(SECONDS)
        assert removal.report is not None
        assert removal.report.unknown == ["uid-00001"]
        assert "lost" in removal.mailbox.jobs.error
        assert len(left(where)) == 3


def test_a_refused_deletion_is_told_by_message(tmp_path: Path) -> None:
    """The others go."""
    with place(3, faults=[Say("DELE", b"-ERR no\r\n", nth=1)]) as where:
        removal = removal_of(where, tmp_path, "uid-00001", "uid-00002")
        reviewed(removal)
        report = removal.commit(2).wait(SECONDS)
        assert (report.confirmed, list(report.refused)) == (["uid-00002"], ["uid-00001"])
        assert left(where) == ["uid-00001", "uid-00003"]
        assert removal.mailbox.marks.uidls == {"uid-00001"}


def test_a_dataset_that_cannot_be_written_is_told_at_the_review(tmp_path: Path) -> None:
    """Not only when somebody has said yes."""
    (tmp_path / "file").write_text("in the way")
    with place(1) as where:
        removal = removal_of(where, tmp_path / "file", "uid-00001")
        with pytest.raises(Exception, match="a file is where a folder should be"):
            reviewed(removal)
        assert "choose another path" in removal.mailbox.jobs.error
