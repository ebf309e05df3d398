"""Fixtures of the command's tests: those of the export, which most commands run."""

from export.conftest import answer, folder, lock_waits, waits

__all__ = ["answer", "folder", "lock_waits", "waits"]
