"""How far an export is, or many at once: a bar in a terminal or notebook, or told to a function.

No POP3, no files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Progress:
    """Messages done of those to fetch in this session, and their octets."""

    messages: int
    total_messages: int
    octets: int
    total_octets: int


class ProgressBar:
    """A tqdm bar of messages; None instead of a switch shows it where somebody can look at it."""

    def __init__(self, name: str, progress: bool | Callable[[Progress], object] | None) -> None:
        self._name, self._told = name, progress if callable(progress) else None
        self._shown = _somebody_looks() if progress is None else progress is True
        self._bar: Any = None
        self._totals = (0, 0)
        self._messages = self._octets = 0

    def start(self, total_messages: int, total_octets: int) -> None:
        """A session begins that is to fetch so much."""
        self.close()
        self._totals, self._messages, self._octets = (total_messages, total_octets), 0, 0
        if self._shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total_messages, desc=self._name, unit="mail")

    def step(self, octets: int) -> None:
        """One message is done."""
        self._messages += 1
        self._octets += octets
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._octets / 1e6:.1f} MB", refresh=False)
            self._bar.update()
        if self._told is not None:
            self._told(Progress(self._messages, self._totals[0], self._octets, self._totals[1]))

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """Accounts that have ended, and how many of them failed; messages and octets done so far, of all."""

    accounts: int
    total_accounts: int
    failed: int
    messages: int
    octets: int


class FleetBar:
    """One tqdm bar for all accounts; what it is told comes from one thread."""

    def __init__(self, progress: bool | Callable[[FleetProgress], object] | None) -> None:
        self._told = progress if callable(progress) else None
        self._shown = _somebody_looks() if progress is None else progress is True
        self._bar: Any = None
        self._last: FleetProgress | None = None

    def show(self, now: FleetProgress) -> None:
        """Tell of it, if anything has changed."""
        if now == self._last:
            return
        self._last = now
        if self._shown and self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=now.total_accounts, desc="accounts", unit="account")
        if self._bar is not None:
            failed = f"{now.failed} failed, " if now.failed else ""
            self._bar.set_postfix_str(
                f"{failed}{now.messages} mails, {now.octets / 1e6:.1f} MB", refresh=False
            )
            self._bar.n = now.accounts
            self._bar.refresh()  # `update` may wait for a next one, which may take long
        if self._told is not None:
            self._told(now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _somebody_looks() -> bool:
    """A terminal, or a notebook: there stderr is no terminal, but IPython's kernel runs in this process."""
    kernel: Any = sys.modules.get("ipykernel.kernelapp")
    return sys.stderr.isatty() or (kernel is not None and kernel.IPKernelApp.initialized())
