"""By what members are compared who may be one person: the section's shape."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from alliance.file.source import Path
from alliance.file.values import Document, Share, Word, distinct

if TYPE_CHECKING:
    from alliance.file.members import Members


class Duplicates(Document):
    """Attributes that say who somebody is, and from which probability on a pair is put before people."""

    name: Annotated[list[Word], Field(max_length=5), AfterValidator(distinct)] = []
    birthday: Word | None = None
    address: Annotated[list[Word], Field(max_length=5), AfterValidator(distinct)] = []
    propose: Share = "0.8"


def unfit_duplicates(members: "Members") -> Iterator[tuple[Path, str]]:
    """Attributes that are not declared, or are no dates where one is meant."""
    if (said := members.duplicates) is None:
        return
    declared = {attribute.code: attribute.type for attribute in members.attributes}
    for key in ("name", "address"):
        for place, code in enumerate(getattr(said, key)):
            if code not in declared:
                yield ("members", "duplicates", key, place), f"attribute {code!r} is not declared"
    if said.birthday is not None and declared.get(said.birthday) != "date":
        yield ("members", "duplicates", "birthday"), f"{said.birthday!r} is not declared as an attribute of type date"
