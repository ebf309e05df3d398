"""The protections, each taken away once: the harness must notice, or it protects nobody.

A mutant is a change to the text of one module, made when a process imports it.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """In `module`, the text `protection` (which must be there once) becomes `without`.

    seen_by    the script that must turn red, or "power" for the replay of power cuts
    as_what    what it must find: "lost", "doubled", "wrongly_deleted" or "untrue"
    """

    module: str
    protection: str
    without: str
    seen_by: str
    as_what: str

    def take_away(self) -> None:
        """For this process, which has not imported the module yet."""
        name = f"pop3frames.{self.module}"
        assert name not in sys.modules, f"{name} is imported already"
        sys.meta_path.insert(0, _Finder(name, self))


class _Finder:
    def __init__(self, name: str, mutant: Mutant) -> None:
        self._name, self._mutant = name, mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if name != self._name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(name, spec.origin, self._mutant)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname)
        assert source.count(self._mutant.protection) == 1, f"{fullname} has changed: mend this mutant"
        return compile(source.replace(self._mutant.protection, self._mutant.without), self.path, "exec")


MUTANTS: dict[str, Mutant] = {
    "the file is synced": Mutant("frames.parquet", "os.fsync(self._file.fileno())", "pass", "power", "lost"),
    "folders are synced": Mutant(
        "frames.parquet", "        os.fsync(descriptor)\n", "        pass\n", "power", "lost"
    ),
    "the account's folder is synced at a commit": Mutant(
        "frames.parts",
        "                make_durable(self._folder)\n",
        "                pass\n",
        "power",
        "lost",
    ),
    "a new folder's name is synced": Mutant(
        "frames.parts", "        sync_folder(path.parent)\n", "        pass\n", "power", "lost"
    ),
    "replaced parts are removed after the new one is synced": Mutant(
        "frames.leftovers",
        "    make_durable(folder)  # whoever linked the live part may have died before its sync\n",
        "",
        "power",
        "lost",
    ),
    "the ledger syncs before it answers": Mutant(
        "frames.ledger",
        "                make_durable(self.folder)\n",
        "                pass\n",
        "power",
        "lost",
    ),
    "a deletion syncs what it relies on": Mutant(
        "frames.originals", "            make_durable(path.parent)\n", "            pass\n", "power", "lost"
    ),
    "a part's number is linked, never taken over": Mutant(
        "frames.claim",
        "        final.hardlink_to(staged)\n",
        "        staged.replace(final)\n",
        "export, another meanwhile",
        "untrue",
    ),
    "the ledger is read again before the link": Mutant(
        "frames.parts",
        "if self._known.clashes(self._keys):",
        "if False:",
        "export, another meanwhile",
        "doubled",
    ),
    "a number that was replaced does not count": Mutant(
        "frames.parts",
        "if is_replaced(self._folder, number):",
        "if False:",
        "export, meanwhile another and a compaction",
        "untrue",
    ),
    "parts that another has replaced are not replaced again": Mutant(
        "frames.replacement",
        "        if not numbers <= live:\n",
        "        if not numbers:\n",
        "compact, another meanwhile",
        "doubled",
    ),
    "a reader whose parts vanish looks again": Mutant(
        "frames.snapshot", "_ATTEMPTS = 20", "_ATTEMPTS = 1", "read, a compaction meanwhile", "untrue"
    ),
    "replaced parts are removed only after the link": Mutant(
        "frames.replacement",
        "            path = _publish(file, folder, parts, unless)\n",
        "            [part.path.unlink() for part in parts]\n"
        "            path = _publish(file, folder, [], unless)\n",
        "compact",
        "lost",
    ),
    "the server's mail is fetched again and compared before DELE": Mutant(
        "export.deletion",
        "        for number in different:\n",
        "        for number in ():\n",
        "delete where an id was used again",
        "wrongly_deleted",
    ),
    "the stored bytes are hashed again before DELE": Mutant(
        "frames.originals",
        "if key[CONTENT_HASH] == hashlib.sha256(raw.as_buffer()).hexdigest():",
        "if key[CONTENT_HASH]:",
        "delete what is damaged in the dataset",
        "wrongly_deleted",
    ),
    "only +OK to QUIT confirms": Mutant(
        "export.deletion", "elif session.quit_confirmed:", "elif True:", "export and delete", "untrue"
    ),
}
