"""What a server says of itself, judged: TLS, certificate, capabilities, ways to log in, announced habits.

Pure functions from what was seen to rows of a check-up. What it does is put to the test in `soundings.py`.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from typing import Any

from pop3frames.checkup.findings import Check
from pop3frames.client.authorization import Capabilities
from pop3frames.protocol import listings, sasl

_EXPIRES_SOON = 21  # days
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# By the numbers of X509_STORE_CTX_get_error(3): why OpenSSL refuses a certificate.
_REFUSED = {
    9: "it is not valid yet: check the clock of this machine first",
    10: "it has expired: whoever runs the server must renew it",
    18: "the server signed it itself: pass that certificate as cafile= if it is your own server",
    19: "its authority is unknown here: for a private CA pass cafile=",
    20: "its authority is unknown here, or the server leaves out an intermediate certificate: for a private "
    "CA pass cafile=",
    21: "the server leaves out an intermediate certificate, or its authority is unknown here",
    62: "it was made for another name: dial the name it was made for",
    64: "it was not made for this address: dial the name it was made for",
}


def encrypted(version: str | None, cipher: tuple[str, str, int] | None, encryption: str) -> Check:
    """The row of a handshake that succeeded."""
    way = "from the first byte" if encryption == "ssl" else "by STLS"
    name = cipher[0] if cipher else "unknown cipher"
    return Check("tls", "ok", f"{version} with {name}, {way}", "what crosses cannot be read on the way")


def unencrypted(loopback: bool) -> Check:
    """The row of a session in plain text."""
    if loopback:
        return Check("tls", "note", "plain text, to this machine", "fine here; over a network use TLS")
    return Check(
        "tls",
        "warning",
        "plain text, as encryption='none' asks",
        "password and mail can be read on the way: use encryption='ssl' or 'tls'",
    )


def certificate(peer: Mapping[str, Any], *, name_checked: bool, now: float) -> Check:
    """The row of a certificate that was accepted; `peer` as `ssl.SSLSocket.getpeercert` gives it."""
    if not peer:
        return Check(
            "certificate",
            "warning",
            "not checked: the context= that was given does not ask for it",
            "anybody on the way can read along: leave context= out, or let it check",
        )
    names = ", ".join(value for _, value in peer.get("subjectAltName", ())) or "no names"
    issuer = " ".join(
        value
        for part in peer.get("issuer", ())
        for key, value in part
        if key in ("organizationName", "commonName")
    )
    days = int((_seconds(peer["notAfter"]) - now) // 86400)
    said = f"for {names}; from {issuer}"
    if not name_checked:
        return Check(
            "certificate",
            "warning",
            "the context= that was given does not compare the host name",
            "any server with a certificate of that authority can pass for this one",
            said,
        )
    if days < _EXPIRES_SOON:
        advice = "exports stop when it has: it should be renewed"
        return Check("certificate", "warning", f"fits the host name, expires in {days} days", advice, said)
    return Check(
        "certificate", "ok", f"fits the host name, expires in {days} days", "nothing to be done", said
    )


def certificate_refused(cause: BaseException) -> Check:
    """The row of a certificate that was not accepted; `cause` is ssl's own error."""
    reason = str(getattr(cause, "verify_message", cause))
    advice = _REFUSED.get(
        getattr(cause, "verify_code", 0), "whoever runs the server must say what it should be"
    )
    return Check("certificate", "problem", "refused, nothing was sent", advice, reason)


def _seconds(date: str) -> float:
    """Since the epoch; `date` as OpenSSL prints it, whatever the locale: "Jan  5 09:34:43 2038 GMT"."""
    month, day, clock, year, _ = date.split()
    hour, minute, second = clock.split(":")
    moment = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    return calendar.timegm((*moment, 0, 0, 0))


# Capabilities


def words(capabilities: Capabilities) -> str:
    """As CAPA has them, on one line."""
    return ", ".join(" ".join([name, *arguments]) for name, arguments in capabilities.items())


