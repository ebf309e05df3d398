"""Work beside the page: one job at a time on a thread of its own, with progress, cancel, and plain words.

What the work is, its models say. Nothing is printed: a person reads `status`, `error` and `pace`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from traitlets import Instance, Unicode

from pop3frames.errors import POP3UsageError
from pop3frames.export.progress import Progress
from pop3frames.widgets.advice import plain_words
from pop3frames.widgets.guarded import Guarded

T = TypeVar("T")

_TELLING = 0.3  # seconds until a rate says anything
TOLD_EVERY = 0.1  # seconds between two words about progress: a page needs no more

log = logging.getLogger("pop3frames")
log.addHandler(logging.NullHandler())  # or a warning from a thread lands in whichever cell ran last


class Cancelled(Exception):  # noqa: N818  (it is no error)
    """Raised inside a job where it ends because somebody asked it to."""


@dataclass(frozen=True)
class Pace:
    """How far a job is, and how fast: `progress` after so many seconds."""

    progress: Progress
    seconds: float

    @property
    def share(self) -> float:
        """From 0 to 1, by octets where they are known, else by messages."""
        done, total = self.progress.octets, self.progress.total_octets
        if not total:
            done, total = self.progress.messages, self.progress.total_messages
        return min(1.0, done / total) if total else 0.0

    @property
    def rate(self) -> float:
        """Octets a second."""
        return self.progress.octets / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while it cannot be told."""
        return self.seconds * (1 - self.share) / self.share if self.share else None

    def __str__(self) -> str:
        told = [f"{self.progress.messages:,} of {self.progress.total_messages:,} messages"]
        if self.progress.total_octets:
            told.append(f"{in_words(self.progress.octets)} of {in_words(self.progress.total_octets)}")
        if self.progress.octets and self.seconds >= _TELLING:
            told.append(f"{in_words(self.rate)}/s")
        if self.seconds_left is not None and self.seconds >= _TELLING:
            told.append(f"{_duration(self.seconds_left)} left")
        return " · ".join(told)


def in_words(octets: float) -> str:
    """Octets as a person reads them: 712 B, 3.4 kB, 12 MB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= size:
            amount = octets / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    return f"{octets:.0f} B"


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 100 else f"{round(whole / 60)} min"


class Job(Generic[T]):
    """One piece of work, running or ended. A script waits for it: `job.wait()`."""

    def __init__(self, jobs: Jobs, name: str, brief: bool) -> None:
        self.name, self.brief = name, brief
        self.failure: Exception | None = None
        self._jobs = jobs
        self._result: T | None = None
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._started = self._told = time.monotonic()

    def cancel(self) -> None:
        """Ask it to end where nothing is left half done. It may still run for a moment: `wait`."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to end."""
        return self._cancelled.is_set()

    @property
    def ended(self) -> bool:
        """Whether it runs no more."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> T:
        """What it gave, when it has ended; raises what it raised, Cancelled, or TimeoutError (seconds)."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"{self.name} has not ended in {timeout:g} s")
        if self.failure is not None:
            raise self.failure
        return self._result  # type: ignore[return-value]  # set, where it did not fail

    def go_on(self) -> None:
        """Call this in the work wherever it can end. Raises Cancelled when it should."""
        if self.cancelled:
            raise Cancelled(f"{self.name} was cancelled")

    def tell(self, progress: Progress) -> None:
        """How far it is, for whoever looks."""
        now = time.monotonic()
        if progress.messages <= 1:
            self._started = now  # what came before was the login
        elif now - self._told < TOLD_EVERY and progress.messages < progress.total_messages:
            return
        self._told = now
        self._jobs.pace = Pace(progress, now - self._started)

    def run(self, work: Callable[[Job[T]], T], previous: Job[Any] | None) -> None:
        """On the job's own thread: wait for the one before, then work."""
        if previous is not None:
            previous._ended.wait()
        try:
            self.go_on()
            self._jobs.began(self)
            self._result = work(self)
        except Exception as exc:  # noqa: BLE001  (it is told to whoever looks, and raised by wait)
            self.failure = exc
        self._jobs.finished(self)
        self._ended.set()


class Jobs(Guarded):
    """The jobs of one mailbox: never two at once, because a mailbox lets in one session at a time.

    running   what is being done, "" when nothing is (brief jobs are not named)
    status    the last thing worth knowing;   error   what went wrong and what to try, "" when nothing did
    pace      how far the running job is
    """

    running = Unicode()
    status = Unicode()
    error = Unicode()
    pace = Instance(Pace, allow_none=True)

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None  # the error itself, for who wants to know more
        self._job: Job[Any] | None = None

    def start(self, name: str, work: Callable[[Job[T]], T], *, brief: bool = False) -> Job[T]:
        """Begin this work. POP3UsageError while other work goes on; a `brief` job gives way instead."""
        with self._lock:
            previous = self._job
            if previous is not None and not previous.brief:
                raise POP3UsageError(f"{previous.name} is still going on: wait for its end, or cancel it")
            if previous is not None:
                previous.cancel()
            job: Job[T] = Job(self, name, brief)
            self._job = job
        threading.Thread(
            target=job.run, args=(work, previous), name=f"pop3frames {name}", daemon=True
        ).start()
        return job

    @property
    def busy(self) -> str:
        """The name of the work that others have to wait for; "" when there is none."""
        with self._lock:
            return "" if self._job is None or self._job.brief else self._job.name

    def wait(self, timeout: float | None = None) -> None:
        """Return when nothing runs any more, however it ended. TimeoutError after so many seconds."""
        while (job := self._job) is not None:
            if not job._ended.wait(timeout):
                raise TimeoutError(f"{job.name} has not ended in {timeout:g} s")

    def cancel(self) -> None:
        """Ask the running job to end, if there is one."""
        with self.changing():
            if self._job is not None:
                self._job.cancel()
                if self.running:
                    self.running = f"cancelling: {self._job.name}"

    def began(self, job: Job[Any]) -> None:
        """The job runs now."""
        self.error = ""
        if not job.brief:
            self.running = job.name

    def finished(self, job: Job[Any]) -> None:
        """The job has ended; how, it knows."""
        with self.changing():
            superseded = self._job is not job
            self.pace, self.running = None, ""
            if isinstance(job.failure, Cancelled):
                if not job.brief:
                    self.status = str(job.failure)
            elif job.failure is not None and not superseded:
                self.tell_failure(job.failure)
            elif not superseded:
                self.error = ""  # of a click meanwhile, that was told to wait
            if not superseded:
                self._job = None

    def tell_failure(self, failure: Exception) -> None:
        """Say what went wrong and what to try."""
        log.warning("%s", type(failure).__name__, extra={"failure": failure})
        self.failure, self.error = failure, plain_words(failure)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Around what a click does: an exception there would appear nowhere on the page."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001
            self.tell_failure(exc)
