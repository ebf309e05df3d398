"""The server over real sockets, judged by clients that are not ours: poplib, curl and mpop."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from server.playing import poplib_of

from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.features import Features

MODES = ["plain", "stls", "implicit"]


@pytest.mark.parametrize("mode", MODES)
def testpoplib_of_fetches_the_whole_mailbox(
    mode: str, mails: list[bytes], server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Octet for octet; sizes, listings and unique-ids fit."""
    with EmbeddedServer(mails, context=None if mode == "plain" else server_tls) as server:
        client = poplib_of(server, mode, client_tls)
        count, octets = client.stat()
        fetched = [b"".join(line + b"\r\n" for line in client.retr(n + 1)[1]) for n in range(count)]
        listed = [int(line.split()[1]) for line in client.list()[1]]
        ids = [line.split()[1].decode() for line in client.uidl()[1]]
        client.quit()

        assert mails == fetched
        assert ([len(mail) for mail in mails], sum(listed)) == (listed, octets)
        assert [message.uidl for message in server.maildrop.messages] == ids
        assert len(mails) == len(server.maildrop)


class Programs:
    """curl and mpop, fetching the mail of `server` in one of the modes."""

    def __init__(self, authority_file: str, folder: Path, require_program: Callable[[str], str]) -> None:
        self._authority_file, self._folder, self._require_program = authority_file, folder, require_program

    def curl(self, server: EmbeddedServer, mode: str, *options: str, password: str = "") -> list[bytes]:
        """All mails; long lines and lines that begin with CR are no matter to it."""
        port = server.tls_port if mode == "implicit" else server.port
        address = f"pop3{'s' if mode == 'implicit' else ''}://localhost:{port}"
        count = len(server.maildrop)
        command = [self._require_program("curl"), "-sS", "-q", "--max-time", "20", *options]
        command += ["--cacert", self._authority_file, *(["--ssl-reqd"] if mode == "stls" else [])]
        command += ["-u", f"{server.username}:{password}", "-o", f"{self._folder}/#1"]
        subprocess.run([*command, f"{address}/[1-{count}]"], check=True, timeout=30)
        return [(self._folder / str(n)).read_bytes() for n in range(1, count + 1)]

    def mpop(self, server: EmbeddedServer, mode: str, auth: str, password: str) -> list[bytes]:
        """All mails, with LF line ends as a maildir has, sorted; it pipelines and deletes them."""
        for name in ("cur", "new", "tmp"):
            (self._folder / "mail" / name).mkdir(parents=True, exist_ok=True)
        tls = {
            "plain": ["--tls=off", f"--port={server.port}"],
            "stls": ["--tls=on", "--tls-starttls=on", f"--port={server.port}"],
            "implicit": ["--tls=on", "--tls-starttls=off", f"--port={server.tls_port}"],
        }[mode]
        options = {
            "host": "localhost",
            "user": server.username,
            "passwordeval": f"echo {password}",
            "auth": auth,
            "tls-trust-file": self._authority_file if mode != "plain" else "",
            "uidls-file": self._folder / "uidls",
            "delivery": f"maildir,{self._folder / 'mail'}",
            "keep": "off",
            "received-header": "off",
            "timeout": 20,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        command = [self._require_program("mpop"), *tls, *words]
        subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL)
        return sorted(path.read_bytes() for path in (self._folder / "mail" / "new").iterdir())


@pytest.fixture
def programs(authority_file: str, tmp_path: Path, require_program: Callable[[str], str]) -> Programs:
    """The judges, with a folder of their own."""
    return Programs(authority_file, tmp_path, require_program)


@pytest.mark.parametrize("mode", MODES)
def test_curl_fetches_the_whole_mailbox(
    mode: str, mails: list[bytes], server_tls: ssl.SSLContext, programs: Programs
) -> None:
    """Octet for octet, long lines and lines that begin with CR too."""
    mails = [*mails, b"Subject: longer\r\n\r\n" + b"z" * 100_000 + b"\r\n\r\rx\r\n"]
    with EmbeddedServer(mails, context=None if mode == "plain" else server_tls) as server:
        assert mails == programs.curl(server, mode, password=server.password)


@pytest.mark.parametrize("mode", MODES)
def test_mpop_fetches_the_whole_mailbox_and_deletes_it(
    mode: str, mails: list[bytes], server_tls: ssl.SSLContext, programs: Programs
) -> None:
    """It pipelines as RFC 2449 says."""
    with EmbeddedServer(mails, context=None if mode == "plain" else server_tls) as server:
        stored = programs.mpop(server, mode, "user" if mode == "plain" else "plain", server.password)

        assert sorted(mail.replace(b"\r\n", b"\n") for mail in mails) == stored
        assert [] == server.maildrop.messages


@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2", "OAUTHBEARER", "+APOP"])
@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]], ids=["two steps", "one step"])
def test_curl_logs_in_by_every_mechanism(
    mechanism: str, initial: list[str], server_tls: ssl.SSLContext, programs: Programs
) -> None:
    """And hears -ERR for a wrong secret; one step has the first response in the AUTH line.

    Debian builds it without SCRAM.
    """
    options = ["--login-options", f"AUTH={mechanism}", *initial]
    features = Features(apop=True, sasl=(mechanism,) if mechanism[0] != "+" else ())
    with EmbeddedServer([b"x"], context=server_tls, tokens={"user": "a.token"}, features=features) as server:

        def fetch(token: str, password: str) -> list[bytes]:
            bearer = ["--oauth2-bearer", token] if "AUTH" in mechanism else []
            return programs.curl(server, "stls", *options, *bearer, password=password)

        assert [b"x\r\n"] == fetch("a.token", server.password)
        with pytest.raises(subprocess.CalledProcessError) as refused:
            fetch("b.token", "wrong")
        assert 67 == refused.value.returncode  # its word for a login that was denied


@pytest.mark.parametrize("auth", ["plain", "xoauth2", "oauthbearer", "scram-sha-256", "apop"])
def test_mpop_logs_in_by_every_mechanism(auth: str, server_tls: ssl.SSLContext, programs: Programs) -> None:
    """And hears -ERR for a wrong secret."""
    features = Features(apop=True, sasl=("PLAIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"))
    with EmbeddedServer([b"x"], context=server_tls, tokens={"user": "a.token"}, features=features) as server:
        secret = "a.token" if "o" in auth.replace("apop", "") else server.password
        with pytest.raises(subprocess.CalledProcessError) as refused:
            programs.mpop(server, "stls", auth, "wrong")
        assert 77 == refused.value.returncode  # EX_NOPERM
        assert [b"x\n"] == programs.mpop(server, "stls", auth, secret)
