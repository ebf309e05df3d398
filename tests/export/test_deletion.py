"""Committing a deletion: what is proved to be safe goes, the rest stays and the report says why."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from export.deletion_oracle import (
    ALL,
    assert_nothing_lost,
    assert_untouched,
    exported,
    left,
    rewrite_parts,
)
from export.mailboxes import ANN, account_at, account_of, mail, mails
from lab.relay import Relay

from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3ConnectionError, POP3Error, POP3ExportError, POP3UsageError
from pop3frames.export.deletion import Verify, commit_deletions, plan_deletions
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Lie, Rearrange, migrated, renumbered
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

BOTH = pytest.mark.parametrize("verify", ["hash", "uidl"])
OTHER_MAIL = "what the server has under this unique-id could not be fetched, or is another mail"
NOT_SAFE = "its original bytes are not in the dataset: exported without keep_raw (--keep-raw), or pruned"
FIVE = mails(5)


# What goes


@BOTH
@pytest.mark.parametrize("pipelining", [True, False])
def test_what_the_plan_says_goes_and_the_rest_stays(folder: Path, verify: Verify, pipelining: bool) -> None:
    """With commands ahead of replies and one by one; confirmed is what +OK to QUIT made real."""
    with EmbeddedServer(FIVE, features=Features(pipelining=pipelining)) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder, uidls=["uid-00002", "uid-00004"])
        report = commit_deletions(account_of(server), folder, plan, verify=verify)
        assert ["uid-00001", "uid-00003", "uid-00005"] == left(server)
        assert_nothing_lost(FIVE, server.maildrop.messages, folder)
    assert (["uid-00002", "uid-00004"], {}, []) == (report.confirmed, report.refused, report.unknown)
    assert f"{ANN}: 2 deleted, 0 refused, 0 unknown" == str(report)


def test_by_default_each_mail_is_fetched_again_before_it_is_marked(folder: Path) -> None:
    """Every RETR comes before the first DELE; by unique-id and size nothing is fetched."""
    with EmbeddedServer(FIVE) as server, Relay(server.port) as relay:
        exported(server, folder)
        account = account_at(relay.port, server.password)
        commit_deletions(account, folder, ["uid-00001", "uid-00002"])
        commit_deletions(account, folder, ["uid-00003"], verify="uidl")
        first, second = (bytes(each) for each in relay.from_clients)
    assert (2, 2) == (first.count(b"RETR"), first.count(b"DELE"))
    assert first.rindex(b"RETR") < first.index(b"DELE") < first.index(b"QUIT")
    assert (0, 1) == (second.count(b"RETR"), second.count(b"DELE"))


@BOTH
def test_what_has_another_size_than_when_it_was_chosen_stays(folder: Path, verify: Verify) -> None:
    """`seen` is checked in the session that deletes; where nothing is known of it, the other rules decide."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        wanted, size = ["uid-00001", "uid-00002", "uid-00003"], len(FIVE[0].raw)
        seen = {"uid-00001": size, "uid-00002": size + 1}
        report = commit_deletions(account_of(server), folder, wanted, verify=verify, seen=seen)
        assert ["uid-00002", "uid-00004", "uid-00005"] == left(server)
    changed = "LIST tells of another size than when it was chosen: list the messages again"
    assert (["uid-00001", "uid-00003"], {"uid-00002": changed}) == (report.confirmed, report.refused)


def test_a_report_is_a_table_with_a_row_a_mail(folder: Path) -> None:
    """Unique-id, state and reason."""
    with EmbeddedServer(FIVE[:3]) as server:
        exported(server, folder)
        frame = commit_deletions(account_of(server), folder, ["uid-00001", "gone"]).to_dataframe()
    assert ["uidl", "state", "reason"] == list(frame)
    assert [
        ["uid-00001", "confirmed", ""],
        ["gone", "refused", "it is not on the server any more"],
    ] == frame.to_numpy().tolist()


def test_nothing_to_delete_asks_no_server(folder: Path) -> None:
    """An empty plan is done before a connection is made."""
    assert [] == commit_deletions(account_at(1), folder, []).confirmed


# What stays


