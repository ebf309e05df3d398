"""Every exception of pop3frames, and the two questions each one answers.

    POP3Error
    ├── POP3ConnectionError        cannot reach, lost, timed out                     the connection is gone
    │   └── POP3ProtocolError      what came is not POP3, or breaks a limit          the connection is gone
    ├── POP3CommandError           the server said -ERR (verb, text, code)           the connection is usable
    │   ├── POP3AuthenticationError
    │   └── POP3BusyError          [IN-USE], [LOGIN-DELAY], [SYS/TEMP]: try later    the connection is usable
    ├── POP3UsageError             the state or the grammar forbids it               nothing was sent
    └── POP3ExportError            the dataset could not be written                  names what is complete

Whose fault: `fault`. Is the connection still usable: `connection_usable`. No message, repr or attribute ever
holds a secret, and text from a server or a mail appears only escaped.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

Fault = Literal["network", "server", "caller", "storage"]


def printable(text: str | bytes, limit: int = 200) -> str:
    """Text from outside, harmless in a terminal or a log: control and bidi characters escaped, and cut."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    shown = "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in text[: limit + 1])
    return shown if len(text) <= limit else shown[:limit] + "…"


def counted(number: int, noun: str = "message") -> str:
    """1 message, 2 messages, 10,000 messages."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class POP3Error(Exception):
    """Base of every error that pop3frames raises on purpose."""

    fault: ClassVar[Fault] = "caller"
    connection_usable: ClassVar[bool] = True


class POP3ConnectionError(POP3Error):
    """The server cannot be reached, or the connection was lost or timed out. The connection is closed.

    `retryable` is False where another attempt would fail the same way (a refused certificate, no STLS).
    `messages` holds what `fetch_messages` had before the loss, `report` what an export had done.
    """

    fault: ClassVar[Fault] = "network"
    connection_usable: ClassVar[bool] = False

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.messages: list[dict[str, Any]] = []
        self.report: Any = None


class POP3ProtocolError(POP3ConnectionError):
    """What the server sent is not POP3, or breaks a limit of `grammar.py`. The connection is closed."""

    fault: ClassVar[Fault] = "server"


class POP3CommandError(POP3Error):
    """The server answered -ERR. The connection is in step and usable.

    `verb` is the command ("RETR"), `text` what the server said after -ERR (escaped), `code` its response code
    without brackets ("SYS/PERM", RFC 2449 section 8) or None.
    """

    fault: ClassVar[Fault] = "server"

    def __init__(self, verb: str, text: str | bytes = "", code: str | None = None) -> None:
        self.verb, self.text, self.code = verb, printable(text), code
        super().__init__(f"the server refused {verb}: {self.text or '(no reason given)'}")


class POP3AuthenticationError(POP3CommandError):
    """The login was refused. Not retried: repeated wrong passwords lock accounts."""

    fault: ClassVar[Fault] = "caller"


class POP3BusyError(POP3CommandError):
    """[IN-USE], [LOGIN-DELAY] or [SYS/TEMP] (RFC 2449 section 8.1, RFC 3206 section 4): try again later.

    `retry_after` is in seconds where the server announced one (CAPA LOGIN-DELAY), else None.
    """

    def __init__(
        self, verb: str, text: str | bytes = "", code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(verb, text, code)
        self.retry_after = retry_after


class POP3UsageError(POP3Error, ValueError):
    """The call makes no sense in this state, or an argument is malformed. Nothing was sent.

    A ValueError too, which is what poplib raises for such.
    """


class POP3ExportError(POP3Error):
    """The dataset or file could not be written. What was committed before is complete; `report` names it."""

    fault: ClassVar[Fault] = "storage"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.report: Any = None
