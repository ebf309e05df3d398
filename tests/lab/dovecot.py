"""A throwaway Dovecot 2.3 on free loopback ports: a real server, for root and for an ordinary user alike.

    with Dovecot() as server:
        server.add_user("ann", "secret")
        server.deliver("ann", [b"Subject: hello\r\n\r\nhi\r\n"])
        ...  # server.port (plain, and STLS), server.tls_port, server.ca_file

Every mechanism is on: the password, or for XOAUTH2 and OAUTHBEARER `server.token("ann")`. One server serves a
whole test run, with a user for each test; both can be added while it runs.
"""

from __future__ import annotations

import base64
import contextlib
import grp
import hmac
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Self

import trustme

# Everything in one directory. The penalty for a refused login (seconds of waiting for the logins after it, by
# address) has its home in anvil, where it is switched off.
_CONFIGURATION = Template("""
base_dir = $home/run
state_dir = $home/state
log_path = $home/dovecot.log
protocols = pop3
listen = 127.0.0.1, $elsewhere
default_login_user = $login_user
default_internal_user = $internal_user
default_internal_group = $internal_group
mail_location = maildir:~/Maildir
mail_uid = $uid
mail_gid = $gid
first_valid_uid = $uid
first_valid_gid = $gid
ssl = yes
ssl_cert = <$home/server.pem
ssl_key = <$home/server.key
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = $disable_plaintext_auth
auth_mechanisms = plain login apop cram-md5 scram-sha-256 xoauth2 oauthbearer
auth_failure_delay = 0
passdb {
  driver = passwd-file
  mechanisms = plain login apop cram-md5 scram-sha-256
  # A file for each user: a changed file is read again only a second later, a new one at once.
  args = scheme=PLAIN username_format=%u $home/users/%u
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $home/oauth2.conf
}
userdb {
  driver = static
  args = uid=$uid gid=$gid home=$home/mail/%u allow_all_users=yes
}
protocol pop3 {
  mail_max_userip_connections = 0
  pop3_lock_session = $lock_session
  pop3_no_flag_updates = $no_flag_updates
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
service pop3-login {
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener pop3 {
    port = $port
  }
  inet_listener pop3s {
    port = $tls_port
    ssl = yes
  }
}
""")

