"""Plans of a deletion: which rule keeps which mail, how a plan is saved, what is no plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from export.deletion_oracle import assert_untouched, exported, left, rewrite_parts
from export.mailboxes import account_at, account_of, mail, mails
from lab.relay import Relay
from lab.scripted import ScriptedServer

from pop3frames.errors import POP3UsageError
from pop3frames.export.deletion import commit_deletions, plan_deletions
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Lie
from pop3frames.server.features import Features
from pop3frames.server.maildrop import StoredMessage

SAFE, ABSENT = "", "its original bytes are not in the dataset"
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


def letter(
    uidl: str, date: str | None, sender: str = "Zoë <zoe@example.org>", octets: int = 300
) -> StoredMessage:
    """A mail with that date and sender."""
    dated = f"Date: {date}\r\n" if date else ""
    head = f"From: {sender}\r\nSubject: letter\r\n{dated}\r\n".encode()
    return StoredMessage(head + b"x" * (octets - len(head) - 2) + b"\r\n", uidl)


LETTERS = [
    letter("old", "Mon, 1 Jan 2001 00:00:00 +0000", octets=300),
    letter("moment", "Mon, 1 Jan 2024 00:00:00 +0000", octets=301),
    letter("abroad", "Mon, 1 Jan 2024 00:30:00 +0100", octets=302),
    letter("future", "Thu, 1 Jan 2099 00:00:00 +0000", "bob@example.net", octets=303),
    letter("undated", None, "ZOË@EXAMPLE.COM", octets=304),
    letter("unreadable", "yesterday evening", "nobody", octets=305),
]


def reasons(plan: pd.DataFrame) -> dict[str, str]:
    """Reason by unique-id; checks that `delete` says the same."""
    assert list(plan["delete"]) == [reason == "" for reason in plan["reason"]]
    return dict(zip(plan["uidl"], plan["reason"], strict=True))


def going(plan: pd.DataFrame) -> list[str]:
    """The unique-ids that would go."""
    return list(plan.loc[plan["delete"], "uidl"])


# What is planned


def test_without_rules_all_that_is_safe_would_go_and_nothing_is_marked(folder: Path) -> None:
    """A plan only looks: no RETR, no DELE."""
    served = mails(4)
    with EmbeddedServer(served[:3]) as server, Relay(server.port) as relay:
        exported(server, folder)
        server.maildrop.add(served[3])
        plan = plan_deletions(account_at(relay.port, server.password), folder)
        assert b"DELE" not in relay.capture
        assert b"RETR" not in relay.capture
        assert_untouched(server, served)
    assert dict.fromkeys(["uid-00001", "uid-00002", "uid-00003"], SAFE) | {"uid-00004": ABSENT} == reasons(
        plan
    )
    assert [
        "delete",
        "account",
        "uidl",
        "from",
        "subject",
        "receivedAt",
        "size",
        "contentHash",
        "reason",
    ] == list(plan)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"before": NEW_YEAR}, ["old", "abroad"]),
        ({"before": datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))}, ["old"]),
        ({"before": datetime(2100, 1, 1, tzinfo=UTC)}, ["old", "moment", "abroad", "future"]),
        ({"larger_than": 303}, ["undated", "unreadable"]),
        ({"larger_than": 0}, [message.uidl for message in LETTERS]),
        ({"sender": "zoë@example.com"}, ["undated"]),
        ({"sender": "zOË"}, ["old", "moment", "abroad", "undated"]),
        ({"sender": "bob.example"}, []),
        ({"uidls": ["old", "future", "elsewhere"]}, ["old", "future"]),
        ({"uidls": []}, []),
        ({"before": NEW_YEAR, "sender": "zoe", "larger_than": 301, "uidls": {"old", "abroad"}}, ["abroad"]),
    ],
)
def test_a_rule_keeps_what_it_does_not_name(
    folder: Path, rules: dict[str, object], expected: list[str]
) -> None:
    """By the mail's own date, by octets, by part of the sender, by name; all of them must agree."""
    with EmbeddedServer(LETTERS) as server:
        exported(server, folder)
        assert expected == going(plan_deletions(account_of(server), folder, **rules))  # type: ignore[arg-type]


def test_a_mail_without_a_date_stays_whatever_is_old(folder: Path) -> None:
    """Neither the moment of fetching nor today stands in for it."""
    with EmbeddedServer(LETTERS) as server:
        exported(server, folder)
        told = reasons(plan_deletions(account_of(server), folder, before=datetime(9000, 1, 1, tzinfo=UTC)))
    assert ("not older", "not older") == (told["undated"], told["unreadable"])


def test_a_moment_without_a_time_zone_is_refused_before_the_server_is_asked(folder: Path) -> None:
    """Nobody knows which hour it is."""
    with ScriptedServer([]) as server, pytest.raises(POP3UsageError, match="time zone"):
        plan_deletions(account_at(server.port), folder, before=datetime(2024, 1, 1))  # noqa: DTZ001
    assert [] == server.peers


