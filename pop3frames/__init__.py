"""pop3frames turns a POP3 mailbox into tables, and loses no mail on the way.

The public door: every public name is imported on first use, so that `import pop3frames` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pop3frames.checkup.doctor import doctor
    from pop3frames.client.credentials import OAuth2, Secret, SecretReference
    from pop3frames.client.handler import POP3ProtocolHandler
    from pop3frames.client.oauth import google_tokens, microsoft_tokens
    from pop3frames.client.pool import POP3ConnectionPool
    from pop3frames.client.pop3 import POP3, POP3_SSL
    from pop3frames.client.presets import preset
    from pop3frames.client.retry import Retry
    from pop3frames.errors import (
        POP3AuthenticationError,
        POP3BusyError,
        POP3CommandError,
        POP3ConnectionError,
        POP3Error,
        POP3ExportError,
        POP3ProtocolError,
        POP3UsageError,
    )
    from pop3frames.export.accounts import Account
    from pop3frames.export.accountsfile import load_accounts
    from pop3frames.export.attachments import AttachmentStore
    from pop3frames.export.deletion import commit_deletions, plan_deletions
    from pop3frames.export.fleet import export_accounts
    from pop3frames.export.fleetreport import FleetReport
    from pop3frames.export.mailbox import export_mailbox
    from pop3frames.export.report import DeletionReport, ExportReport
    from pop3frames.export.snapshot import SnapshotReport, record_mailbox
    from pop3frames.frames.dataset import Dataset
    from pop3frames.message import Attachment, Message
    from pop3frames.parsing.parser import parse_message
    from pop3frames.protocol.grammar import Limits
    from pop3frames.server.embedded import EmbeddedServer
    from pop3frames.server.features import Bounds, Features
    from pop3frames.testing.environment import account_from_environment, server_environment
    from pop3frames.transcripts.recorder import Recorder
    from pop3frames.transcripts.replay import replay, replay_handler
    from pop3frames.widgets.connecting import ConnectPanel
    from pop3frames.widgets.deleting import DeletionBar
    from pop3frames.widgets.explorer import MailboxExplorer, explore
    from pop3frames.widgets.exporting import ExportPanel
    from pop3frames.widgets.messagelist import MessageList
    from pop3frames.widgets.messagepreview import MessagePreview

_ERRORS = "pop3frames.errors"
_HOMES = {
    "Account": "pop3frames.export.accounts",
    "Attachment": "pop3frames.message",
    "AttachmentStore": "pop3frames.export.attachments",
    "Bounds": "pop3frames.server.features",
    "ConnectPanel": "pop3frames.widgets.connecting",
    "Dataset": "pop3frames.frames.dataset",
    "DeletionBar": "pop3frames.widgets.deleting",
    "DeletionReport": "pop3frames.export.report",
    "EmbeddedServer": "pop3frames.server.embedded",
    "ExportPanel": "pop3frames.widgets.exporting",
    "ExportReport": "pop3frames.export.report",
    "Features": "pop3frames.server.features",
    "FleetReport": "pop3frames.export.fleetreport",
    "Limits": "pop3frames.protocol.grammar",
    "MailboxExplorer": "pop3frames.widgets.explorer",
    "Message": "pop3frames.message",
    "MessageList": "pop3frames.widgets.messagelist",
    "MessagePreview": "pop3frames.widgets.messagepreview",
    "OAuth2": "pop3frames.client.credentials",
    "POP3": "pop3frames.client.pop3",
    "POP3AuthenticationError": _ERRORS,
    "POP3BusyError": _ERRORS,
    "POP3CommandError": _ERRORS,
    "POP3ConnectionError": _ERRORS,
    "POP3ConnectionPool": "pop3frames.client.pool",
    "POP3Error": _ERRORS,
    "POP3ExportError": _ERRORS,
    "POP3ProtocolError": _ERRORS,
    "POP3ProtocolHandler": "pop3frames.client.handler",
    "POP3UsageError": _ERRORS,
    "POP3_SSL": "pop3frames.client.pop3",
    "Recorder": "pop3frames.transcripts.recorder",
    "Retry": "pop3frames.client.retry",
    "Secret": "pop3frames.client.credentials",
    "SecretReference": "pop3frames.client.credentials",
    "SnapshotReport": "pop3frames.export.snapshot",
    "account_from_environment": "pop3frames.testing.environment",
    "commit_deletions": "pop3frames.export.deletion",
    "doctor": "pop3frames.checkup.doctor",
    "export_accounts": "pop3frames.export.fleet",
    "explore": "pop3frames.widgets.explorer",
    "export_mailbox": "pop3frames.export.mailbox",
    "google_tokens": "pop3frames.client.oauth",
    "load_accounts": "pop3frames.export.accountsfile",
    "microsoft_tokens": "pop3frames.client.oauth",
    "parse_message": "pop3frames.parsing.parser",
    "plan_deletions": "pop3frames.export.deletion",
    "preset": "pop3frames.client.presets",
    "record_mailbox": "pop3frames.export.snapshot",
    "replay": "pop3frames.transcripts.replay",
    "replay_handler": "pop3frames.transcripts.replay",
    "server_environment": "pop3frames.testing.environment",
}

__all__ = [
    "POP3",
    "POP3_SSL",
    "Account",
    "Attachment",
    "AttachmentStore",
    "Bounds",
    "ConnectPanel",
    "Dataset",
    "DeletionBar",
    "DeletionReport",
    "EmbeddedServer",
    "ExportPanel",
    "ExportReport",
    "Features",
    "FleetReport",
    "Limits",
    "MailboxExplorer",
    "Message",
    "MessageList",
    "MessagePreview",
    "OAuth2",
    "POP3AuthenticationError",
    "POP3BusyError",
    "POP3CommandError",
    "POP3ConnectionError",
    "POP3ConnectionPool",
    "POP3Error",
    "POP3ExportError",
    "POP3ProtocolError",
    "POP3ProtocolHandler",
    "POP3UsageError",
    "Recorder",
    "Retry",
    "Secret",
    "SecretReference",
    "SnapshotReport",
    "account_from_environment",
    "commit_deletions",
    "doctor",
    "explore",
    "export_accounts",
    "export_mailbox",
    "google_tokens",
    "load_accounts",
    "microsoft_tokens",
    "parse_message",
    "plan_deletions",
    "preset",
    "record_mailbox",
    "replay",
    "replay_handler",
    "server_environment",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pop3frames' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
