"""The panel to a mailbox: where it is, who logs in, and what its server can do."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets

from pop3frames.client.credentials import Secret
from pop3frames.client.presets import PRESETS
from pop3frames.errors import POP3AuthenticationError
from pop3frames.export.accounts import Account
from pop3frames.widgets.form import OWN_SERVER, Form
from pop3frames.widgets.mailbox import Mailbox
from pop3frames.widgets.notice import Notice
from pop3frames.widgets.panel import Panel, field, link, listed, row, words
from pop3frames.widgets.secretfield import SecretField

_ENCRYPTIONS = [("TLS from the start", "ssl"), ("STLS, or failure", "tls"), ("none: plain text", "none")]
_SOURCES = {
    "typed": ("typed here", ""),
    "env": ("environment variable", "POP3_PASSWORD"),
    "keyring": ("keyring", "service/user"),
    "command": ("command", "pass show mail"),
    "crypt": ("encrypted file", "secrets.crypt#name"),
}


class ConnectPanel(Panel):
    """Connect to a mailbox: fill in, or choose a provider, and press Connect.

    mailbox   the model that lists and reads;   form   what is filled in
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        mailbox: Mailbox | None = None,
        notice: Notice | None = None,
    ) -> None:
        self.mailbox, self.form = mailbox or Mailbox(), Form(account)
        super().__init__(self.mailbox.jobs, notice)
        self._waiting: Callable[[], object] | None = None  # what to do as soon as the password is here
        self.leads_to = ".p3f-again"  # what has the focus when the messages are listed, as a CSS selector
        self._by_hand = False  # somebody in the page waits for the list
        self._build()
        self.form.observe(self._source_chosen, "source")
        self.form.observe(self._provider_chosen, "preset")
        self.mailbox.observe(lambda _: self._facts_changed(), "facts")
        self.mailbox.observe(lambda _: self.summarise(self.mailbox.listed), ["rows", "listed"])
        self.jobs.observe(self._refused, "error")
        self._source_chosen(None)
        self.summarise(False)

    def connect(self) -> None:
        """Log in, see what the server can do, and list the messages."""
        self._reach(self.mailbox.list_messages)

    def check(self) -> None:
        """Log in and see what the server can do."""
        self._reach(self.mailbox.check)

    def summarise(self, short: bool) -> None:
        """Show one line instead of the fields, or the fields."""
        title = row(self._title, self._refresh, self._change) if short else self._heading
        rest = (self._facts,) if short else (self._server, self._login, self._advice, self._facts)
        self.show(title, *rest)
        if short and self._by_hand:  # the button that was pressed is gone: keys must not go to the notebook
            self._by_hand = False
            self.notice.focus(self.leads_to)

    def _open_fields(self) -> None:
        self.summarise(False)
        self.notice.focus(".p3f-user input")

    def _build(self) -> None:
        form = self.form
        names = [("my own server", OWN_SERVER), *((name, name) for name in PRESETS if name != OWN_SERVER)]
        self._user = field(_text("User name", "ann@example.org"), grow=True)
        provider = field(ipywidgets.Dropdown(options=names, description="Provider"), width="140px")
        host = field(_text("Host", "pop.example.org"), grow=True)
        port = field(ipywidgets.BoundedIntText(description="Port", min=1, max=65535), width="80px")
        encryption = field(ipywidgets.Dropdown(options=_ENCRYPTIONS, description="Encryption"), width="160px")
        sources = [(shown, name) for name, (shown, _) in _SOURCES.items()]
        source = field(ipywidgets.Dropdown(options=sources, description="Password is"), width="170px")
        self._place = field(_text("Where"), grow=True)
        self.secret = SecretField()
        self.secret.on_typed(self._typed)
        for name, widget in (
            ("preset", provider),
            ("hostname", host),
            ("port", port),
            ("encryption", encryption),
            ("username", self._user),
            ("source", source),
            ("place", self._place),
        ):
            link(form, name, widget)
        self._user.observe(lambda _: form.suggest(), "value")
        connect = self.button("Connect", self.connect, button_style="primary")
        check = self.button("Check only", self.check, tooltip="Log in and see what the server can do")
        self._heading, self._title = words("Connect to a mailbox", "title"), words("", "title")
        self._refresh = self.button("List again", self.connect)
        self._refresh.add_class("p3f-again")
        self._user.add_class("p3f-user")
        self._change = self.button("Change", self._open_fields)
        self._server = row(provider, host, port, encryption)
        self._login = row(self._user, source, self.secret, self._place, connect, check)
        self._advice, self._facts = words(), words()

    def _reach(self, act: Callable[[], object]) -> None:
        if self.form.lacks_secret and self.form.hostname.strip() and self.form.username.strip():
            # The click may be here before the password is: they come on different threads.
            self._waiting = act
            self.secret.focus()
        self.mailbox.use(self.form.account())
        self._waiting, self._by_hand = None, True
        act()

    def _typed(self, secret: Secret | None, entered: bool) -> None:
        with self.jobs.told():
            if secret is not None:
                self.form.secret = secret
                self.secret.show_held(True)
            act = self._waiting or (self.mailbox.list_messages if entered else None)
            if act is not None:
                self._reach(act)

    def _refused(self, _change: Any) -> None:
        """After a refused login the password is to be typed again."""
        refused = self.jobs.error and isinstance(self.jobs.failure, POP3AuthenticationError)
        if refused and self.form.source == "typed":
            self.form.secret, self._by_hand = None, False
            self.summarise(False)
            self.secret.show_held(False)
            self.secret.focus()

    def _source_chosen(self, _change: Any) -> None:
        typed = self.form.source == "typed"
        self._place.placeholder = _SOURCES[self.form.source][1]
        self._place.layout.display = "none" if typed else ""
        self.secret.layout.display = "" if typed else "none"
        self.secret.show_held(not self.form.lacks_secret)

    def _provider_chosen(self, _change: Any) -> None:
        self._advice.value = listed([self.form.credentials]) if self.form.credentials else ""

    def _facts_changed(self) -> None:
        facts, account = self.mailbox.facts, self.mailbox.account
        self._facts.value = listed(facts.sentences()) if facts is not None else ""
        self._title.value = html.escape(f"{account.username} at {account.hostname}") if account else ""


def _text(label: str, example: str = "") -> ipywidgets.Text:
    """A field told when it is left: letter by letter, the last could come behind the password's Enter."""
    return ipywidgets.Text(description=label, placeholder=example, continuous_update=False)