@BOTH
def test_mail_that_is_not_in_the_dataset_with_its_bytes_stays(folder: Path, verify: Verify) -> None:
    """Never exported, or exported without keep_raw."""
    with EmbeddedServer(FIVE[:2]) as server:
        exported(server, folder, keep_raw=False)
        server.maildrop.add(FIVE[2])
        wanted = ["uid-00001", "uid-00002", "uid-00003"]
        report = commit_deletions(account_of(server), folder, wanted, verify=verify, empty_mailbox=True)
        assert_untouched(server, FIVE[:3])
    assert dict.fromkeys(wanted, NOT_SAFE) == report.refused


@BOTH
def test_a_pruned_mail_stays(folder: Path, verify: Verify) -> None:
    """Its row is no longer a mail."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder, uidls=["uid-00001"])
        Dataset(folder).prune(before=datetime(2100, 1, 1, tzinfo=UTC))
        report = commit_deletions(account_of(server), folder, plan, verify=verify)
        assert_untouched(server, FIVE)
    assert {"uid-00001": NOT_SAFE} == report.refused


@BOTH
def test_a_mail_whose_row_is_damaged_stays(folder: Path, verify: Verify) -> None:
    """One bit of its bytes differs; the others go."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)

        def rot(row: dict[str, Any]) -> dict[str, Any]:
            return (
                row | {"raw": row["raw"].replace(b"dots", b"eots", 1)} if row["uidl"] == "uid-00002" else row
            )

        rewrite_parts(folder, rot)
        report = commit_deletions(account_of(server), folder, ["uid-00001", "uid-00002"], verify=verify)
        assert ["uid-00002", "uid-00003", "uid-00004", "uid-00005"] == left(server)
    assert {"uid-00002": NOT_SAFE} == report.refused


@BOTH
def test_a_flipped_byte_anywhere_in_the_file_deletes_nothing_that_is_damaged(
    folder: Path, verify: Verify
) -> None:
    """The part cannot be read, or the row no longer hashes, or the octet did not matter: never a loss."""
    with EmbeddedServer(mails(3, octets=2000)) as server:
        exported(server, folder)
    [part] = Dataset(folder).parts()
    whole = part.read_bytes()
    outcomes = set()
    for at in range(5, len(whole), len(whole) // 40):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        with EmbeddedServer(mails(3, octets=2000)) as server:
            try:
                report = commit_deletions(
                    account_of(server), folder, ["uid-00001", "uid-00002"], verify=verify
                )
                outcomes.add("refused" if report.refused else "deleted")
            except POP3ExportError:
                outcomes.add("unreadable")
            gone = {"uid-00001", "uid-00002", "uid-00003"} - set(left(server))
        # What went must be readable from the file as it is now.
        assert not gone or gone <= Dataset(folder).safe(ANN, gone).keys(), at
    assert "unreadable" in outcomes


def test_bytes_in_another_accounts_folder_do_not_count(folder: Path) -> None:
    """A part copied there by hand holds another account's rows."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        [part] = Dataset(folder).parts()
        other = folder / "bob%40example.org"
        other.mkdir()
        part.rename(other / part.name)
        bob = account_of(server)
        object.__setattr__(bob, "name", "bob@example.org")
        report = commit_deletions(bob, folder, ["uid-00001"], verify="uidl")
        assert_untouched(server, FIVE)
    assert {"uid-00001": NOT_SAFE} == report.refused


def test_each_account_loses_only_its_own_mail(folder: Path) -> None:
    """Two mailboxes with the same unique-ids and other mail in them."""
    theirs = [StoredMessage(mail(n + 10).raw, f"uid-{n:05d}") for n in range(1, 6)]
    with EmbeddedServer(FIVE) as ann, EmbeddedServer(theirs) as other:
        bob = account_of(other)
        object.__setattr__(bob, "name", "bob@example.org")
        exported(ann, folder)
        export_mailbox(bob, folder)  # without the bytes
        report = commit_deletions(bob, folder, ["uid-00001"], verify="uidl")
        assert {"uid-00001": NOT_SAFE} == report.refused
        assert_untouched(other, theirs)
        assert ["uid-00001"] == commit_deletions(account_of(ann), folder, ["uid-00001"]).confirmed
        assert_untouched(other, theirs)


@BOTH
def test_a_mail_that_is_gone_meanwhile_is_told_and_the_others_go(folder: Path, verify: Verify) -> None:
    """Somebody else deleted it: it is not ours to report as deleted."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        server.maildrop.rearrange(lambda messages: messages[1:])
        report = commit_deletions(account_of(server), folder, ["uid-00001", "uid-00002"], verify=verify)
        assert ["uid-00003", "uid-00004", "uid-00005"] == left(server)
    assert {"uid-00001": "it is not on the server any more"} == report.refused
    assert ["uid-00002"] == report.confirmed


# Numbers and unique-ids that change


@BOTH
def test_numbers_that_shift_between_sessions_delete_no_other_mail(folder: Path, verify: Verify) -> None:
    """Mail went and came, and the server shows it from the last to the first."""
    with EmbeddedServer(FIVE, faults=[Rearrange(renumbered, connections={3})]) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder, uidls=["uid-00002", "uid-00005"])
        server.maildrop.rearrange(lambda messages: [mail(9), *messages[1:], mail(10)])
        report = commit_deletions(account_of(server), folder, plan, verify=verify)
        assert ["uid-00010", "uid-00004", "uid-00003", "uid-00009"] == left(server)
    assert ["uid-00002", "uid-00005"] == report.confirmed


