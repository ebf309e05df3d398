"""Many accounts on a real Dask cluster: killed workers, references instead of secrets, limits a host."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from export.fleets import PASSWORD, Gate, account, accounts_of, names, stored_by_account, users
from export.mailboxes import ids, mails

from pop3frames.client.credentials import OAuth2, Secret
from pop3frames.errors import POP3UsageError
from pop3frames.export import engines
from pop3frames.export.fleet import export_accounts
from pop3frames.export.fleetreport import FleetReport
from pop3frames.export.progress import FleetProgress
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Stall

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.timeout(300)  # workers start anew, which takes long where cores are busy

REFERENCE = "env:POP3FRAMES_FLEET"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers with two threads each; each may have one session of the host `localhost`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POP3FRAMES_FLEET", PASSWORD)  # the workers inherit it
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, resources={"pop3:localhost": 1}
        )
        with cluster, distributed.Client(cluster) as client:
            yield client


def states(report: FleetReport) -> dict[str, str]:
    return {each.account: each.state for each in report.accounts}


def commit_often(octets: int) -> None:
    """On a worker: parts of so many octets."""
    from pop3frames.export import passes

    passes.COMMIT_OCTETS = octets


def fail_for(name: str | None) -> None:
    """On a worker: an error that is not ours for one account, until it is told None."""
    from pop3frames.export import engines, mailbox

    def failing(account: Any, *rest: Any, **options: Any) -> Any:
        if account.name == name:
            raise ValueError("a bug")
        return mailbox.export_mailbox(account, *rest, **options)

    engines.export_mailbox = mailbox.export_mailbox if name is None else failing


def test_fifty_accounts_are_whole_although_workers_are_killed(folder: Path, client: Any) -> None:
    """One killed while it works, and one that had stored half a mailbox when its server fell silent.

    Its account is done by the other worker, from where it had come to.
    """
    client.register_worker_callbacks(partial(commit_often, 2000))  # those that start anew too
    killed: list[int] = []
    halves: list[int] = []

    def kill_one_that_works() -> None:
        for address in [address for address, keys in client.processing().items() if keys][:1]:
            pid = client.run(os.getpid, workers=[address])[address]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    def watch(progress: FleetProgress) -> None:
        if progress.accounts >= 10 and not killed:
            kill_one_that_works()
        elif progress.accounts == 49:  # only the silent one is left
            halves.extend(len(uidls) for uidls in stored_by_account(folder).values() if len(uidls) < 30)
            kill_one_that_works()

    silent = [Stall("RETR", message=20, nth=30)]
    with EmbeddedServer(users=users(50, 30), faults=silent) as server:
        accounts = [account(name, server.port, REFERENCE, timeout=60) for name in server.users]
        report = export_accounts(accounts, folder, client=client, progress=watch)
    client.wait_for_workers(2)  # or the next test would tell something to one of them only
    assert 2 == len(set(killed))
    assert 1 == len(halves)
    assert 0 < halves[0] < 20
    assert {name: ids(mails(30)) for name in names(50)} == stored_by_account(folder)
    assert {"complete"} == set(states(report).values())
    assert Dataset(folder).verify()


def test_a_failure_of_one_account_stops_no_other(folder: Path, client: Any) -> None:
    """Ours come back in words; others are tried again by Dask, and then told too."""
    client.run(fail_for, "user03")
    try:
        with EmbeddedServer(users=users(6, 3)) as server:
            accounts = accounts_of(server, REFERENCE)
            accounts[1] = account("user01", server.port, "env:POP3FRAMES_NOWHERE")
            accounts[2] = account("nobody", server.port, REFERENCE)
            report = export_accounts(accounts, folder, client=client)
    finally:
        client.run(fail_for, None)
    failed = {each.account: each.error for each in report.with_state("failed")}
    assert {"user01", "nobody", "user03"} == failed.keys()
    assert failed["user01"].startswith("POP3UsageError: the environment variable POP3FRAMES_NOWHERE")
    assert failed["nobody"].startswith("POP3AuthenticationError")
    assert "not finished by the cluster: ValueError: a bug" == failed["user03"]
    assert {name: ids(mails(3)) for name in ("user00", "user04", "user05")} == stored_by_account(folder)


def test_secrets_are_neither_in_tasks_nor_in_the_scheduler_nor_in_its_logs(folder: Path, client: Any) -> None:
    """The reference is: a positive control of where we look."""
    seen: list[bytes] = []

    def look(progress: FleetProgress) -> None:
        if 0 < progress.accounts < 4:
            seen.append(client.run_on_scheduler(tasks_and_events))

    with EmbeddedServer(users=users(4, 3)) as server:
        accounts = accounts_of(server, REFERENCE)
        accounts.append(account("wrong", server.port, REFERENCE))
        report = export_accounts(accounts, folder, client=client, per_host=2, progress=look)
    told = [*seen, pickle.dumps(accounts), pickle.dumps(report)]
    logs = repr([client.get_worker_logs(), client.get_scheduler_logs()]).encode()
    assert any(REFERENCE.encode() in each for each in seen)
    assert PASSWORD.encode() not in b"".join([*told, logs])


def tasks_and_events(dask_scheduler: Any) -> bytes:
    """All that the scheduler knows of its tasks, as it would send it and as it would show it."""
    from distributed.protocol.pickle import dumps

    specs = [task.run_spec for task in dask_scheduler.tasks.values()]
    shown = [(str(task), repr(task.run_spec)) for task in dask_scheduler.tasks.values()]
    return bytes(dumps((specs, shown, repr(dask_scheduler._broker.__dict__))))


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (Secret(PASSWORD), "does not travel: give a reference"),
        (OAuth2(lambda force_refresh=False: PASSWORD), "does not travel: give a reference"),
        ("prompt", "nobody can type"),
    ],
)
def test_a_secret_that_cannot_travel_is_refused_before_anything_starts(
    folder: Path, client: Any, secret: Any, said: str
) -> None:
    """For all accounts, although only one has it."""
    with EmbeddedServer(users=users(2, 1)) as server:
        accounts = [account("user00", server.port, REFERENCE), account("user01", server.port, secret)]
        with pytest.raises(POP3UsageError, match=f"user01.*{said}|{said}.*user01") as caught:
            export_accounts(accounts, folder, client=client)
        assert 0 == server._accepted
    assert PASSWORD not in str(caught.value)
    assert not folder.exists()


def test_a_server_never_sees_more_sessions_than_it_may(folder: Path, client: Any) -> None:
    """per_host bounds what is submitted, whatever the cluster could do at once."""
    gate = Gate(3)
    with EmbeddedServer(users=users(12, 2, gate)) as server:
        report = export_accounts(accounts_of(server, REFERENCE), folder, client=client, per_host=3)
    assert {"complete"} == set(states(report).values())
    assert 3 == gate.most


def test_a_limit_that_workers_declare_holds_instead(folder: Path, client: Any) -> None:
    """One session of localhost for each of two workers, although four threads are there."""
    gate = Gate(2)
    with EmbeddedServer(users=users(10, 2, gate)) as server:
        accounts = [account(name, server.port, REFERENCE, "LOCALHOST") for name in server.users]
        report = export_accounts(accounts, folder, client=client, per_host=1)
    assert {"complete"} == set(states(report).values())
    assert 2 == gate.most


def test_attachments_and_rules_reach_the_workers(folder: Path, client: Any, tmp_path: Path) -> None:
    """Options travel with the account."""
    with EmbeddedServer(users=users(2, 5)) as server:
        report = export_accounts(
            accounts_of(server, REFERENCE),
            folder,
            client=client,
            keep_raw=True,
            limit=2,
            attachments=tmp_path / "files",
        )
    assert [2, 2] == report.to_dataframe()["new"].to_list()
    assert [[]] * 4 == Dataset(folder).to_table(["attachmentHashes"]).column(0).to_pylist()
    assert 0 == Dataset(folder).to_table(["raw"]).column(0).null_count


def test_an_interruption_leaves_whole_mails_and_the_next_run_completes(folder: Path, client: Any) -> None:
    """What waits is cancelled; what a worker has begun it ends, and nobody is in its way."""

    def interrupt(progress: FleetProgress) -> None:
        if progress.accounts == 2:
            raise KeyboardInterrupt

    with EmbeddedServer(users=users(8, 4)) as server:
        accounts = accounts_of(server, REFERENCE)
        with pytest.raises(KeyboardInterrupt):
            export_accounts(accounts, folder, client=client, per_host=2, progress=interrupt)
        assert 2 <= len(stored_by_account(folder)) < 8
        report = export_accounts(accounts, folder, client=client)
    assert {"complete"} == set(states(report).values())
    assert {name: ids(mails(4)) for name in names(8)} == stored_by_account(folder)


def test_a_worker_that_does_not_see_the_folders_says_so(tmp_path: Path) -> None:
    """Else it would make a dataset of its own, on its own disk."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    from pop3frames.export.attachments import AttachmentStore

    for dataset, store in [(elsewhere, None), (here, AttachmentStore(elsewhere))]:
        report = engines._on_worker(account("ann", 1, REFERENCE), dataset, {"attachments": store})
        assert "failed" == report.state
        assert f"this worker does not see the folder {elsewhere}" in report.error
    assert [here] == list(tmp_path.iterdir())
