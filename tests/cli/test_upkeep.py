"""`compact`, `prune` and `verify` from a shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from export.mailboxes import account_of, mail, mails

from pop3frames.cli.main import main
from pop3frames.export.mailbox import export_mailbox
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer


def invoke(*words: str) -> Result:
    """The command in this process."""
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def dataset(folder: Path) -> Path:
    """Two parts with four mails of 2024."""
    with EmbeddedServer(mails(3)) as server:
        export_mailbox(account_of(server), folder, keep_raw=True)
        server.maildrop.add(mail(4))
        export_mailbox(account_of(server), folder, keep_raw=True)
    return folder


def test_small_files_become_one_and_no_row_is_lost(dataset: Path) -> None:
    """And a second time there is nothing to do."""
    before = Dataset(dataset).to_table(["uidl", "raw"])
    assert invoke("compact", str(dataset)).stdout.endswith("2 files became 1\n")
    assert invoke("compact", str(dataset)).stdout == "0 files became 0\n"

    assert before == Dataset(dataset).to_table(["uidl", "raw"])
    assert 1 == len(Dataset(dataset).parts())


def test_pruning_asks_and_keeps_the_record(dataset: Path) -> None:
    """No is no; --yes is yes. The mail of a later day stays whole."""
    asked = CliRunner().invoke(main, ["prune", str(dataset), "--before", "2024-06-01"], input="n\n")
    assert 1 == asked.exit_code
    assert 0 == Dataset(dataset).to_table(["raw"])["raw"].null_count
    assert invoke("prune", str(dataset), "--before", "2024-01-01", "--yes").stdout.startswith("0 rows pruned")
    assert invoke("prune", str(dataset), "--before", "2024-06-01", "--yes").stdout.startswith("4 rows pruned")

    table = Dataset(dataset).to_table(["uidl", "raw"])
    assert (4, 4, 0) == (table.num_rows, table["raw"].null_count, table["uidl"].null_count)


def test_a_dataset_is_proved_whole_or_not(dataset: Path) -> None:
    """Status 4 names the damaged file."""
    assert 0 == invoke("verify", str(dataset)).exit_code
    part = Dataset(dataset).parts()[0]
    part.write_bytes(part.read_bytes()[:-100])
    result = invoke("verify", str(dataset))

    assert 4 == result.exit_code
    assert part.name in result.stdout


@pytest.mark.parametrize("command", [["compact"], ["verify"], ["prune", "--before", "2024-01-01", "--yes"]])
def test_what_is_no_dataset_is_misuse(tmp_path: Path, dataset: Path, command: list[str]) -> None:
    """A new folder is not made by looking at it, and a wrong one does not pass for an empty dataset."""
    (tmp_path / "other").mkdir()
    for path in ("nothing", "other"):
        result = invoke(*command, str(tmp_path / path))
        assert 2 == result.exit_code
        assert f"there is no dataset at {tmp_path / path}\n" in result.stderr
    account = Dataset(dataset).parts()[0].parent
    assert f"it lies in the dataset {dataset}\n" in invoke(*command, str(account)).stderr
    assert not (tmp_path / "nothing").exists()
    assert [] == list((tmp_path / "other").iterdir())
