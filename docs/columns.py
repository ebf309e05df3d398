"""Prints the column table of the README, from the one place where columns are declared."""

from __future__ import annotations

from pop3frames.message import COLUMNS


def table() -> str:
    """The Markdown table: column, type, whether it can be null, meaning."""
    rows = ["| column | type | null | meaning |", "|---|---|---|---|"]
    for column in COLUMNS:
        null = "yes" if column.nullable else ""
        meaning = column.meaning.replace("<", r"\<")  # or a page takes <address> for a tag, and hides it
        rows.append(f"| `{column.name}` | {column.type} | {null} | {meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())  # noqa: T201
