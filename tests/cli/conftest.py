"""Fixtures of the command's tests: those of the export, which most commands run."""

from export.conftest import folder, pauses, waits

__all__ = ["folder", "pauses", "waits"]
