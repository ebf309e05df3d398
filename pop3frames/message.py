"""What a message is: every column declared once, with its name, type, nullability and meaning.

The one place where camelCase column names are spelled. `frames/schema.py` derives the Arrow schema from here,
`Message.to_dict` the documented dict, the README its column table. No I/O, no parsing, no Arrow.
"""

from __future__ import annotations

import dataclasses
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


def _column(
    name: str,
    type_: ColumnType,
    meaning: str,
    *,
    nullable: bool = False,
    documented: bool = True,
    **field: Any,
) -> Any:
    metadata = {
        "name": name,
        "type": type_,
        "nullable": nullable,
        "meaning": meaning,
        "documented": documented,
    }
    return dataclasses.field(metadata=metadata, **field)


def _columns(cls: type) -> tuple[Column, ...]:
    return tuple(Column(attribute=field.name, **field.metadata) for field in dataclasses.fields(cls))


@dataclasses.dataclass(slots=True)
class Attachment:
    """One attachment, described and not kept: its bytes stay in the raw message."""

    filename: str = _column("filename", "string", "decoded file name; '' when the part has none")
    content_type: str = _column("contentType", "string", "media type in lower case, without parameters")
    size: int = _column("size", "int64", "size in octets after transfer decoding")

    def to_dict(self) -> dict[str, Any]:
        """The documented dict: filename, contentType, size."""
        return {column.name: getattr(self, column.attribute) for column in ATTACHMENT_COLUMNS}


ATTACHMENT_COLUMNS: tuple[Column, ...] = _columns(Attachment)


@dataclasses.dataclass(slots=True)
class Message:
    """One mail as a row. Fields in column order: the documented ones first, then ours."""

    message_id: int = _column(
        "messageId", "int64", "number in the POP3 session, from 1; valid only there", default=0
    )
    pop_id: int = _column("popId", "int64", "the same number as messageId", default=0)
    message_id_header: str | None = _column(
        "messageIdHeader", "string", "the Message-ID header", nullable=True, default=None
    )
    from_: str | None = _column("from", "string", "author, as 'Name <address>'", nullable=True, default=None)
    to: list[str] = _column("to", "strings", "recipients, each as 'Name <address>'", default_factory=list)
    cc: list[str] = _column("cc", "strings", "copy recipients", default_factory=list)
    bcc: list[str] = _column(
        "bcc", "strings", "blind copy recipients; empty unless the header is there", default_factory=list
    )
    subject: str | None = _column("subject", "string", "decoded subject", nullable=True, default=None)
    text_body: str | None = _column(
        "textBody", "string", "plain text, line ends as LF", nullable=True, default=None
    )
    html_body: str | None = _column(
        "htmlBody", "string", "HTML text, line ends as LF; never cleaned", nullable=True, default=None
    )
    received_at: int | None = _column(
        "receivedAt",
        "timestamp_ms",
        "milliseconds since 1970 in UTC, from Date, else Received",
        nullable=True,
        default=None,
    )
    size: int = _column("size", "int64", "octets of the raw message", default=0)
    attachment_count: int = _column("attachmentCount", "int64", "number of attachments", default=0)
    attachments: list[Attachment] = _column(
        "attachments", "attachments", "filename, contentType and size of each", default_factory=list
    )
    is_read: bool = _column("isRead", "bool", "always False: POP3 keeps no flags", default=False)
    is_starred: bool = _column("isStarred", "bool", "always False: POP3 keeps no flags", default=False)
    is_deleted: bool = _column("isDeleted", "bool", "always False: POP3 keeps no flags", default=False)
    is_spam: bool = _column("isSpam", "bool", "always False: POP3 keeps no flags", default=False)
    is_draft: bool = _column("isDraft", "bool", "always False: POP3 keeps no flags", default=False)
    is_sent: bool = _column("isSent", "bool", "always False: POP3 keeps no flags", default=False)
    account: str = _column(
        "account", "string", "name of the account it came from", documented=False, default=""
    )
    uidl: str | None = _column(
        "uidl",
        "string",
        "the server's unique id; null when missing or not unique",
        nullable=True,
        documented=False,
        default=None,
    )
    content_hash: str | None = _column(
        "contentHash",
        "string",
        "SHA-256 of the raw bytes, in hex",
        nullable=True,
        documented=False,
        default=None,
    )
    fetched_at: int | None = _column(
        "fetchedAt",
        "timestamp_ms",
        "when it was fetched, milliseconds since 1970 in UTC",
        nullable=True,
        documented=False,
        default=None,
    )
    parse_error: str | None = _column(
        "parseError",
        "string",
        "what was lost or guessed, as codes joined by ','; null is fine",
        nullable=True,
        documented=False,
        default=None,
    )
    raw: bytes | None = _column(
        "raw", "binary", "the original bytes; null unless kept", nullable=True, documented=False, default=None
    )

    def to_dict(self) -> dict[str, Any]:
        """The documented message dict: the twenty documented keys in their order."""
        row = {column.name: getattr(self, column.attribute) for column in DOCUMENTED_COLUMNS}
        row["attachments"] = [attachment.to_dict() for attachment in self.attachments]
        return row


COLUMNS: tuple[Column, ...] = _columns(Message)
DOCUMENTED_COLUMNS: tuple[Column, ...] = tuple(column for column in COLUMNS if column.documented)