def _changes(before: Capabilities, after: Capabilities) -> str:
    new = {name: value for name, value in after.items() if before.get(name) != value}
    gone = {name: value for name, value in before.items() if name not in after}
    told = [("new or changed: ", new), ("gone: ", gone)]
    return "; ".join(head + words(each) for head, each in told if each)


def announced(plain: Capabilities | None, now: Capabilities | None) -> Check:
    """CAPA before the login; `plain`: what was said before STLS, None if nothing was asked there."""
    if now is None:
        meaning = "nothing is taken for granted: no pipelining, and UIDL and TOP are tried all the same"
        return Check("capabilities", "note", "the server has no CAPA", meaning)
    changes = "" if plain is None else _changes(plain, now)
    said = words(now) + (f" (under TLS {changes})" if changes else "")
    return Check("capabilities", "ok", "before the login", "what was told before TLS is not relied on", said)


def announced_inside(before: Capabilities | None, after: Capabilities | None) -> Check:
    """CAPA after the login against CAPA before it."""
    name = "capabilities after login"
    if after is None:
        return Check(name, "note", "the server has no CAPA here", "one by one, as RFC 1939 has it")
    changes = _changes(before or {}, after)
    if not changes:
        return Check(name, "ok", "the same as before the login", "as RFC 2449 section 5 wants it")
    return Check(
        name, "note", "changed by the login", "pop3frames asks again here, and goes by this answer", changes
    )


def stls(plain: Capabilities | None, encryption: str, loopback: bool, works: bool = False) -> Check:
    """Whether TLS can be begun on a port of plain text."""
    offered = plain is not None and "STLS" in plain
    if encryption == "ssl":
        return Check("stls", "skipped", "TLS came first: there is nothing to begin")
    if encryption == "tls" and works and offered:
        return Check("stls", "ok", "offered, and it works")
    if encryption == "tls" and works:
        return Check("stls", "note", "works, though CAPA does not tell", "a client that goes by CAPA stops")
    if encryption == "tls":
        finding = "offered, but it does not work" if offered else "not offered"
        return Check("stls", "problem", finding, "try encryption='ssl', usually on port 995")
    if not offered:
        return Check("stls", "note", "not offered here", "for TLS try encryption='ssl', usually on port 995")
    meaning = "encryption='tls' would keep password and mail private"
    return Check("stls", "note" if loopback else "warning", "offered and not used", meaning)


def plaintext_login(plain: Capabilities | None, encryption: str, loopback: bool) -> Check:
    """Whether a password may cross before TLS."""
    name = "plaintext login"
    if encryption == "ssl":
        return Check(name, "skipped", "TLS came first: nothing was asked in plain text")
    if plain is None:
        return Check(name, "skipped", "the server does not tell: it has no CAPA")
    readable = {"USER", "PLAIN", "LOGIN", *sasl.BEARERS}
    ways = [each for each in _offered(plain, b"") if each in readable]
    if not ways:
        return Check(name, "ok", "not offered before TLS", "no client can give its password away here")
    meaning = (
        "this set-up does not use it, but a client set to no encryption gives its password away here"
        if encryption == "tls"
        else "whoever reads along has the password"
    )
    verdict = "note" if loopback else "warning"
    return Check(name, verdict, "offered without TLS", meaning, " ".join(ways))  # type: ignore[arg-type]


def _offered(capabilities: Capabilities, greeting: bytes) -> list[str]:
    ways = ["USER"] if "USER" in capabilities else []
    ways += [each.upper() for each in capabilities.get("SASL", ())]
    return ways + (["APOP"] if sasl.apop_timestamp(greeting) else [])


