"""The explorer without a page: the clicks of a person, with the very messages a page sends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from export.mailboxes import mail, mails, stored
from widgets.looking import SECONDS, Place, place

import pop3frames
from pop3frames.client.credentials import Secret
from pop3frames.export.accounts import Account
from pop3frames.export.report import DeletionReport, ExportReport
from pop3frames.server.faults import Say
from pop3frames.server.maildrop import StoredMessage
from pop3frames.widgets.explorer import MailboxExplorer, explore


def within(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """All that is shown now."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from within(child)


def click(explorer: MailboxExplorer, label: str) -> None:
    """Click the button that says so, and wait for what it began."""
    buttons = {each.description: each for each in within(explorer) if isinstance(each, ipywidgets.Button)}
    [button] = [buttons[label]] if label in buttons else [buttons[name] for name in buttons if label in name]
    button.click()
    explorer.mailbox.jobs.wait(SECONDS)


def choose(explorer: MailboxExplorer, label: str, value: Any) -> None:
    """Set the field under this label."""
    [field] = [each for each in within(explorer) if getattr(each, "description", "") == label]
    field.value = value


def mark(explorer: MailboxExplorer, *numbers: int, marked: bool = True) -> None:
    """As the page does: a bitset, and buffers that are memoryviews."""
    listing = explorer.list.listing
    bits = listing.bits([f"uid-{number:05d}" for number in numbers])
    content = {"kind": "toggle", "version": listing.version, "marked": marked}
    explorer.list._handle_custom_msg(content, [memoryview(bits)])


def type_password(explorer: MailboxExplorer, password: str, *, entered: bool = True) -> None:
    """As the page does."""
    content = {"kind": "typed", "entered": entered}
    explorer.connecting.secret._handle_custom_msg(content, [memoryview(password.encode())])
    explorer.mailbox.jobs.wait(SECONDS)


def opened(where: Place, folder: Path) -> MailboxExplorer:
    """An explorer with the messages listed."""
    explorer = explore(where.mailbox.account)
    explorer.mailbox.dataset = str(folder)
    click(explorer, "Connect")
    assert explorer.mailbox.jobs.error == ""
    return explorer


def filled_in(where: Place) -> MailboxExplorer:
    """An explorer in which all but the password was filled in."""
    explorer = explore()
    choose(explorer, "Host", "127.0.0.1")
    choose(explorer, "Encryption", "none")
    choose(explorer, "Port", where.relay.port)
    choose(explorer, "User name", "user")
    return explorer


def test_the_public_name_is_the_explorer() -> None:
    """`pop3frames.explore()`, and nothing is asked by it."""
    assert pop3frames.explore is explore
    assert isinstance(pop3frames.explore(), pop3frames.MailboxExplorer)


def test_a_person_types_where_and_who_and_sees_the_messages(tmp_path: Path) -> None:
    """Enter in the password field connects; the fields give way to one line."""
    with place(3) as where:
        explorer = filled_in(where)
        type_password(explorer, "secret")
        assert [row.subject for row in explorer.list.rows] == ["mail 1", "mail 2", "mail 3"]
        labels = {getattr(each, "description", "") for each in within(explorer)}
        assert {"List again", "Change", "Review and delete…", "Export"} <= labels
        assert "Host" not in labels
        assert list(explorer.dataframe["subject"]) == ["mail 1", "mail 2", "mail 3"]
        click(explorer, "Change")
        assert "Host" in {getattr(each, "description", "") for each in within(explorer)}


def test_a_click_that_comes_before_the_password_waits_for_it() -> None:
    """A page's messages are handled on different threads, in no certain order."""
    with place(3) as where:
        explorer = filled_in(where)
        click(explorer, "Connect")
        assert "password is missing" in explorer.mailbox.jobs.error
        assert where.verbs == []
        type_password(explorer, "secret", entered=False)
        assert len(explorer.list.rows) == 3
        assert explorer.mailbox.jobs.error == ""


def test_leaving_the_password_field_alone_connects_nobody() -> None:
    """Tab is not a click."""
    with place(3) as where:
        explorer = filled_in(where)
        type_password(explorer, "secret", entered=False)
        assert where.verbs == []
        click(explorer, "Check only")
        assert (explorer.mailbox.facts.messages, explorer.mailbox.rows) == (3, ())


def test_after_a_wrong_password_another_one_can_be_typed() -> None:
    """The wrong one is forgotten; the words say what to try."""
    with place(3) as where:
        explorer = filled_in(where)
        type_password(explorer, "wrong")
        assert explorer.mailbox.jobs.error.startswith("The server refused the login")
        assert explorer.connecting.form.lacks_secret
        type_password(explorer, "secret")
        assert len(explorer.list.rows) == 3
        click(explorer, "List again")
        assert explorer.mailbox.jobs.error == ""


