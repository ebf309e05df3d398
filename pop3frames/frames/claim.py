"""Giving a finished file a name that nobody else has: the compare-and-swap of the dataset.

Only this one step; it knows nothing of Parquet or of accounts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

# What link(2) answers on file systems without hard links (FAT, exFAT, some network shares).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # renameat2(2), Linux 3.15
_RENAME_EXCL = 4  # renamex_np(2), macOS 10.12


def claim(staged: Path, final: Path) -> None:
    """Makes `staged` appear as `final`, at once and whole. FileExistsError when the name is taken.

    `staged` may or may not keep its own name. OSError when the file system can neither link nor rename
    without replacing: a rename that might replace another writer's part is never tried.
    """
    try:
        final.hardlink_to(staged)
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        _rename_unless_exists(staged, final)


def unclaim(staged: Path, final: Path) -> None:
    """Takes a claim back: `final` goes, `staged` is there again. For a name that turned out not to count."""
    if staged.exists():
        final.unlink(missing_ok=True)
    else:
        final.replace(staged)


def _rename_unless_exists(source: Path, target: Path) -> None:
    # A marker file made with O_EXCL would not do: its owner may be slow or dead, and nobody can tell which.
    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(source), os.fsencode(target)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(old, new, _RENAME_EXCL)
        else:
            failed = libc.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, _RENAME_NOREPLACE)
    except AttributeError as exc:  # a C library older than the call
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(source), None, str(target)) from exc
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))
