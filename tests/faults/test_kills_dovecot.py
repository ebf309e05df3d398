"""SIGKILL at random moments of exports from a real Dovecot, with deletion and without."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from export.mailboxes import mails
from faults.scripts import EXPORT, EXPORT_AND_DELETE
from faults.states import Stored, stored_in
from faults.tasks import Job
from faults.warm import Warm
from lab.dovecot import Dovecot

pytestmark = pytest.mark.dovecot
KILLS = int(os.environ.get("POP3FRAMES_KILLS", "12"))  # several hundred take some minutes
MAILS = {message.raw for message in mails(40)}


def broken(on_the_server: set[bytes], stored: Stored) -> Iterator[str]:
    """What is lost or doubled, or stored otherwise than it says."""
    if lost := MAILS - on_the_server - stored.durable:
        yield f"{len(lost)} mails are neither on the server nor in the dataset"
    if len(stored.rows) != len(stored.uidls):
        yield f"rows are doubled: {sorted(stored.rows)}"
    if stored.uidls != stored.known:
        yield "the ledger differs from the rows"
    yield from stored.findings


def mailbox(dovecot: Dovecot, name: str, home: Path, job: Job) -> Job:
    """The job for a new user, who has all the mail, and a dataset that is not there yet."""
    dovecot.add_user(name, "secret")
    dovecot.deliver(name, MAILS)
    return job | {"username": name, "folder": str(home / name)}


@pytest.mark.timeout(120 + KILLS)
@pytest.mark.parametrize("job", [EXPORT, EXPORT_AND_DELETE], ids=["without deletion", "with deletion"])
def test_kills_at_random_moments_lose_and_double_nothing(
    dovecot: Dovecot, dovecot_user: str, warm: Warm, home: Path, job: Job
) -> None:
    """Up to three on one mailbox and dataset, at any moment of what a whole run takes; then a run to its end.

    What the server has is read from Dovecot's own files: what is not to be deleted is there after each.
    """
    job = job | {"port": dovecot.port, "password": "secret", "octets": 1500}
    left = set[bytes]() if job.get("delete") else MAILS
    (whole,) = warm.run(mailbox(dovecot, f"{dovecot_user}-whole", home, job))
    chance, killed, rounds = random.Random(len(left)), 0, count()
    while killed < KILLS:
        job = mailbox(dovecot, f"{dovecot_user}-{next(rounds)}", home, job)
        name, folder = job["username"], Path(job["folder"])
        for _ in range(3):
            (answer,) = warm.run(job | {"seconds": chance.uniform(0, 1.2 * whole["took"])})
            killed += answer["ended"] == "killed"
            assert [] == list(broken(dovecot.mails(name), stored_in(folder)))
            assert left <= dovecot.mails(name)
        (answer,) = warm.run(job)
        assert ("done", left) == (answer["ended"], dovecot.mails(name))
        assert MAILS == stored_in(folder).durable
        assert [] == list(broken(dovecot.mails(name), stored_in(folder)))
        shutil.rmtree(folder)
