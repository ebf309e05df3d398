"""Authorities on loopback, as strict as real ones where it matters: device codes, refresh tokens, PKCE."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import threading
import urllib.parse
import urllib.request
from typing import Any, Self

Form = dict[str, str]


def _in_base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Authority:
    """An HTTPS server; `requests` holds every form it was sent, `answers` what it says next instead."""

    def __init__(self, context: ssl.SSLContext, canary: str) -> None:
        self.canary = canary
        self.requests: list[tuple[str, Form]] = []
        self.answers: list[tuple[int, Any]] = []
        self.tokens = 0
        self.challenge = ""
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, authority.discovery())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body))
                path = self.path.rpartition("/")[2]
                authority.requests.append((path, form))
                self.answer(*authority.device() if path == "devicecode" else authority.grant(form))

            def answer(self, status: int, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    @property
    def grants(self) -> list[str]:
        """The kinds of grant that were asked for, in order."""
        return [form["grant_type"].rpartition(":")[2] for path, form in self.requests if path == "token"]

    def discovery(self) -> dict[str, Any]:
        base = f"{self.url}/common"
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "device_authorization_endpoint": f"{base}/devicecode",
        }

    def device(self) -> tuple[int, dict[str, Any]]:
        flow = {
            "user_code": "ABCD-EFGH",
            "device_code": f"{self.canary}-device",
            "verification_uri": "https://example.org/device",
            "message": "open https://example.org/device and enter ABCD-EFGH\x1b[2J",
            "expires_in": 900,
            "interval": 0,
        }
        return self.answers.pop(0) if self.answers else (200, flow)

    def grant(self, form: Form) -> tuple[int, dict[str, Any]]:
        """A token, or the next of `answers`; a code without its verifier (RFC 7636) gets nothing."""
        if self.answers:
            return self.answers.pop(0)
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != self.challenge:
                return 400, {"error": "invalid_grant"}
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != f"{self.canary}-refresh":
            return 400, {"error": "invalid_grant"}
        google = self.challenge or "google" in form.get("scope", "")
        self.tokens += 1
        claims = {"sub": "1", "oid": "1", "tid": "t", "preferred_username": "ann@example.org"}
        return 200, {
            "access_token": f"{self.canary}-access-{self.tokens}",
            "refresh_token": f"{self.canary}-refresh",
            "id_token": f"{_in_base64({})}.{_in_base64(claims)}.x",
            "client_info": _in_base64({"uid": "1", "utid": "t"}),
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "https://mail.google.com/"
            if google
            else "https://outlook.office.com/POP.AccessAsUser.All",
        }

    def person(self, text: str, **answer: str) -> threading.Thread:
        """Somebody who opens the address at the end of `text`, agrees, and is sent back to the program."""
        url = text.rpartition(" ")[2]
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(url).query))
        self.requests.append(("page", asked))
        self.challenge = asked["code_challenge"]
        back = {"state": asked["state"], "code": f"{self.canary}-code"} | answer
        address = f"{asked['redirect_uri']}?{urllib.parse.urlencode(back)}"
        browser = threading.Thread(target=lambda: urllib.request.urlopen(address).read())
        browser.start()
        return browser
