"""Fixtures of the command's tests: those of the export, which most commands run."""

from export.conftest import folder, waits

__all__ = ["folder", "waits"]