def test_marks_of_the_page_are_the_models_and_undo_shows_in_the_list(tmp_path: Path) -> None:
    """With the size that was listed."""
    with place(3) as where:
        explorer = opened(where, tmp_path)
        mark(explorer, 1, 3)
        assert explorer.marked == explorer.list.marked == {"uid-00001", "uid-00003"}
        sizes = {row.uidl: row.size for row in explorer.mailbox.rows}
        assert explorer.mailbox.marks.marked == {uidl: sizes[uidl] for uidl in explorer.marked}
        mark(explorer, 1, marked=False)
        assert explorer.list.marked == {"uid-00003"}
        click(explorer, "Undo")
        assert explorer.list.marked == explorer.marked == {"uid-00001", "uid-00003"}
        click(explorer, "Redo")
        assert explorer.list.marked == {"uid-00003"}
        click(explorer, "Redo")
        assert explorer.mailbox.jobs.status == "There is nothing to redo."


def test_rules_mark_by_sender_age_and_size(tmp_path: Path) -> None:
    """Each says what it found; a sender needs a message that is looked at."""
    large = StoredMessage(mail(1, 5000).raw.replace(b"ann@", b"eve@"), "eve")
    with place(source=[*mails(2), large]) as where:
        explorer = opened(where, tmp_path)
        click(explorer, "Mark")
        assert "choose a message in the list first" in explorer.mailbox.jobs.error.lower()
        explorer.list.active = "uid-00001"
        explorer.mailbox.jobs.wait(SECONDS)
        click(explorer, "Mark")
        assert explorer.marked == {"uid-00001", "uid-00002"}
        assert explorer.mailbox.jobs.status == "2 messages found, 2 newly marked."
        click(explorer, "Unmark all")
        choose(explorer, "Mark all", "larger")
        choose(explorer, "MB", 0.004)
        click(explorer, "Mark")
        assert explorer.marked == {"eve"}
        choose(explorer, "Mark all", "older")
        click(explorer, "Mark")
        assert len(explorer.marked) == 3


def test_the_message_the_keyboard_is_on_is_shown(tmp_path: Path) -> None:
    """By TOP, without a trace; what goes away is cleared."""
    with place(3) as where:
        explorer = opened(where, tmp_path)
        explorer.list.active = "uid-00002"
        explorer.mailbox.jobs.wait(SECONDS)
        assert explorer.mailbox.look is not None
        assert explorer.mailbox.look.row.subject == "mail 2"
        assert "RETR" not in where.verbs


def test_a_person_deletes_in_two_acts_and_reads_the_report(tmp_path: Path) -> None:
    """Review shows what would go; the button names the number; Python has the report."""
    with place(3) as where:
        explorer = opened(where, tmp_path)
        mark(explorer, 1, 2)
        click(explorer, "Review and delete")
        assert len(where.server.maildrop) == 3
        review = explorer.deleting._going
        assert review in set(within(explorer))
        assert [row.uidl for row in review.rows] == ["uid-00001", "uid-00002"]
        click(explorer, "Delete 2 messages from the server")
        assert [message.uidl for message in where.server.maildrop.messages] == ["uid-00003"]
        assert stored(tmp_path) == ["uid-00001", "uid-00002"]
        assert isinstance(explorer.report, DeletionReport)
        assert explorer.report.confirmed == ["uid-00001", "uid-00002"]
        assert [row.uidl for row in explorer.list.rows] == ["uid-00003"]
        assert explorer.marked == frozenset()
        assert explorer.mailbox.jobs.status == "2 messages deleted from the server."


def test_thinking_better_of_it_deletes_nothing(tmp_path: Path) -> None:
    """By the button, or by unmarking one in the review: then it is to be reviewed again."""
    with place(3) as where:
        explorer = opened(where, tmp_path)
        mark(explorer, 1, 2)
        click(explorer, "Review and delete")
        click(explorer, "Delete nothing")
        assert explorer.deleting.removal.plan is None
        click(explorer, "Review and delete")
        explorer.deleting._going.toggle(["uid-00001"], False)
        assert explorer.marked == {"uid-00002"}
        assert explorer.deleting.removal.plan is None
        assert len(where.server.maildrop) == 3


def test_emptying_a_mailbox_needs_a_tick_more(tmp_path: Path) -> None:
    """The words of the tick say what it does."""
    with place(2) as where:
        explorer = opened(where, tmp_path)
        mark(explorer, 1, 2)
        click(explorer, "Review and delete")
        click(explorer, "Delete 2 messages")
        assert "leaves the mailbox empty" in explorer.mailbox.jobs.error
        assert len(where.server.maildrop) == 2
        choose(explorer, "This leaves the mailbox empty. That is meant.", True)
        click(explorer, "Delete 2 messages")
        assert len(where.server.maildrop) == 0
        click(explorer, "List again")
        assert explorer.mailbox.jobs.error == ""


