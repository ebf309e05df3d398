"""A file name from a mail, made harmless: what is left is a name and never a path.

Opening the file (exclusively, without following links) is the caller's part.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 150  # octets in UTF-8; file systems allow 255, and callers add prefixes
_LONGEST_SUFFIX = 20  # octets; a longer one is no file type worth keeping
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows; the slashes are gone by then
# Reserved on Windows with any suffix.
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?:\.|$)", re.IGNORECASE)
# Controls, formats (bidi and zero-width characters among them), surrogates, private use, line separators.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def safe_filename(name: str, otherwise: str = "attachment") -> str:
    """`name` as one harmless path component of at most 150 octets; `otherwise` when nothing is left."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    name = "".join(each for each in name if unicodedata.category(each) not in _UNSEEN)
    name = _FORBIDDEN.sub("_", name).strip().lstrip(". ")
    if _DEVICE.match(name):
        name = f"_{name}"
    return _shortened(name).rstrip(". ") or otherwise


def _shortened(name: str) -> str:
    """Cut in the middle, so that the suffix stays."""
    if len(name.encode()) <= _LONGEST:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix
    if not stem or len(ending.encode()) > _LONGEST_SUFFIX:
        stem, ending = name, ""
    return stem.encode()[: _LONGEST - len(ending.encode())].decode("utf-8", "ignore") + ending
