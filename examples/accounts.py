"""The accounts of the examples: a TOML file that names mailboxes, with their secrets by reference."""

import os
import tomllib
from pathlib import Path

from pop3frames import Account, POP3UsageError

DATASET = os.environ.get("MAIL_DATASET", "mail-dataset")


def account(name: str) -> Account:
    """The account of that name. KeyError when there is none."""
    path = Path(os.environ.get("MAIL_ACCOUNTS", "accounts.toml"))
    settings = tomllib.loads(path.read_text(encoding="utf-8"))[name]
    if ":" not in settings.get("secret", ""):
        raise POP3UsageError(f"{name}: secret must be a reference such as env:NAME, not a password")
    return Account(name, **settings)
