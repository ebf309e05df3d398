"""What a message is: every column declared once, with its name, type, nullability and meaning.

The one place where camelCase column names are spelled. `frames/schema.py` derives the Arrow schema from here,
`Message.to_dict` the documented dict, the README its column table. No I/O, no parsing, no Arrow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

# The type of a column, in words that every storage format can translate.
ColumnType = Literal["int64", "bool", "string", "binary", "timestamp_ms", "strings", "attachments"]


class Column(NamedTuple):
    """One column: `name` in tables and dicts, `attribute` on the dataclass, and what it means."""

    name: str
    attribute: str
    type: ColumnType
    nullable: bool
    meaning: str
    documented: bool


def _column(name: str, type_: ColumnType, meaning: str, *, ours: bool = False) -> dict[str, Any]:
    return {"name": name, "type": type_, "meaning": meaning, "documented": not ours}


def _columns(cls: type) -> tuple[Column, ...]:
    return tuple(
        Column(attribute=each.name, nullable="None" in str(each.type), **each.metadata)
        for each in fields(cls)
    )


@dataclass(slots=True)
class Attachment:
    """One attachment, described and not kept: its bytes stay in the raw message."""

    filename: str = field(
        metadata=_column("filename", "string", "decoded file name; '' when the part has none")
    )
    content_type: str = field(
        metadata=_column("contentType", "string", "media type in lower case, without parameters")
    )
    size: int = field(metadata=_column("size", "int64", "octets after transfer decoding"))

    def to_dict(self) -> dict[str, Any]:
        """The documented dict: filename, contentType, size."""
        return {column.name: getattr(self, column.attribute) for column in ATTACHMENT_COLUMNS}


ATTACHMENT_COLUMNS: tuple[Column, ...] = _columns(Attachment)

_NO_FLAGS = "always False: POP3 keeps no flags"


@dataclass(slots=True)
class Message:
    """One mail as a row. Fields in column order: the documented ones first, then ours."""

    message_id: int = field(
        default=0,
        metadata=_column("messageId", "int64", "number in its POP3 session, from 1; valid only there"),
    )
    pop_id: int = field(default=0, metadata=_column("popId", "int64", "the same number as messageId"))
    message_id_header: str | None = field(
        default=None, metadata=_column("messageIdHeader", "string", "the Message-ID header")
    )
    from_: str | None = field(default=None, metadata=_column("from", "string", "author, as 'Name <address>'"))
    to: list[str] = field(
        default_factory=list, metadata=_column("to", "strings", "recipients, each as 'Name <address>'")
    )
    cc: list[str] = field(default_factory=list, metadata=_column("cc", "strings", "copy recipients"))
    bcc: list[str] = field(
        default_factory=list,
        metadata=_column("bcc", "strings", "blind copy recipients; empty unless the header is there"),
    )
    subject: str | None = field(default=None, metadata=_column("subject", "string", "decoded subject"))
    text_body: str | None = field(
        default=None, metadata=_column("textBody", "string", "plain text, line ends as LF")
    )
    html_body: str | None = field(
        default=None, metadata=_column("htmlBody", "string", "HTML text, line ends as LF; not cleaned")
    )
    received_at: int | None = field(
        default=None,
        metadata=_column(
            "receivedAt", "timestamp_ms", "milliseconds since 1970 UTC, from Date, else Received"
        ),
    )
    size: int = field(default=0, metadata=_column("size", "int64", "octets of the raw message"))
    attachment_count: int = field(
        default=0, metadata=_column("attachmentCount", "int64", "number of attachments")
    )
    attachments: list[Attachment] = field(
        default_factory=list,
        metadata=_column("attachments", "attachments", "filename, contentType and size of each"),
    )
    is_read: bool = field(default=False, metadata=_column("isRead", "bool", _NO_FLAGS))
    is_starred: bool = field(default=False, metadata=_column("isStarred", "bool", _NO_FLAGS))
    is_deleted: bool = field(default=False, metadata=_column("isDeleted", "bool", _NO_FLAGS))
    is_spam: bool = field(default=False, metadata=_column("isSpam", "bool", _NO_FLAGS))
    is_draft: bool = field(default=False, metadata=_column("isDraft", "bool", _NO_FLAGS))
    is_sent: bool = field(default=False, metadata=_column("isSent", "bool", _NO_FLAGS))
    account: str = field(
        default="", metadata=_column("account", "string", "name of the account it came from", ours=True)
    )
    uidl: str | None = field(
        default=None,
        metadata=_column(
            "uidl", "string", "the server's unique id; null when missing or not unique", ours=True
        ),
    )
    content_hash: str | None = field(
        default=None, metadata=_column("contentHash", "string", "SHA-256 of the raw bytes, in hex", ours=True)
    )
    fetched_at: int | None = field(
        default=None,
        metadata=_column(
            "fetchedAt", "timestamp_ms", "when it was fetched, milliseconds since 1970 UTC", ours=True
        ),
    )
    parse_error: str | None = field(
        default=None,
        metadata=_column(
            "parseError",
            "string",
            "what was lost or guessed, as codes joined by ','; null: nothing",
            ours=True,
        ),
    )
    raw: bytes | None = field(
        default=None, metadata=_column("raw", "binary", "the original bytes; null unless kept", ours=True)
    )
    attachment_hashes: list[str] | None = field(
        default=None,
        metadata=_column(
            "attachmentHashes",
            "strings",
            "SHA-256 of each attachment in the store, in hex; '' for one not stored, null without a store",
            ours=True,
        ),
    )

    def to_dict(self) -> dict[str, Any]:
        """The documented message dict: the twenty documented keys in their order."""
        row = {column.name: getattr(self, column.attribute) for column in DOCUMENTED_COLUMNS}
        row["attachments"] = [attachment.to_dict() for attachment in self.attachments]
        return row


COLUMNS: tuple[Column, ...] = _columns(Message)
DOCUMENTED_COLUMNS: tuple[Column, ...] = tuple(column for column in COLUMNS if column.documented)
