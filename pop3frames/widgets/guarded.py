"""Traits that several threads may set: page messages reach a widget in the middle of a running cell.

JupyterLab hands them to a subshell of the kernel, which is a thread. A change is made under one lock and told
to observers after it is released, so that an observer may take any lock of its own. An observer that needs
the newest value reads the trait: another thread may have set it since the change that it is told of.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import traitlets

G = TypeVar("G")
S = TypeVar("S")


class Guarded(traitlets.HasTraits):
    """A base that goes before a widget's: `with self.changing():` makes several changes as one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._untold: list[Any] = []
        super().__init__(*args, **kwargs)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock; what changed is told once it is released."""
        changes: list[Any] = []
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    if not self._depth:
                        changes, self._untold = self._untold, []
        finally:
            for change in changes:
                super().notify_change(change)

    def notify_change(self, change: Any) -> None:
        """Tell observers, or keep it for the end of `changing`."""
        with self._lock:
            if self._depth:
                self._untold.append(change)
                return
        super().notify_change(change)


class GuardedTrait(traitlets.TraitType[G, S]):
    """A trait of a Guarded class: set under its lock, and told after."""

    def set(self, obj: traitlets.HasTraits, value: S) -> None:
        """As every trait, but under the lock."""
        assert isinstance(obj, Guarded)
        with obj.changing():
            super().set(obj, value)