@pytest.mark.parametrize("served", [[], mails(2)])
def test_without_a_dataset_nothing_would_go(folder: Path, served: list[StoredMessage]) -> None:
    """An empty mailbox and an empty dataset make a plan all the same, under every rule."""
    with EmbeddedServer(served) as server:
        account = account_of(server)
        plan = plan_deletions(account, folder, before=NEW_YEAR, larger_than=1, sender="a", uidls=["b"])
        assert [ABSENT] * len(served) == list(plan["reason"])
        assert [] == going(plan_deletions(account, folder))
        assert "0 deleted, 0 refused, 0 unknown" in str(commit_deletions(account, folder, plan))
    assert not folder.exists()


def test_mail_without_its_bytes_is_never_planned(folder: Path) -> None:
    """Exported without keep_raw, it has a row and nothing to fall back on."""
    with EmbeddedServer(mails(2)) as server:
        exported(server, folder, keep_raw=False)
        plan = plan_deletions(account_of(server), folder)
    assert [ABSENT] * 2 == list(plan["reason"])
    assert ["mail 1", "mail 2"] == list(plan["subject"])


def test_a_pruned_mail_is_never_planned(folder: Path) -> None:
    """Its row is whole and its bytes are gone."""
    with EmbeddedServer(LETTERS) as server:
        exported(server, folder)
        Dataset(folder).prune(before=NEW_YEAR)
        told = reasons(plan_deletions(account_of(server), folder))
    assert {"old": ABSENT, "abroad": ABSENT} == {key: told[key] for key in told if told[key]}


def test_mail_whose_unique_id_is_not_its_own_is_never_planned(folder: Path) -> None:
    """Two with one id, two without any: each has a row in the plan, and stays."""
    served = mails(5)
    ids: dict[int, str | None] = {2: "twin", 3: "twin", 4: None}
    with EmbeddedServer(served) as server:
        exported(server, folder)
    with EmbeddedServer(served, faults=[Lie("UIDL", ids)]) as server:
        plan = plan_deletions(account_of(server), folder)
    assert ["uid-00001", "uid-00005"] == going(plan)
    assert 5 == len(plan)
    assert ["the server has no unique-id of its own for it"] * 3 == list(plan["reason"][1:4])


def test_a_server_without_unique_ids_has_nothing_to_plan(folder: Path) -> None:
    """Nothing is deleted by number alone."""
    with EmbeddedServer(mails(2), features=Features(uidl=False)) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder)
    assert (2, []) == (len(plan), going(plan))
    assert plan["uidl"].isna().all()


def test_only_the_bytes_of_this_account_count(folder: Path) -> None:
    """Another account of the dataset has mail under the same unique-ids."""
    with EmbeddedServer(mails(3)) as server:
        exported(server, folder)
        bob = account_of(server)
        object.__setattr__(bob, "name", "bob@example.org")
        assert [] == going(plan_deletions(bob, folder))
        report = commit_deletions(bob, folder, ["uid-00001"], empty_mailbox=True)
        assert_untouched(server, mails(3))
    assert ["uid-00001"] == list(report.refused)


# How it is saved


def by_csv(plan: pd.DataFrame, path: Path) -> pd.DataFrame:
    """To CSV and back, with ids as text."""
    plan.to_csv(path, index=False)
    return pd.read_csv(path, dtype={"uidl": str})


def by_parquet(plan: pd.DataFrame, path: Path) -> pd.DataFrame:
    """To Parquet and back."""
    plan.to_parquet(path)
    return pd.read_parquet(path)


@pytest.mark.parametrize("saved", [by_csv, by_parquet, lambda plan, path: plan])
@pytest.mark.parametrize("uidls", [["a", "b", "c"], ["0001", "0002", "1"], ["1e5", "TRUE", "-7"]])
def test_a_plan_that_was_saved_deletes_what_it_says_and_no_more(
    folder: Path, tmp_path: Path, saved: object, uidls: list[str]
) -> None:
    """Whatever the ids look like; one row was changed by hand."""
    served = [StoredMessage(mail(n).raw, uidl) for n, uidl in enumerate(uidls, 1)]
    with EmbeddedServer(served) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder)
        plan.loc[1, "delete"] = False
        read = saved(plan, tmp_path / "plan")  # type: ignore[operator]
        report = commit_deletions(account_of(server), folder, read)
        assert [uidls[1]] == left(server)
    assert sorted([uidls[0], uidls[2]]) == sorted(report.confirmed)


