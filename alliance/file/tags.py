"""Tags and their rules: the shape of `members.tags`, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alliance.file.source import Path
from alliance.file.values import Code, Document, IsoCurrency, Name, Word, distinct, refusal, shaped
from domain.profiles.expressions import MAX_EXPRESSION, errors_in
from domain.profiles.variables import VARIABLES, kinds

if TYPE_CHECKING:
    from alliance.file.members import Attribute

Faults = Iterator[tuple[Path, str]]
FactName = Annotated[str, shaped(r"[a-z][a-z0-9_]{0,39}", "a name of small letters, digits and _, such as visits")]


class Fact(Document):
    """Something to be known of a member's purchases."""

    of: Literal["count", "sum", "days_since"]
    days: Annotated[int, Field(ge=1, le=1_100)]
    category: Annotated[list[Word], Field(min_length=1), AfterValidator(distinct)] | None = None
    merchants: Annotated[list[Code], Field(min_length=1), AfterValidator(distinct)] | None = None
    money: IsoCurrency | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Fact":
        if self.money is not None and self.of != "sum":
            raise refusal("only a sum is of money")
        return self


class Tag(Document):
    """A word about members, and when it is put on them."""

    code: Code
    name: Name
    merchant: Code | None = None
    read: Annotated[list[Literal["member", "merchant"]], AfterValidator(distinct)] = []
    facts: Annotated[dict[FactName, Fact], Field(max_length=20)] = {}
    when: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Tag":
        for name, fact in self.facts.items():
            if name in VARIABLES:
                raise refusal(f"a fact is not called {name}: that is a name of its own")
            if fact.merchants is not None and self.merchant is not None:
                raise refusal("a merchant's rule sees its own purchases: merchants is for tags of the alliance")
        if self.facts and self.when is None:
            raise refusal("facts are for when")
        return self


def wrong_tags(
    tags: Sequence[Tag], attributes: Sequence["Attribute"], merchants: set[str], places: Mapping[int, Path]
) -> Faults:
    """What tags say that does not fit the rest. `places` are the paths of list items, by identity."""
    types: dict[str | None, dict[str, str]] = {}
    for whose in {None, *(tag.merchant for tag in tags)}:
        may_see = [one for one in attributes if one.merchant in (None, whose) and not one.personal]
        types[whose] = {one.code: one.type for one in may_see if whose is None or "merchant" in one.read}
    seen = set()
    for tag in tags:
        path = places[id(tag)]
        if (tag.merchant, tag.code) in seen:
            yield (*path, "code"), "declared twice"
        seen.add((tag.merchant, tag.code))
        if tag.merchant is not None and tag.merchant not in merchants:
            yield (*path, "merchant"), f"merchant {tag.merchant!r} is not declared"
        for name, fact in tag.facts.items():
            for code in fact.merchants or ():
                if code not in merchants:
                    yield (*path, "facts", name, "merchants"), f"merchant {code!r} is not declared"
        if tag.when is not None:
            for error in errors_in(tag.when, kinds(types[tag.merchant], tag.facts, tag.merchant is not None)):
                yield (*path, "when"), str(error)
