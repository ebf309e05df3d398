"""The examples as somebody would start them: a folder with accounts, an environment, the programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PASSWORD = "hunter2-canary"


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`environment(support=port)`: variables for a child process, each account on a loopback port."""

    def environment(**ports: int) -> dict[str, str]:
        tables = [
            f'[{name}]\nhostname = "127.0.0.1"\nport = {port}\nusername = "user"\nencryption = "none"\n'
            f'timeout = 10\nsecret = "env:SUPPORT_PASSWORD"\n'
            for name, port in ports.items()
        ]
        (tmp_path / "accounts.toml").write_text("\n".join(tables))
        return {
            **os.environ,
            "MAIL_ACCOUNTS": str(tmp_path / "accounts.toml"),
            "MAIL_DATASET": str(tmp_path / "dataset"),
            "SUPPORT_PASSWORD": PASSWORD,
        }

    return environment
