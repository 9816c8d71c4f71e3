"""People who are made up, of whom some joined twice: with slips of the pen, another telephone, another address."""

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta

_STARTS = ("an", "be", "ca", "da", "el", "fe", "ga", "ha", "is", "jo", "ka", "le", "ma", "na", "ol", "pa", "ro")
_ENDS = ("nna", "rt", "rla", "vid", "ena", "lix", "briel", "hn", "ren", "o", "ria", "ver", "ula", "bin", "mara")
_LAST = ("son", "man", "er", "ley", "s", "berg", "feld", "by")
_STREETS = ("main", "oak", "elm", "mill", "church", "park", "river", "lake", "hill", "station", "market", "north")


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody says they are when they join, for the first time or `again`; empty: they do not say."""

    given: str
    family: str
    birthday: str
    phone: str
    email: str
    address: str
    of: int
    again: bool = False


def people(count: int, again: float = 0.05, seed: int = 7) -> list[Person]:
    """So many who join, the share `again` of them once more; `of` says who is who."""
    chance = random.Random(seed)
    once = round(count / (1 + again))
    first = [_person(chance, number) for number in range(once)]
    second = [_blurred(chance, one) for one in chance.sample(first, count - once)]
    everybody = [_silent(chance, one) for one in first] + second
    chance.shuffle(everybody)
    return everybody


def pairs(everybody: list[Person]) -> set[tuple[int, int]]:
    """Whose places in the list are one person's."""
    seen: dict[int, int] = {}
    found = set()
    for place, one in enumerate(everybody):
        if one.of in seen:
            found.add((seen[one.of], place))
        seen[one.of] = place
    return found


def _person(chance: random.Random, number: int) -> Person:
    given = chance.choice(_STARTS) + chance.choice(_ENDS)
    family = chance.choice(_STARTS) + chance.choice(_ENDS) + chance.choice(_LAST)
    born = date(1940, 1, 1) + timedelta(days=chance.randrange(24_000))
    return Person(
        given,
        family,
        born.isoformat(),
        f"+1{chance.randrange(2, 10)}12{(37 * number + 11) % 10**7:07}",
        f"{given}.{family}{number}@{chance.choice(('gmail.com', 'example.org', 'example.net'))}",
        f"{chance.randrange(1, 400)} {chance.choice(_STREETS)} street",
        number,
    )


def _silent(chance: random.Random, one: Person) -> Person:
    """Not everybody says everything."""
    return replace(
        one,
        birthday=one.birthday if chance.random() < 0.9 else "",
        phone=one.phone if chance.random() < 0.85 else "",
        email=one.email if chance.random() < 0.7 else "",
        address=one.address if chance.random() < 0.6 else "",
    )


def _blurred(chance: random.Random, one: Person) -> Person:
    """The same person, later, elsewhere."""
    given = _slip(chance, one.given) if chance.random() < 0.25 else one.given
    family = _slip(chance, one.family) if chance.random() < 0.1 else one.family
    birthday = one.birthday
    if chance.random() < 0.08:
        year, month, day = birthday.split("-")
        birthday = f"{year}-{day}-{month}" if int(day) <= 12 else f"{int(year) + 1}-{month}-28"
    other = _person(chance, one.of + 5_000_003)
    phone = one.phone if chance.random() < 0.5 else other.phone
    email = one.email.replace("@", "+shop@") if chance.random() < 0.5 else other.email
    address = one.address if chance.random() < 0.7 else other.address
    return _silent(chance, Person(given, family, birthday, phone, email, address, one.of, again=True))


def _slip(chance: random.Random, word: str) -> str:
    """A word with one letter left out, doubled, or two that changed places."""
    at = chance.randrange(len(word) - 1)
    match chance.randrange(3):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + word[at] + word[at:]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
