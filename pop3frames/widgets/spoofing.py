"""What about a sender may be meant to deceive: said in sentences, to be judged by the reader.

Checked are From and Reply-To: a name that is another address; characters that cannot be seen or that reorder
text; words that mix look-alike alphabets; letters drawn to imitate others; domains in international letters;
no author, or several; answers that go to another domain. Nothing here says that a sender is genuine.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pop3frames.widgets.visible import visible_line

_ADDRESS = re.compile(r"[^\s<>\"'(),:;]+@[^\s<>\"'(),:;]+")
_LOOKED_AT = 500  # characters of a name or address
# Alphabets with letters that look like Latin ones.
_ALIKE = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"))
_IMITATING = re.compile("[\U0001d400-\U0001d7ff\u2100-\u214f\uff21-\uff3a\uff41-\uff5a]")
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
# Joiners shape letters and emoji (Unicode 23.2); alone they deceive nobody.
_JOINERS = "\u200c\u200d"


class Mailbox(NamedTuple):
    """A name and an address as a field gives them, either may be ''."""

    name: str
    address: str


def mailbox(text: str) -> Mailbox:
    """'Name <address>', 'address' or 'name' in its two pieces."""
    text = text.strip()
    name, bracket, address = text.removesuffix(">").rpartition("<")
    if bracket and text.endswith(">"):
        return Mailbox(name.strip(), address)
    return Mailbox("", text) if "@" in text else Mailbox(text, "")


def domain(address: str) -> str:
    """What stands behind the last "@", in lower case."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def doubts(authors: Sequence[Mailbox], reply_to: Sequence[Mailbox]) -> list[str]:
    """Sentences about these authors and where answers would go. Empty: nothing was noticed."""
    said = [sentence for author in authors for sentence in _about(author)]
    if not any(author.address for author in authors):
        said.append("The mail names no address of an author.")
    if len(authors) > 1:
        said.append(f"The mail names {len(authors)} authors.")
    known = {domain(author.address) for author in authors}
    elsewhere = [each.address for each in reply_to if domain(each.address) not in known]
    if elsewhere:
        said.append(f"Answers would go to another domain: {visible_line(', '.join(elsewhere), 200)}")
    said += [sentence for each in reply_to for sentence in _about(each) if sentence not in said]
    return said


def _about(box: Mailbox) -> Iterator[str]:
    name, address = box.name[:_LOOKED_AT], box.address[:_LOOKED_AT]
    for other in _ADDRESS.findall(unicodedata.normalize("NFKC", name)[:_LOOKED_AT]):
        if other.lower() != address.lower():
            yield f"The name looks like another address: {visible_line(other, 200)}"
            break
    for what, text in (("name", name), ("address", address)):
        if any(unicodedata.category(each) in _UNSEEN and each not in _JOINERS for each in text):
            yield f"The {what} holds characters that cannot be seen: {_codes(text)}"
        if any(_mixes(word) for word in re.split(r"[\W\d_]+", text)):
            yield f"The {what} mixes letters of alphabets that look alike."
        if _IMITATING.search(text):
            yield f"The {what} is written with letters that imitate others."
    host = domain(address)
    if not host.isascii() or "xn--" in host:
        yield f"The domain is in international letters: {_ascii(host)}"


def _mixes(word: str) -> bool:
    return len({_alphabet(letter) for letter in word} & _ALIKE) > 1


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _codes(text: str) -> str:
    unseen = (each for each in text if unicodedata.category(each) in _UNSEEN and each not in _JOINERS)
    return ", ".join(dict.fromkeys(f"U+{ord(each):04X}" for each in unseen))


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return visible_line(host, 200)