# Tokens are checked by a key at hand: nobody is asked over the network.
_TOKENS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={home}/keys/
username_attribute = sub
"""
_HEADER = b'{"alg":"HS256","typ":"JWT"}'
_TOKEN_KEY = b"the key of a server that nobody else can reach"

# Who comes from the address he dials is the machine itself to Dovecot, and may say what he likes. Who dials
# this one comes from 127.0.0.1.
ELSEWHERE = "127.0.0.2"


def why_not() -> str | None:
    """Why there can be no such server here; None when there can."""
    program = _program()
    if program is None:
        return "dovecot is not installed (Debian: dovecot-core, dovecot-pop3d)"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return None if version.startswith("2.3.") else f"Dovecot 2.3 is needed, this is {version.strip()}"


def _program() -> str | None:
    return shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _in_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Dovecot:
    """Runs while a `with` block does; then its processes and its directory are gone.

    lock_session             one session a mailbox: the next login hears nothing for 11 s, then [IN-USE]
    no_flag_updates          RETR marks nothing as read
    disable_plaintext_auth   no password and no token without TLS, for those who dial ELSEWHERE
    """

    def __init__(
        self,
        *,
        lock_session: bool = False,
        no_flag_updates: bool = False,
        disable_plaintext_auth: bool = False,
    ) -> None:
        self._switches = {
            "lock_session": lock_session,
            "no_flag_updates": no_flag_updates,
            "disable_plaintext_auth": disable_plaintext_auth,
        }
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-"))  # a short path: Unix sockets end at 108 octets
        self.port, self.tls_port = _free_ports()
        self.ca_file = str(self.home / "ca.pem")
        self._owner = pwd.getpwnam("mail") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self._delivered = 0

    def __enter__(self) -> Self:
        self.home.chmod(0o755)  # Dovecot's unprivileged processes pass through it
        for name in ("run", "state", "users", "mail", "keys/default/HS256"):
            (self.home / name).mkdir(parents=True)
        self._own(self.home / "mail")
        self._make_certificates()
        self._configure()
        program = _program()
        assert program is not None, "ask why_not() first"
        # In a session of its own, so that a signal to its group reaches all its processes and no others.
        self._process = subprocess.Popen(
            [program, "-F", "-c", str(self.home / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._await_greeting()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # an orderly end takes a second, and serves nobody
        self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def log(self) -> str:
        """What Dovecot wrote into its log."""
        path = self.home / "dovecot.log"
        return path.read_text() if path.exists() else ""

    def add_user(self, name: str, password: str) -> None:
        """From now on this user can log in; the mailbox is empty."""
        self._write("users", name, text=f"{name}:{{PLAIN}}{password}::::::\n")
        home = self.home / "mail" / name
        for folder in ("cur", "new", "tmp"):
            (home / "Maildir" / folder).mkdir(parents=True)
        self._own(home, *home.rglob("*"))

    def deliver(self, name: str, messages: Iterable[bytes]) -> None:
        """Put messages into the mailbox, with LF line ends, as mail servers store them."""
        for message in messages:
            stored = message.replace(b"\r\n", b"\n")
            self._delivered += 1
            # With both sizes in the file name, LIST opens no file.
            sizes = f"S={len(stored)},W={len(stored) + stored.count(10)}"
            path = self.home / "mail" / name / "Maildir" / "cur" / f"{self._delivered:010}.lab,{sizes}:2,"
            path.write_bytes(stored)
            self._own(path)

    def mails(self, name: str) -> set[bytes]:
        """What its own files of this mailbox hold, with CRLF line ends."""
        folder = self.home / "mail" / name / "Maildir"
        while True:  # a session that ends renames files for a while: what was seen is now seen, or gone
            paths = sorted(folder.glob("[cn]*/*.lab*"))
            with contextlib.suppress(FileNotFoundError):
                found = {path.read_bytes().replace(b"\n", b"\r\n") for path in paths}
                if paths == sorted(folder.glob("[cn]*/*.lab*")):
                    return found

    def token(self, name: str, seconds: int = 3600, key: bytes = _TOKEN_KEY) -> str:
        """A JWT (RFC 7519) for this user, good for so many seconds; another `key`: a forged one."""
        now = int(time.time())
        # An hour ago: the clock that Dovecot reads may be milliseconds, and so a second, behind this one.
        claims = {"sub": name, "iat": now - 3600, "nbf": now - 3600, "exp": now + seconds}
        signed = f"{_in_base64(_HEADER)}.{_in_base64(json.dumps(claims).encode())}"
        return f"{signed}.{_in_base64(hmac.digest(key, signed.encode(), 'sha256'))}"

    def _own(self, *paths: Path) -> None:
        for path in paths:
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _write(self, *parts: str, text: str) -> None:
        path = self.home.joinpath(*parts)
        path.write_text(text)
        path.chmod(0o644)  # whatever the umask is: Dovecot reads it as somebody else

    def _make_certificates(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.private_key_pem.write_to_path(self.home / "server.key")
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(self.home / "server.pem", append=True)

    def _configure(self) -> None:
        as_root = os.geteuid() == 0
        group = grp.getgrgid(self._owner.pw_gid).gr_name
        text = _CONFIGURATION.substitute(
            home=self.home,
            elsewhere=ELSEWHERE,
            port=self.port,
            tls_port=self.tls_port,
            login_user="dovenull" if as_root else self._owner.pw_name,
            internal_user="dovecot" if as_root else self._owner.pw_name,
            internal_group="dovecot" if as_root else group,
            uid=self._owner.pw_uid,
            gid=self._owner.pw_gid,
            **{name: "yes" if on else "no" for name, on in self._switches.items()},
        )
        self._write("dovecot.conf", text=text)
        self._write("oauth2.conf", text=_TOKENS.format(home=self.home))
        self._write("keys", "default", "HS256", "default", text=base64.b64encode(_TOKEN_KEY).decode())

    def _await_greeting(self, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 5) as connection,
            ):
                if connection.recv(3) == b"+OK":
                    return
            time.sleep(0.005)
        raise RuntimeError(f"Dovecot did not start:\n{self.log}")
