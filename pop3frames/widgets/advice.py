"""Errors in plain words, with what to try. Never in a server's words: they may repeat a secret or a mail."""

from __future__ import annotations

from collections.abc import Callable

from pop3frames.errors import (
    POP3AuthenticationError,
    POP3BusyError,
    POP3CommandError,
    POP3ConnectionError,
    POP3ExportError,
    POP3ProtocolError,
    POP3UsageError,
)

_LOGIN = (
    "The server refused the login. Check the user name and the password; many providers want an app password "
    "or a token here, not the account’s own password."
)
_NOT_POP3 = (
    "What came is not POP3, or breaks a limit, and the connection was closed. Check host, port and "
    "encryption: “TLS from the start” is usual on port 995, the others on 110."
)
_NO_STLS = (
    "This server offers no TLS on that port. Try the encryption “TLS from the start”, usually on port 995."
)
_BUSY = {
    "IN-USE": "Another program has this mailbox open. Close it there, or try again in a few minutes.",
    "LOGIN-DELAY": "This server wants a pause between two logins. Wait, and try again.",
}


def _busy(error: POP3BusyError) -> str:
    words = _BUSY.get(error.code or "", "The server is in passing trouble. Try again in a few minutes.")
    return f"{words} It asks for {error.retry_after:.0f} seconds." if error.retry_after else words


def _refused(error: POP3CommandError) -> str:
    return (
        f"The server refused {error.verb} and the session went on. List the messages again; if it happens "
        "again, pop3frames.doctor(account) shows what this server can do."
    )


def _connection(error: POP3ConnectionError) -> str:
    """Our own words: they name host, port, certificate or timeout. Those of a refusal are the server's."""
    return _NO_STLS if isinstance(error.__cause__, POP3CommandError) else _sentence(str(error))


def _file(error: OSError) -> str:
    return f"The file system refused {error.filename or 'it'}: {error.strerror}. Choose another folder."


def _own_words(error: Exception) -> str:
    return _sentence(str(error))


# The first that fits: the more special stand above.
_WORDS: list[tuple[type[Exception], str | Callable[..., str]]] = [
    (POP3AuthenticationError, _LOGIN),
    (POP3BusyError, _busy),
    (POP3CommandError, _refused),
    (POP3ProtocolError, _NOT_POP3),
    (POP3ConnectionError, _connection),
    (POP3UsageError, _own_words),
    (POP3ExportError, _own_words),
    (OSError, _file),
]


def plain_words(error: Exception) -> str:
    """What happened and what to try, for a person who knows neither POP3 nor Python."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words if isinstance(words, str) else words(error)
    return f"Something unexpected happened ({type(error).__name__}). The error itself is in `.failure`."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
