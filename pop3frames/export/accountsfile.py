"""accounts.toml: accounts written down, their secrets by reference only, each mistake told with its line.

    [defaults]                             # for every account that does not say otherwise
    preset = "gmail"

    [[account]]
    username = "ann@example.org"
    secret = "keyring:mail/ann@example.org"

What an account is, is in `accounts.py`; where things stand in a TOML text, in `tomllines.py`. No secret is
fetched here and no server asked.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from pop3frames.client.credentials import SecretReference
from pop3frames.client.presets import preset
from pop3frames.errors import POP3UsageError, printable
from pop3frames.export.accounts import Account, placed
from pop3frames.export.tomllines import Mistake, Steps, TomlLines

LARGEST = 4 << 20  # octets of a file
LONGEST_TIMEOUT = 86_400  # seconds
MOST_TOLD = 20  # mistakes

ACCOUNT, DEFAULTS = "account", "defaults"
_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "hostname": (str,),
    "port": (int,),
    "username": (str,),
    "secret": (str,),
    "preset": (str,),
    "encryption": (str,),
    "allow_plaintext": (bool,),
    "cafile": (str,),
    "auth": (str,),
    "timeout": (int, float),
    "pipelining": (bool,),
    "utf8": (bool,),
}
_SHARED = [key for key in _KINDS if key not in ("name", "username")]
_NEEDED = {"username", "secret", "hostname", "preset"}  # of the last two one
_WORDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
_PASSWORD = re.compile(r"pass|pwd|token", re.IGNORECASE)
_BELONGS_NOT = (
    "a password does not belong in this file: say where it is kept, secret = 'env:NAME', "
    "'keyring:service/username', 'command:PROGRAM ARGS', 'crypt:FILE#NAME' or 'prompt'"
)
_EXAMPLE: dict[str, Any] = {
    "name": "x",
    "hostname": "x",
    "port": 995,
    "username": "x",
    "secret": SecretReference("prompt"),
}


def load_accounts(path: str | os.PathLike[str]) -> list[Account]:
    """The accounts of a TOML file, in its order. No secret is fetched, no server asked.

    Each [[account]] has `username`, `secret` (a reference), and `hostname` or `preset`; it may have `name`
    (default: USERNAME@HOSTNAME), `port`, `encryption`, `allow_plaintext`, `cafile`, `auth`, `timeout`,
    `pipelining` and `utf8`. [defaults] has what is common to all. Paths in `cafile` and `crypt:` references
    start at the file's folder.

    POP3UsageError with the mistakes, each with its line; what may be a password is never quoted.
    """
    loaded = _loaded(Path(path).expanduser())
    if isinstance(loaded, POP3UsageError):
        raise loaded  # not from there, where the text of the file is in locals
    return loaded


def _loaded(path: Path) -> list[Account] | POP3UsageError:
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST + 1)
        text = octets.decode("utf-8-sig")  # Windows editors put a mark before the text
    except OSError as exc:
        return POP3UsageError(f"cannot read {shown}: {exc.strerror}")
    except UnicodeDecodeError as exc:
        line = octets.count(b"\n", 0, exc.start) + 1
        return POP3UsageError(f"{shown}, line {line}: this is not UTF-8")
    if len(octets) > LARGEST:
        return POP3UsageError(f"{shown} is larger than {LARGEST >> 20} MiB: it cannot be a list of accounts")
    reading = _Reading(TomlLines(text), path.parent)
    accounts = reading.accounts()
    if not reading.mistakes:
        return accounts
    told = [f"{shown}, line {line}: {meaning}" for line, meaning in sorted(set(reading.mistakes))[:MOST_TOLD]]
    return POP3UsageError("\n".join(told))


class _Reading:
    """One reading of a file: its accounts, and its mistakes."""

    def __init__(self, lines: TomlLines, folder: Path) -> None:
        self._lines, self._folder = lines, folder
        self.mistakes: list[Mistake] = []
        self._shared: set[str] = set()  # the keys of [defaults], wrong ones too: a mistake is told once

    def accounts(self) -> list[Account]:
        """Those without a mistake."""
        document = self._lines.document()
        if isinstance(document, Mistake):
            self.mistakes.append(document._replace(meaning=_plainer(document.meaning)))
        elif self._has_tables(document):
            shared = document.get(DEFAULTS, {})
            self._shared = set(shared)
            defaults = self._checked(shared, (DEFAULTS,), _SHARED)
            return self._all(document[ACCOUNT], defaults)
        return []

    def _has_tables(self, document: dict[str, Any]) -> bool:
        for key in document.keys() - {ACCOUNT, DEFAULTS}:
            self._mistake((key,), _unknown(key, (ACCOUNT, DEFAULTS)))
        if not isinstance(document.get(DEFAULTS, {}), dict):
            self._mistake((DEFAULTS,), "defaults are a table: write [defaults]")
        tables = document.get(ACCOUNT, [])
        if tables == [] and not self.mistakes:
            self.mistakes.append(Mistake(1, "there is no account in this file: write [[account]]"))
        elif not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            self._mistake((ACCOUNT,), "each account is a table in a list: write [[account]], in two brackets")
        return not self.mistakes

    def _all(self, tables: list[dict[str, Any]], defaults: dict[str, Any]) -> list[Account]:
        accounts: list[Account] = []
        named: dict[str, int] = {}
        for index, table in enumerate(tables):
            if len(self.mistakes) >= MOST_TOLD:
                break
            account = self._account(index, table, defaults)
            if account is None:
                continue
            first = named.setdefault(account.name, index)
            if first != index:
                self._mistake(
                    (ACCOUNT, index),
                    f"the account of line {self._lines.line((ACCOUNT, first))} is named "
                    f"{printable(account.name)!r} as well: give each a name of its own",
                )
            accounts.append(account)
        return accounts

    def _account(self, index: int, table: dict[str, Any], defaults: dict[str, Any]) -> Account | None:
        here: Steps = (ACCOUNT, index)
        before = len(self.mistakes)
        own = self._checked(table, here, _KINDS)
        # One of one's own goes before both of the defaults.
        passed_over = {"hostname", "preset"} if {"hostname", "preset"} & own.keys() else set()
        settings = {key: value for key, value in defaults.items() if key not in passed_over} | own
        wrong = (_NEEDED & (table.keys() | self._shared - passed_over)) - settings.keys()
        for key in {"username", "secret"} - settings.keys() - wrong:
            self._mistake(here, f"{key} is missing")
        if ("hostname" in settings) == ("preset" in settings) and not {"hostname", "preset"} & wrong:
            self._mistake(here, "give hostname or preset, one of them")
        if wrong or len(self.mistakes) > before:
            return None
        places = {key: (*(here if key in own else (DEFAULTS,)), key) for key in settings}
        return self._made(settings, places, here)

    def _made(self, settings: dict[str, Any], places: Mapping[str, Steps], here: Steps) -> Account | None:
        """The account; a mistake stands where the value does that is wrong, or at the account itself."""
        allowed = settings.pop("allow_plaintext", False)
        chosen = settings.pop("preset", None)
        try:
            key = "preset"
            provider = None if chosen is None else preset(chosen)
            if provider is not None and not provider.hostname:
                raise POP3UsageError(f"{provider.name} names no server: write hostname = ... instead")
            for key, value in settings.items():
                Account(**(_EXAMPLE | {key: value}))
        except POP3UsageError as exc:
            self._mistake(places[key], str(exc))
            return None
        where = placed(
            provider, *(settings.pop(key, None) for key in ("hostname", "port", "encryption", "auth"))
        )
        if where["encryption"] == "none" and not allowed and not _is_loopback(where["hostname"]):
            self._mistake(
                places["encryption"],
                f"without encryption the password can be read on the way to {printable(where['hostname'])}: "
                "write allow_plaintext = true beside it if that is meant",
            )
            return None
        settings.setdefault("name", f"{settings['username']}@{where['hostname']}")
        try:
            return Account(**settings, **where)
        except POP3UsageError as exc:
            self._mistake(here, str(exc))
            return None

    def _checked(self, table: dict[str, Any], here: Steps, known: Container[str]) -> dict[str, Any]:
        """The entries of a table that are what they should be, paths and references made complete."""
        good = {}
        for key, value in table.items():
            reason = _wrong(key, value, known)
            if reason is None:
                good[key] = self._complete(key, value)
            else:
                self._mistake((*here, key), reason)
        return good

    def _complete(self, key: str, value: Any) -> Any:
        if key == "cafile":
            return str(self._folder / Path(value).expanduser())
        if key == "secret" and value.startswith("crypt:"):
            return SecretReference(f"crypt:{self._folder / Path(value.removeprefix('crypt:')).expanduser()}")
        return SecretReference(value) if key == "secret" else value

    def _mistake(self, steps: Steps, meaning: str) -> None:
        self.mistakes.append(Mistake(self._lines.line(steps), meaning))


def _wrong(key: str, value: object, known: Container[str]) -> str | None:
    """Why this entry cannot be; None if it can. No value is quoted: any of them may be a password."""
    if key not in known:
        if _PASSWORD.search(key):
            return _BELONGS_NOT
        if key in _KINDS:
            return f"{key} is for one account: write it below its [[account]]"
        return _unknown(key, _KINDS)
    if type(value) not in _KINDS[key]:
        return f"{key} must be {_WORDS[_KINDS[key][-1]]}"
    if value == "":
        return f"{key} must not be empty"
    if key == "secret":
        try:
            SecretReference(str(value))
        except POP3UsageError:
            return _BELONGS_NOT
    if key == "timeout" and not 0 < value <= LONGEST_TIMEOUT:  # type: ignore[operator]
        return f"timeout must be more than 0 and at most {LONGEST_TIMEOUT} seconds"
    return None


def _unknown(key: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"{printable(key)!r} is not known here: {meant}"


def _plainer(meaning: str) -> str:
    hint = ": text needs quotes, a switch is true or false" if meaning.startswith("Invalid value") else ""
    return f"this is not TOML: {printable(meaning)}{hint}"


def _is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"
