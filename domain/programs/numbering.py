"""Where the numbers of members come from: a merchant may own a range of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The serials, numbers without their check digit, from `first` to `last`, both of them included."""

    first: int
    last: int


OURS = NumberRange(1_000_000_000, 9_999_999_999)
"""What members of merchants without a range are numbered from."""

DIGITS = 16
"""Of a number by prefix where nothing else is said, its check digit included."""


def number_range(stored: Mapping[str, Any] | None) -> NumberRange | None:
    """A range as the alliance file has it: by its ends, or by how its numbers of so many digits begin."""
    if stored is None:
        return None
    if "prefix" in stored:
        prefix, places = stored["prefix"], stored.get("digits", DIGITS) - 1
        return NumberRange(int(prefix.ljust(places, "0")), int(prefix.ljust(places, "9")))
    return NumberRange(int(stored["from"]), int(stored["to"]))
