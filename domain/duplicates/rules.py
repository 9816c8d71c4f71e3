"""One spelling for what is compared, and the keys that members must share to be compared at all. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from domain.duplicates.model import Features

_WORDS = re.compile(r"\w+")
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Mail houses to whom dots in a name are nothing."""


def plain_words(text: str) -> list[str]:
    """The words of a name or an address in small letters without accents; a word of Chinese is its characters."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return _WORDS.findall(bare.replace("'", "").replace("_", " "))


def plain_name(parts: Iterable[str]) -> str:
    """A name: its words in the order of the alphabet, since forms and people do not agree which comes first."""
    return " ".join(sorted(word for part in parts for word in plain_words(part)))


def plain_email(address: str) -> str:
    """An address as mail houses read it: without a tag after `+`, and without dots where they are nothing."""
    local, _, domain = address.casefold().rpartition("@")
    local = local.partition("+")[0]
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def plain_phone(number: str) -> str:
    """Its digits."""
    return "".join(filter(str.isdigit, number))


def keys(of: Features) -> Iterator[str]:
    """What a member must have in common with another for the two to be compared: any one of these.

    So that a slip of the pen in one thing is made good by another: each field is left out of some key.
    """
    yield from (f"phone {phone}" for phone in of.phones)
    yield from (f"email {email}" for email in of.emails)
    initials = "".join(word[0] for word in of.name.split())
    if of.birthday and initials:
        yield f"born {of.birthday} {initials}"
    if of.name and of.birthday:
        year, month, day = of.birthday.split("-")
        yield f"name in year {of.name} {year}"
        yield f"name on day {of.name} {min(month, day)} {max(month, day)}"
    words = [word for word in of.name.split() if len(word) > 1 or not word.isascii()]
    yield from (f"born {of.birthday} {word}" for word in words if of.birthday)
    yield from (f"at {of.address} {word}" for word in words if of.address)
    if of.birthday and of.address:
        yield f"born at {of.birthday} {of.address}"
    yield from (f"local {local} {of.birthday or of.name}" for local in _locals(of) if of.birthday or of.name)


def _locals(of: Features) -> set[str]:
    found = {email.partition("@")[0] for email in of.emails}
    return {local for local in found if len(local) >= 5}
