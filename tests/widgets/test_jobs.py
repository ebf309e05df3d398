"""One job at a time: progress, cancel, plain words; waiting from a script."""

from __future__ import annotations

import threading

import pytest

from pop3frames.errors import POP3ConnectionError, POP3UsageError
from pop3frames.export.progress import Progress
from pop3frames.widgets.jobs import Cancelled, Job, Jobs, Pace, in_words


class Gate:
    """Work that waits in the middle until it is let go on."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, job: Job[str]) -> str:
        self.reached.set()
        assert self.go.wait(10)
        job.go_on()
        return "done"


def test_a_script_waits_for_what_a_job_gives() -> None:
    """And finds the models idle then."""
    jobs = Jobs()
    assert jobs.start("counting", lambda _: 7).wait(10) == 7
    assert (jobs.running, jobs.error, jobs.pace) == ("", "", None)
    assert jobs.start("counting", lambda _: 8).wait(10) == 8


def test_a_second_job_is_refused_while_one_goes_on() -> None:
    """A mailbox lets in one session; the words name what goes on."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    assert gate.reached.wait(10)
    assert jobs.running == "exporting"
    with pytest.raises(POP3UsageError, match="exporting is still going on"):
        jobs.start("listing", lambda _: None)
    gate.go.set()
    assert job.wait(10) == "done"


def test_a_cancelled_job_says_so_and_is_no_error() -> None:
    """`wait` raises, so that no script takes it for done."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    assert gate.reached.wait(10)
    jobs.cancel()
    gate.go.set()
    with pytest.raises(Cancelled):
        job.wait(10)
    assert (jobs.status, jobs.error, jobs.running) == ("exporting was cancelled", "", "")


def test_an_error_becomes_words_and_is_raised_by_wait(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed: in a notebook it would land in whichever cell ran last."""

    def work(_: Job[None]) -> None:
        raise POP3ConnectionError("pop.example.org:995 did not answer in 30 s: check host and port")

    jobs = Jobs()
    with pytest.raises(POP3ConnectionError):
        jobs.start("connecting", work).wait(10)
    assert jobs.error == "Pop.example.org:995 did not answer in 30 s: check host and port."
    assert isinstance(jobs.failure, POP3ConnectionError)
    assert capfd.readouterr() == ("", "")


def test_an_error_disappears_when_the_next_job_begins() -> None:
    """What is shown is about now."""
    jobs = Jobs()
    with jobs.told():
        raise POP3UsageError("nothing is marked")
    assert jobs.error == "Nothing is marked."
    jobs.start("counting", lambda _: 7).wait(10)
    assert jobs.error == ""


def test_what_was_refused_meanwhile_is_forgotten_at_the_end_of_what_it_waited_for() -> None:
    """Else a page would tell somebody to wait for an export that has ended."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    assert gate.reached.wait(10)
    with jobs.told():
        jobs.start("listing", lambda _: None)
    assert "still going on" in jobs.error
    gate.go.set()
    job.wait(10)
    assert jobs.error == ""


def test_a_cancel_shows_at_once_that_it_was_heard() -> None:
    """The job may need a moment to end well."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    assert gate.reached.wait(10)
    assert (jobs.running, jobs.busy) == ("exporting", "exporting")
    jobs.cancel()
    assert jobs.running == "cancelling: exporting"
    gate.go.set()
    with pytest.raises(Cancelled):
        job.wait(10)
    assert (jobs.running, jobs.busy) == ("", "")


def test_a_brief_job_gives_way_to_the_next_and_never_overlaps_it() -> None:
    """Somebody who walks down a list wants the last message, and no session may meet another."""
    jobs, gate, order = Jobs(), Gate(), []
    first = jobs.start("reading", lambda job: order.append(gate(job)), brief=True)
    assert gate.reached.wait(10)
    skipped = jobs.start("reading", lambda _: order.append("skipped"), brief=True)
    last = jobs.start("exporting", lambda _: order.append("last"))
    assert jobs.running == ""
    gate.go.set()
    last.wait(10)
    for job in (first, skipped):
        with pytest.raises(Cancelled):
            job.wait(10)
    assert order == ["last"]
    assert (jobs.error, jobs.status) == ("", "")


def test_a_brief_job_waits_for_nobody_else() -> None:
    """While a long job goes on a message cannot be read: the mailbox is in use."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    assert gate.reached.wait(10)
    with pytest.raises(POP3UsageError):
        jobs.start("reading", lambda _: None, brief=True)
    gate.go.set()
    job.wait(10)


def test_waiting_too_short_is_a_timeout() -> None:
    """And the job goes on."""
    jobs, gate = Jobs(), Gate()
    job = jobs.start("exporting", gate)
    with pytest.raises(TimeoutError):
        job.wait(0.01)
    gate.go.set()
    assert job.wait(10) == "done"


def test_of_many_threads_that_start_at_once_one_wins() -> None:
    """Callbacks come on a kernel's subshell while a cell runs: enforced, not assumed."""
    jobs, gate, refused = Jobs(), Gate(), []
    barrier = threading.Barrier(8)

    def click() -> None:
        barrier.wait(10)
        try:
            jobs.start("exporting", gate)
        except POP3UsageError as exc:
            refused.append(exc)

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    gate.go.set()
    assert len(refused) == 7


def test_progress_is_told_in_messages_octets_rate_and_time_left() -> None:
    """By octets where they are known: large mail counts for more."""
    assert str(Pace(Progress(120, 160, 1_000_000, 4_000_000), 2.0)) == (
        "120 of 160 messages · 1.0 MB of 4.0 MB · 500 kB/s · 6 s left"
    )
    assert Pace(Progress(80, 160, 0, 0), 2.0).share == 0.5
    assert str(Pace(Progress(0, 160, 0, 0), 2.0)) == "0 of 160 messages"
    assert str(Pace(Progress(1, 100_000, 0, 0), 1.0)).endswith("· 1667 min left")
    assert str(Pace(Progress(1, 160, 500, 1000), 0.1)) == "1 of 160 messages · 500 B of 1.0 kB"


def test_every_job_tells_its_last_step() -> None:
    """However fast the steps come, a page that is told less often still sees the end."""
    jobs, told = Jobs(), []
    jobs.observe(lambda change: told.append(change["new"] and change["new"].progress.messages), "pace")

    def work(job: Job[None]) -> None:
        for number in range(1, 1001):
            job.tell(Progress(number, 1000, number, 1000))

    jobs.start("exporting", work).wait(10)
    assert told[0] == 1
    assert told[-2:] == [1000, None]
    assert len(told) < 100


@pytest.mark.parametrize(
    ("octets", "words"), [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (12e6, "12 MB"), (2.5e12, "2,500 GB")]
)
def test_octets_in_words(octets: float, words: str) -> None:
    """One figure that can be read."""
    assert in_words(octets) == words
