"""By what members are recognised, and from which range they are numbered, in the alliance file."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from alliance.file.values import Document, TypeName, Word, refusal, shaped
from domain.programs.numbering import DIGITS, OURS, NumberRange, number_range

Normaliser = Literal["e164", "email", "card", "digits", "fold", "hex"]
Serial = Annotated[str, shaped(r"[1-9]\d{5,17}", 'a number of 6 to 18 digits, in quotes, such as "60170000000000"')]


class IdentifierType(Document):
    """A kind of identifier by which members are recognised."""

    type: TypeName
    issuer: Word | None = None
    normalise: Normaliser | None = None
    unique: Literal["issuer", "alliance"]
    at_till: bool = False
    verify: Literal["code"] | None = None
    per_member: Annotated[int, Field(ge=1, le=1_000)] | None = None
    on_taken: Literal["refuse", "merge"] = "refuse"


class MemberNumbers(Document):
    """The range of a merchant's own: by a prefix, or by both ends, which lack the check digit."""

    prefix: Annotated[str, shaped(r"[1-9]\d{0,11}", 'up to 12 digits in quotes, such as "6017"')] | None = None
    digits: Annotated[int, Field(ge=7, le=19)] | None = None
    from_: Serial | None = Field(default=None, alias="from")
    to: Serial | None = None

    @model_validator(mode="after")
    def _fits(self) -> "MemberNumbers":
        if (self.prefix is None) == (self.from_ is None) or (self.from_ is None) != (self.to is None):
            raise refusal("memberNumbers are either prefix and digits, or from and to")
        if self.prefix is not None and len(self.prefix) > (self.digits or DIGITS) - 2:
            raise refusal("the prefix leaves no digits to count with")
        if self.prefix is None and self.digits is not None:
            raise refusal("digits belongs to prefix")
        if self.from_ is not None and self.to is not None and len(self.from_) != len(self.to):
            raise refusal("from and to have equally many digits")
        if self.range.first > self.range.last:
            raise refusal("from is not after to")
        if _overlap(self.range, OURS):
            raise refusal(f"numbers of {len(str(OURS.last)) + 1} digits are those of merchants without a range")
        return self

    @property
    def range(self) -> NumberRange:
        """As serials."""
        found = number_range(self.dump())
        assert found is not None
        return found


def clashes(ranges: Iterable[tuple[str, NumberRange]]) -> Iterator[tuple[str, str]]:
    """Merchants whose ranges have numbers in common, as pairs of codes."""
    ordered = sorted(ranges, key=lambda item: item[1].first)
    for (one, before), (other, after) in pairwise(ordered):
        if _overlap(before, after):
            yield one, other


def _overlap(one: NumberRange, other: NumberRange) -> bool:
    return one.first <= other.last and other.first <= one.last
