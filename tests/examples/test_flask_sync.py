"""The Flask route, driven over HTTP: what it answers, and with which status."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from examples.conftest import EXAMPLES, PASSWORD
from export.mailboxes import ids, mails, stored

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import Status

Answer = tuple[int, dict[str, Any], dict[str, str]]


def unused_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def flask(environment: dict[str, str], log: Path) -> Iterator[int]:
    """The example as the README starts it, on a port of its own."""
    port = unused_port()
    words = [sys.executable, "-m", "flask", "--app", "flask_sync", "run", "--port", str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(words, cwd=EXAMPLES, env=environment, stdout=output, stderr=output) as program,
    ):
        try:
            _until_it_listens(port, program)
            yield port
        finally:
            program.terminate()


def _until_it_listens(port: int, program: subprocess.Popen[bytes]) -> None:
    while program.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError("flask ended before it listened")


def post(port: int, body: bytes, kind: str = "application/json") -> Answer:
    """Status, JSON and headers of the answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/pop3/sync", data=body, headers={"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer), dict(answer.headers)


def sync(port: int, name: str = "support") -> Answer:
    return post(port, json.dumps({"accountId": name}).encode())


def test_the_route_syncs_an_account_and_answers_every_error_by_its_kind(
    tmp_path: Path, environment: Callable[..., dict[str, str]]
) -> None:
    """New mail is counted once, the server keeps it, and what fails says whose fault it is."""
    log = tmp_path / "flask.log"
    busy = [Status("PASS", b"-ERR [IN-USE] in use"), Status("AUTH", b"-ERR [IN-USE] in use")]
    with (
        EmbeddedServer(mails(3), password=PASSWORD) as server,
        EmbeddedServer(password="another") as strict,
        EmbeddedServer(password=PASSWORD, faults=busy) as locked,
        flask(
            environment(support=server.port, refused=strict.port, busy=locked.port, gone=unused_port()), log
        ) as port,
    ):
        assert (200, {"synced": 3}) == sync(port)[:2]
        assert (200, {"synced": 0}) == sync(port)[:2]
        server.maildrop.add(mails(4)[3])
        assert (200, {"synced": 1}) == sync(port)[:2]
        assert 4 == len(server.maildrop)
        assert ids(mails(4)) == stored(tmp_path / "dataset")

        for name, status, kind in [
            ("nobody", 404, "Not Found"),
            ("refused", 502, "POP3AuthenticationError"),
            ("busy", 503, "POP3BusyError"),
            ("gone", 504, "POP3ConnectionError"),
        ]:
            answer = sync(port, name)
            assert (status, kind) == (answer[0], answer[1]["error"]), name
            assert answer[1]["message"]
            assert ("Retry-After" in answer[2]) == (status == 503)
        for body, content_type, status in [
            (b"{", "application/json", 400),
            (b"[]", "application/json", 400),
            (b'{"accountId": 7}', "application/json", 400),
            (b"accountId=support", "application/x-www-form-urlencoded", 415),
        ]:
            assert status == post(port, body, content_type)[0], body
    assert PASSWORD not in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_dataset_that_cannot_be_written_is_507(
    tmp_path: Path, environment: Callable[..., dict[str, str]]
) -> None:
    """And the mail stays where it is."""
    (tmp_path / "file").touch()
    with EmbeddedServer(mails(1), password=PASSWORD) as server:
        variables = environment(support=server.port) | {"MAIL_DATASET": str(tmp_path / "file" / "dataset")}
        with flask(variables, tmp_path / "flask.log") as port:
            status, answer, _ = sync(port)
    assert (507, "POP3ExportError") == (status, answer["error"])


def test_a_password_in_the_file_of_accounts_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The examples teach references: a secret that is none is not taken for one."""
    monkeypatch.syspath_prepend(EXAMPLES)
    (tmp_path / "accounts.toml").write_text('[a]\nhostname="h"\nport=1\nusername="u"\nsecret="hunter2"\n')
    monkeypatch.setenv("MAIL_ACCOUNTS", str(tmp_path / "accounts.toml"))
    code = "import accounts\ntry: accounts.account('a')\nexcept Exception as e: print(type(e).__name__, e)"
    done = subprocess.run([sys.executable, "-c", code], cwd=EXAMPLES, capture_output=True, text=True)
    assert done.stdout.startswith("POP3UsageError a: secret must be a reference")
    assert "hunter2" not in done.stdout