@pytest.mark.parametrize("word", ["False", "no", "false ", "0", "", "nein", "True"])
def test_a_plan_whose_marks_became_text_is_refused(folder: Path, tmp_path: Path, word: str) -> None:
    """One cell edited by hand makes text of the whole column, and the text 'False' is true."""
    with EmbeddedServer(mails(4)) as server:
        exported(server, folder)
        path = tmp_path / "plan.csv"
        plan_deletions(account_of(server), folder, uidls=["uid-00001"]).to_csv(path, index=False)
        head, _, rest = path.read_text().partition("\nFalse")
        path.write_text(f"{head}\n{word}{rest}\n")
        read = pd.read_csv(path, keep_default_na=False, dtype={"delete": str})
        with pytest.raises(POP3UsageError, match="True or False"):
            commit_deletions(account_of(server), folder, read)
        assert_untouched(server, mails(4))


@pytest.mark.parametrize("mark", [None, float("nan"), pd.NA, 1, 0.0, "True"])
def test_a_mark_that_is_neither_true_nor_false_is_refused(folder: Path, mark: object) -> None:
    """An emptied cell of a spreadsheet is no order to delete."""
    with EmbeddedServer(mails(2)) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder).astype({"delete": object})
        plan.loc[0, "delete"] = mark
        with pytest.raises(POP3UsageError, match="True or False"):
            commit_deletions(account_of(server), folder, plan, empty_mailbox=True)
        assert_untouched(server, mails(2))


def test_ids_that_became_numbers_are_refused_with_advice(folder: Path, tmp_path: Path) -> None:
    """0001 and 1 are two mails; a reader of CSV makes one number of them."""
    served = [StoredMessage(mail(n).raw, uidl) for n, uidl in enumerate(["0001", "1", "x"], 1)]
    with EmbeddedServer(served) as server:
        exported(server, folder)
        plan_deletions(account_of(server), folder, uidls=["0001"])[:2].to_csv(tmp_path / "plan", index=False)
        with pytest.raises(POP3UsageError, match=r'dtype=\{"uidl": str\}'):
            commit_deletions(account_of(server), folder, pd.read_csv(tmp_path / "plan"))
        assert_untouched(server, served)


def test_a_row_that_is_to_go_and_names_no_mail_is_refused(folder: Path) -> None:
    """An id that reads as a missing value ("NA") is lost on the way."""
    with EmbeddedServer(mails(2)) as server:
        exported(server, folder)
        plan = plan_deletions(account_of(server), folder)
        plan.loc[0, "uidl"] = None
        with pytest.raises(POP3UsageError, match="unique-id"):
            commit_deletions(account_of(server), folder, plan)


def test_a_plan_of_another_account_is_refused(folder: Path) -> None:
    """Many servers count from 1: the same unique-ids are other mail there."""
    with EmbeddedServer(mails(3)) as ann, EmbeddedServer(mails(3)) as other:
        exported(ann, folder)
        bob = account_of(other)
        object.__setattr__(bob, "name", "bob@example.org")
        from pop3frames.export.mailbox import export_mailbox

        export_mailbox(bob, folder, keep_raw=True)
        plan = plan_deletions(account_of(ann), folder, uidls=["uid-00001"])
        with pytest.raises(POP3UsageError, match="another account"):
            commit_deletions(bob, folder, plan)
        assert_untouched(other, mails(3))
        assert ["uid-00001"] == commit_deletions(account_of(ann), folder, plan).confirmed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (pd.DataFrame({"uidl": ["uid-00001"]}), "delete"),
        (pd.DataFrame({"delete": [True], "id": ["uid-00001"]}), "uidl"),
        (pd.DataFrame(), "delete"),
        (pa.table({"uidl": ["uid-00001"], "delete": [True]}), "DataFrame"),
        ("uid-00001", "one string"),
        ([1, 2], "unique-ids"),
        ([b"uid-00001"], "unique-ids"),
        ([None], "unique-ids"),
    ],
    ids=["no-marks", "no-ids", "empty", "arrow", "string", "numbers", "bytes", "nothing"],
)
def test_what_is_no_plan_is_refused_before_the_server_is_asked(
    folder: Path, wrong: object, said: str
) -> None:
    """Any table with a column `uidl` might come along."""
    with ScriptedServer([]) as server, pytest.raises(POP3UsageError, match=said):
        commit_deletions(account_at(server.port), folder, wrong)  # type: ignore[arg-type]
    assert [] == server.peers


def test_a_plan_reads_a_damaged_row_as_not_safe(folder: Path) -> None:
    """Its bytes no longer hash to what the row says."""
    with EmbeddedServer(mails(3)) as server:
        exported(server, folder)
        rewrite_parts(folder, lambda row: row | {"raw": b"rotten"} if row["uidl"] == "uid-00002" else row)
        told = reasons(plan_deletions(account_of(server), folder))
    assert {"uid-00001": SAFE, "uid-00002": ABSENT, "uid-00003": SAFE} == told