@BOTH
def test_a_migrated_mailbox_keeps_everything(folder: Path, verify: Verify) -> None:
    """All unique-ids are new: none of the plan's is there."""
    with EmbeddedServer(FIVE, faults=[Rearrange(migrated, connections={3})]) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder)
        report = commit_deletions(account_of(server), folder, plan, verify=verify, empty_mailbox=True)
        assert 5 == len(server.maildrop)
    assert dict.fromkeys(plan["uidl"], "it is not on the server any more") == report.refused


@pytest.mark.parametrize("octets", [400, 900], ids=["same-size", "other-size"])
def test_a_unique_id_that_was_given_to_another_mail_keeps_it(folder: Path, octets: int) -> None:
    """RFC 1939 forbids it and servers do it: the bytes decide."""
    reused = StoredMessage(mail(7, octets=octets).raw, "uid-00002")
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder, uidls=["uid-00001", "uid-00002"])
        server.maildrop.rearrange(lambda messages: [messages[0], reused, *messages[2:]])
        report = commit_deletions(account_of(server), folder, plan)
        assert ["uid-00002", "uid-00003", "uid-00004", "uid-00005"] == left(server)
        assert reused in server.maildrop.messages
    assert {"uid-00002": OTHER_MAIL} == report.refused
    assert ["uid-00001"] == report.confirmed


def test_by_unique_id_and_size_another_size_keeps_the_mail(folder: Path) -> None:
    """The weaker proof still sees that."""
    reused = StoredMessage(mail(7, octets=900).raw, "uid-00002")
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        server.maildrop.rearrange(lambda messages: [messages[0], reused, *messages[2:]])
        report = commit_deletions(account_of(server), folder, ["uid-00001", "uid-00002"], verify="uidl")
        assert reused in server.maildrop.messages
    assert {"uid-00002": "LIST tells of another size than the dataset"} == report.refused


@BOTH
@pytest.mark.parametrize("size", ["0", "399", "1000000", None])
def test_a_list_that_lies_about_a_size_is_no_proof(folder: Path, verify: Verify, size: str | None) -> None:
    """By hash the bytes decide all the same; by size the mail stays."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
    with EmbeddedServer(FIVE, faults=[Lie("LIST", {2: size})]) as server:
        report = commit_deletions(account_of(server), folder, ["uid-00002"], verify=verify)
        assert (verify == "hash") == ("uid-00002" not in left(server))
    assert (verify == "uidl") == ("uid-00002" in report.refused)


@BOTH
def test_a_unique_id_that_two_mails_have_keeps_both(folder: Path, verify: Verify) -> None:
    """One of them is safe, and nobody knows which."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
    with EmbeddedServer(FIVE, faults=[Lie("UIDL", {3: "uid-00002"})]) as server:
        report = commit_deletions(account_of(server), folder, ["uid-00002", "uid-00004"], verify=verify)
        assert ["uid-00001", "uid-00002", "uid-00003", "uid-00005"] == left(server)
    assert {"uid-00002": "several messages have this unique-id"} == report.refused