def test_what_is_still_there_is_told_by_reason_in_our_words(tmp_path: Path) -> None:
    """Not in those of the server."""
    with place(3, faults=[Say("DELE", b"-ERR CANARY\r\n", nth=1)]) as where:
        explorer = opened(where, tmp_path)
        mark(explorer, 1, 2)
        click(explorer, "Review and delete")
        click(explorer, "Delete 2 messages")
        assert explorer.deleting._told._said["lines"] == [
            "1 message not deleted: the server refused to delete it"
        ]
        assert explorer.marked == {"uid-00001"}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("all", ["uid-00001", "uid-00002", "uid-00003"]),
        ("marked", ["uid-00002"]),
        ("filtered", ["uid-00003"]),
    ],
)
def test_an_export_is_of_all_of_what_is_shown_or_of_what_is_marked(
    which: str, expected: list[str], tmp_path: Path
) -> None:
    """And its DataFrame is in reach."""
    with place(3) as where:
        explorer = opened(where, tmp_path / "mail")
        mark(explorer, 2)
        order = {"kind": "order", "turn": 1, "version": explorer.list.listing.version, "filtered": True}
        explorer.list._handle_custom_msg(order, [memoryview((2).to_bytes(4, "little"))])
        choose(explorer, "Which", which)
        click(explorer, "Export")
        assert explorer.dataset.path == tmp_path / "mail"
        assert stored(tmp_path / "mail") == expected
        assert isinstance(explorer.report, ExportReport)
        assert sorted(explorer.dataframe["uidl"]) == expected
        assert explorer.dataframe["textBody"].notna().all()


def test_every_control_has_a_label(tmp_path: Path) -> None:
    """A description, which ipywidgets ties to the field."""
    with place(1) as where:
        explorer = opened(where, tmp_path)
        click(explorer, "Change")
        controls = [
            each for each in within(explorer) if isinstance(each, ipywidgets.ValueWidget | ipywidgets.Button)
        ]
        controls = [each for each in controls if not isinstance(each, ipywidgets.HTML)]
        assert len(controls) > 15
        assert [each for each in controls if not each.description] == []
        assert explorer.connecting.secret.label


def test_nothing_of_mail_or_login_is_in_any_state_or_repr(tmp_path: Path) -> None:
    """Of every widget there is, also of those that are not shown now."""
    password, sender, subject, body, attachment = canaries = [secrets.token_hex(8) for _ in range(5)]
    raw = (
        f"From: {sender} <{sender}@example.org>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\n\r\n{body}\r\n"
        f"--b\r\nContent-Disposition: attachment; filename={attachment}.txt\r\n\r\n{body}\r\n--b--\r\n"
    )
    source = [StoredMessage(raw.encode(), "uid-00001"), *mails(3)[1:]]
    with place(source=source, password=password) as where:
        explorer = filled_in(where)
        type_password(explorer, password)
        explorer.mailbox.dataset = str(tmp_path)
        explorer.list.active = "uid-00001"
        explorer.mailbox.jobs.wait(SECONDS)
        mark(explorer, 1)
        click(explorer, "Review and delete")
        click(explorer, "Delete 1 message")
        assert explorer.report.confirmed == ["uid-00001"]
        states = json.dumps(ipywidgets.Widget.get_manager_state(drop_defaults=False), default=repr)
        bundles = [repr(each) + repr(each._repr_mimebundle_()) for each in (explorer, *explorer.children)]
        assert "p3f-explorer" in states
        assert [each for each in canaries if each in states + repr(bundles)] == []


def test_another_mailbox_starts_without_the_report_of_the_last(tmp_path: Path) -> None:
    """Its DataFrame is of its own headers."""
    with place(2) as where, place(1) as other:
        explorer = opened(where, tmp_path)
        click(explorer, "Export")
        explorer.mailbox.use(other.mailbox.account)
        explorer.mailbox.list_messages().wait(SECONDS)
        assert explorer.report is None
        assert len(explorer.dataframe) == 1
        assert explorer.dataframe["textBody"].isna().all()


def test_a_refused_login_of_a_second_listing_asks_for_the_password_again(tmp_path: Path) -> None:
    """It was changed meanwhile: the field is shown."""
    with place(2, faults=[Say("PASS", b"-ERR [AUTH] no\r\n", nth=2)]) as where:
        explorer = opened(where, tmp_path)
        click(explorer, "List again")
        assert explorer.connecting.secret in set(within(explorer))
        type_password(explorer, "secret")
        assert explorer.mailbox.jobs.error == ""


def test_an_account_whose_password_is_to_type_waits_for_it() -> None:
    """No thread beside a page can ask at a terminal."""
    explorer = explore(Account("work", "pop.example.org", 995, "ann", "prompt"))
    click(explorer, "Connect")
    assert "password is missing" in explorer.mailbox.jobs.error


def test_a_script_does_what_a_click_does() -> None:
    """`explorer.connect().wait()`."""
    with place(2) as where:
        explorer = explore(where.mailbox.account)
        rows = explorer.connect().wait(SECONDS)
        assert [row.uidl for row in rows] == ["uid-00001", "uid-00002"]
        assert explorer.failure is None


def test_panels_stand_alone() -> None:
    """Each with its own line that says what goes on."""
    with place(2) as where:
        panel = pop3frames.ConnectPanel(where.mailbox.account)
        panel.connect()
        panel.jobs.wait(SECONDS)
        deleting, exporting = pop3frames.DeletionBar(panel.mailbox), pop3frames.ExportPanel(panel.mailbox)
        for each in (panel, deleting, exporting):
            assert each.notice in each.children
        assert [value for _, value in exporting._which.options] == ["all", "marked"]
        assert Secret("secret") == panel.form.secret
