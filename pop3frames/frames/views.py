"""The rows under other names and for other readers: snake_case columns, a DuckDB view, a pyarrow dataset.

Nothing here knows what is live; it is given the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pop3frames.errors import POP3UsageError
from pop3frames.frames.parquet import storage_errors
from pop3frames.frames.schema import SCHEMA
from pop3frames.message import COLUMNS

# A Message's attributes; `to` has an underscore more than there, because SQL reserves it like `from`.
SNAKE_NAMES = {column.name: {"to": "to_"}.get(column.attribute, column.attribute) for column in COLUMNS}


def renamed(table: pa.Table, rename: str | None) -> pa.Table:
    """The table with the column names asked for: None leaves them, "snake" gives those of SNAKE_NAMES."""
    if rename is None:
        return table
    if rename != "snake":
        raise POP3UsageError(f"rename is None or 'snake', not {rename!r}")
    return table.rename_columns([SNAKE_NAMES[name] for name in table.column_names])


def duckdb_view(name: str, paths: Sequence[Path]) -> str:
    """SQL that makes a DuckDB view over the files: the columns of SNAKE_NAMES, none of them a reserved word.

    Fields inside `attachments` keep their names. POP3UsageError when there are no files.
    """
    if not paths:
        raise POP3UsageError("nothing is committed yet: DuckDB cannot make a view over no files")
    there = {field for path in paths for field in _names_in(path)}
    columns = ",\n  ".join(
        f"{_quoted(column) if column in there else 'NULL'} AS {_quoted(alias)}"
        for column, alias in SNAKE_NAMES.items()
    )
    files = ", ".join(_literal(_escaped(path)) for path in paths)
    return (
        f"CREATE OR REPLACE VIEW {_quoted(name)} AS SELECT\n  {columns}\n"
        f"FROM read_parquet([{files}], union_by_name = true)"
    )


def arrow_dataset(paths: Sequence[Path]) -> Any:
    """A `pyarrow.dataset.Dataset` of SCHEMA over the files; nothing is read yet."""
    import pyarrow.dataset  # and with it pandas, perhaps: only where somebody asks for it

    return pyarrow.dataset.dataset([str(path) for path in paths], schema=SCHEMA, format="parquet")


def _names_in(path: Path) -> list[str]:
    with storage_errors(f"read {path}", "Nothing was changed."):
        return list(pq.read_schema(path).names)


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escaped(path: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", str(path))