def mechanisms(capabilities: Capabilities | None, greeting: bytes, chosen: str) -> Check:
    """The ways to log in that are offered, and the one that will be gone."""
    name, use = "mechanisms", "USER and PASS" if chosen == "USER" else chosen
    ways = _offered(capabilities or {}, greeting)
    if capabilities is None:
        return Check(name, "note", f"not told; {use} is tried", "", " ".join(ways))
    said = " ".join(ways)
    if not ways:
        meaning = "often a sign that logins need TLS or are switched off; a login is tried all the same"
        return Check(name, "warning", f"none is offered; {use} is tried", meaning)
    if not set(ways) & set(sasl.MECHANISMS):
        meaning = f"pop3frames knows {', '.join(sasl.MECHANISMS)}: nobody can log in with it here"
        return Check(name, "problem", "none that can be used", meaning, said)
    if chosen not in ways:
        meaning = "give a token (OAuth2) where only those are offered, or auth= one of the offered"
        return Check(name, "warning", f"{use} would be used, and is not among the offered", meaning, said)
    return Check(name, "ok", f"{use} would be used", "auth= asks for another one", said)


# Habits


def habits(told: Capabilities | None, before: Capabilities | None) -> Iterable[Check]:
    """What CAPA says of response codes, waiting, keeping, languages and the server's name."""
    both = {**(before or {}), **(told or {})}
    yield _codes(both)
    yield _login_delay(both)
    yield _expire(both)
    if "IMPLEMENTATION" in both:
        meaning = "for a report to whoever runs it; nothing is done by it"
        yield Check("implementation", "ok", "", meaning, " ".join(both["IMPLEMENTATION"]))
    else:
        yield Check("implementation", "ok", "not told")
    if "UTF8" in both:
        meaning = "mails with headers in UTF-8 may be refused without utf8=True"
        yield Check("utf8", "note", "UTF8 is offered", meaning, words({"LANG": []} if "LANG" in both else {}))
    else:
        yield Check("utf8", "ok", "not offered", "mails come as they are")


def _codes(capabilities: Capabilities) -> Check:
    missing = [each for each in ("RESP-CODES", "AUTH-RESP-CODE") if each not in capabilities]
    if not missing:
        return Check("response codes", "ok", "announced", "a busy mailbox and a wrong password differ")
    meaning = (
        "a mailbox in use may look like a wrong password: after a refusal wait and try once more by hand"
    )
    return Check("response codes", "note", f"no {' and no '.join(missing)}", meaning)


def login_delay(capabilities: Capabilities | None) -> int:
    """Seconds that must pass from one login to the next; 0 where none is told."""
    return listings.login_delay(capabilities or {}) or 0


def _login_delay(capabilities: Capabilities) -> Check:
    if "LOGIN-DELAY" not in capabilities:
        return Check("login delay", "ok", "none is told", "exports may follow each other")
    seconds = login_delay(capabilities)
    if not seconds:
        return Check("login delay", "ok", "0 seconds", "exports may follow each other")
    return Check(
        "login delay",
        "note",
        f"{seconds} seconds from one login to the next",
        "run exports no oftener, or logins are refused; this check-up opened one session only",
    )


def expires_retrieved(capabilities: Capabilities | None) -> bool:
    """Whether what was RETRed may be gone after QUIT: EXPIRE 0 (RFC 2449 section 6.7)."""
    return "0" in (capabilities or {}).get("EXPIRE", ())


def _expire(capabilities: Capabilities) -> Check:
    if "EXPIRE" not in capabilities:
        return Check("expire", "ok", "nothing is told", "how long mail is kept is for its owner to know")
    policy = capabilities["EXPIRE"]
    if "NEVER" in (each.upper() for each in policy):
        return Check("expire", "ok", "NEVER", "the server keeps mail until it is deleted")
    if expires_retrieved(capabilities):
        return Check(
            "expire",
            "warning",
            "0: what is fetched may be hidden or deleted at QUIT",
            "exports QUIT only once all is stored; in code of your own end a look without QUIT",
        )
    meaning = "the server deletes mail after so many days: export more often than that"
    return Check("expire", "warning", "in days", meaning, " ".join(policy) or "no number")
