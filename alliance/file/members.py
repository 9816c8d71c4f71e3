"""What the alliance says of its members: the section's shape. Its other keys lie in files of their own beside this."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alliance.file.duplicates import Duplicates, unfit_duplicates
from alliance.file.guard import Guard
from alliance.file.life import Life, wrong_life
from alliance.file.source import Path
from alliance.file.tags import Tag, wrong_tags
from alliance.file.terms import Terms, wrong_terms
from alliance.file.values import Code, Document, Name, Word, distinct, each, refusal, shaped

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument

Faults = Iterator[tuple[Path, str]]

Identifier = Annotated[str, shaped(r"[a-z][a-z0-9_]{0,39}", "a name of small letters, digits and _, such as shoe_size")]
Who = Literal["member", "merchant"]


class Attribute(Document):
    """Something that may be known of a member."""

    code: Identifier
    name: Name
    type: Literal["string", "integer", "decimal", "date", "boolean", "choice", "choices"]
    choices: Annotated[list[Word], Field(min_length=1, max_length=500), AfterValidator(distinct)] | None = None
    merchant: Code | None = None
    personal: bool = False
    find: bool = False
    read: Annotated[list[Who], AfterValidator(distinct)] = ["member", "merchant"]
    write: Annotated[list[Who], AfterValidator(distinct)] = ["merchant"]

    @model_validator(mode="after")
    def _fits(self) -> "Attribute":
        if (self.choices is not None) != (self.type in ("choice", "choices")):
            raise refusal("types choice and choices have choices, and no others")
        if self.find and not self.personal:
            raise refusal("find is for personal attributes: by others members are found anyway")
        if self.find and self.type == "choices":
            raise refusal("members are found by one value: not by choices")
        return self


class Members(Document):
    """What is known of members, and how they are treated."""

    attributes: Annotated[list[Attribute], Field(max_length=200), each] = []
    duplicates: Duplicates | None = None
    guard: Guard | None = None
    life: Life | None = None
    tags: Annotated[list[Tag], Field(max_length=200), each] = []
    terms: Annotated[list[Terms], Field(max_length=1_000), each] = []


def wrong_members(document: "AllianceDocument", places: Mapping[int, Path]) -> Faults:
    """What the section says that does not fit the rest. `places` are the paths of list items, by identity."""
    if document.members is None:
        return
    merchants, seen = {merchant.code for merchant in document.merchants}, set()
    if document.members.life is not None:
        yield from wrong_life(document.members.life, places, merchants)
    yield from unfit_duplicates(document.members)
    for attribute in document.members.attributes:
        path = places[id(attribute)]
        if attribute.code in seen:
            yield (*path, "code"), "declared twice"
        seen.add(attribute.code)
        if attribute.merchant is not None and attribute.merchant not in merchants:
            yield (*path, "merchant"), f"merchant {attribute.merchant!r} is not declared"
    yield from wrong_tags(document.members.tags, document.members.attributes, merchants, places)
    yield from wrong_terms(document.members.terms, merchants, places)