@BOTH
def test_a_server_without_unique_ids_keeps_everything(folder: Path, verify: Verify) -> None:
    """Nothing goes by number."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
    with EmbeddedServer(FIVE, features=Features(uidl=False)) as server:
        report = commit_deletions(account_of(server), folder, ["uid-00001"], verify=verify)
        assert_untouched(server, FIVE)
    assert {"uid-00001": "it is not on the server any more"} == report.refused


@BOTH
def test_unique_ids_that_moved_to_other_mail_keep_it(folder: Path, verify: Verify) -> None:
    """The listing gives each id to the next mail, and each has another size."""
    served = [mail(n, octets=300 + 100 * n) for n in range(1, 6)]
    moved = {n: f"uid-{n % 5 + 1:05d}" for n in range(1, 6)}
    with EmbeddedServer(served) as server:
        exported(server, folder)
    with EmbeddedServer(served, faults=[Lie("UIDL", moved)]) as server:
        wanted = [message.uidl for message in served]
        report = commit_deletions(account_of(server), folder, wanted, verify=verify, empty_mailbox=True)
        assert_untouched(server, served)
    assert sorted(wanted) == sorted(report.refused)


# Guards


@BOTH
def test_a_plan_that_would_empty_the_mailbox_needs_a_word_more(folder: Path, verify: Verify) -> None:
    """Not one mail is marked without it."""
    with EmbeddedServer(FIVE) as server, Relay(server.port) as relay:
        exported(server, folder)
        account = account_at(relay.port, server.password)
        plan = plan_deletions(account, folder)
        with pytest.raises(POP3UsageError, match="pass empty_mailbox=True"):
            commit_deletions(account, folder, plan, verify=verify)
        assert b"DELE" not in relay.capture
        assert b"RETR" not in relay.capture
        assert_untouched(server, FIVE)
        report = commit_deletions(account, folder, plan, verify=verify, empty_mailbox=True)
        assert (5, 0) == (len(report.confirmed), len(server.maildrop))
        assert [] == commit_deletions(account, folder, plan, verify=verify).confirmed


def test_more_deletions_than_the_limit_need_a_word_more(folder: Path) -> None:
    """Before the server is asked; the same mail named twice counts once."""
    with EmbeddedServer(FIVE) as server, Relay(server.port) as relay:
        exported(server, folder)
        account = account_at(relay.port, server.password)
        with pytest.raises(POP3UsageError, match=r"3 deletions are more than 2: pass most=3"):
            commit_deletions(account, folder, ["uid-00001", "uid-00002", "uid-00003"], most=2)
        assert [] == relay.from_clients
        twice = ["uid-00001", "uid-00002", "uid-00001"]
        assert twice[:2] == commit_deletions(account, folder, twice, most=2).confirmed


# Leaving early, and the disk


@pytest.mark.parametrize("ends", [KeyboardInterrupt, RuntimeError, MemoryError])
@pytest.mark.parametrize("verb", ["retr_many", "dele_many", "quit"])
def test_leaving_by_an_exception_deletes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ends: type[BaseException], verb: str
) -> None:
    """Ctrl-C while fetching, while marking, or before QUIT: the connection is closed without it."""
    sent: list[str] = []

    def broken(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(client: POP3, *arguments: Any) -> Any:
            if verb != "quit":
                sent.extend(map(str, original(client, *arguments)))
            else:
                client.close()
            raise ends("now")

        return call

    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        monkeypatch.setattr(POP3, verb, broken(getattr(POP3, verb)))
        report = None
        with contextlib.suppress(ends, POP3Error):
            report = commit_deletions(account_of(server), folder, ["uid-00001", "uid-00002"])
        server.stop()
        assert_untouched(server, FIVE)
    assert sent or verb == "quit"
    assert report is None or (verb, [], 2) == ("quit", report.confirmed, len(report.unknown))


def test_the_names_of_parts_are_on_the_disk_before_anything_is_marked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever linked a part may have died before it synced the folder: then a power cut would lose it."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        seen: list[Path] = []
        fsync = os.fsync

        def noted(descriptor: int) -> None:
            seen.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", noted)
        commit_deletions(account_of(server), folder, ["uid-00001"])
    kept = folder / "ann%40example.org"
    assert [kept / "part-00000001.parquet", kept, folder] == seen


@pytest.mark.parametrize(
    ("verify", "moment"), [("hash", "retr_many"), ("hash", "dele_many"), ("uidl", "dele_many")]
)
def test_mail_that_is_pruned_while_it_is_being_deleted_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, verify: Verify, moment: str
) -> None:
    """Before QUIT the dataset is looked at again; what a compaction moved, goes."""
    original = getattr(POP3, moment)

    def pruned(client: POP3, *arguments: Any) -> Any:
        dataset.compact()
        dataset.prune(before=datetime(2024, 1, 1, tzinfo=UTC))
        return original(client, *arguments)

    old = [replaced_date(mail(number), b"Mon, 2 Jan 2023 03:04:05 +0000") for number in (1, 2)]
    dataset, served = Dataset(folder), [*old, *FIVE[2:]]
    with EmbeddedServer(served) as server:
        exported(server, folder)
        monkeypatch.setattr(POP3, moment, pruned)
        report = commit_deletions(account_of(server), folder, ["uid-00001", "uid-00003"], verify=verify)
        assert ["uid-00001", "uid-00002", "uid-00004", "uid-00005"] == left(server)
        assert_nothing_lost(served, server.maildrop.messages, folder)
    assert (["uid-00003"], {"uid-00001": NOT_SAFE}, []) == (report.confirmed, report.refused, report.unknown)


def replaced_date(message: StoredMessage, date: bytes) -> StoredMessage:
    """The mail with another date."""
    return StoredMessage(message.raw.replace(b"Tue, 2 Jan 2024 03:04:05 +0000", date), message.uidl)


def test_a_dataset_that_vanishes_while_mail_is_being_deleted_keeps_it_on_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed, or its disk unmounted."""
    original = POP3.dele_many

    def vanished(client: POP3, *arguments: Any) -> Any:
        shutil.rmtree(folder)
        return original(client, *arguments)

    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        monkeypatch.setattr(POP3, "dele_many", vanished)
        report = commit_deletions(account_of(server), folder, ["uid-00001"])
        assert_untouched(server, FIVE)
    assert {"uid-00001": NOT_SAFE} == report.refused


def test_a_disk_that_refuses_to_sync_deletes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A POP3ExportError before the server is asked."""

    def refused(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with EmbeddedServer(FIVE) as server, Relay(server.port) as relay:
        exported(server, folder)
        monkeypatch.setattr(os, "fsync", refused)
        with pytest.raises(POP3ExportError, match="Nothing was deleted"):
            commit_deletions(account_at(relay.port, server.password), folder, ["uid-00001"])
        assert [] == relay.from_clients


def test_mail_in_many_parts_and_row_groups_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after a compaction."""
    monkeypatch.setattr("pop3frames.export.passes.COMMIT_OCTETS", 1500)
    served = mails(60)
    with EmbeddedServer(served) as server:
        exported(server, folder)
        assert 10 < len(Dataset(folder).parts())
        wanted = [message.uidl for message in served[::7]]
        assert wanted == commit_deletions(account_of(server), folder, wanted, most=ALL).confirmed
        Dataset(folder).compact()
        wanted = [message.uidl for message in served[1::7]]
        assert wanted == commit_deletions(account_of(server), folder, wanted, most=ALL).confirmed
        assert_nothing_lost(served, server.maildrop.messages, folder)


def test_a_server_that_is_not_there_is_a_report_too(folder: Path, waits: list[float]) -> None:
    """Every mail that was to go is in it."""
    with EmbeddedServer(FIVE) as server:
        exported(server, folder)
        account = account_of(server)
    with pytest.raises(POP3ConnectionError) as caught:
        commit_deletions(account, folder, ["uid-00001"])
    assert {"uid-00001": "the connection was lost before it was marked"} == caught.value.report.refused
