"""What is done against theft of accounts: the section's shape, for the alliance and for a merchant's programme."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from alliance.file.source import Path
from alliance.file.values import Document, TypeName, distinct

if TYPE_CHECKING:
    from alliance.file.model import AllianceDocument


class CoolingOff(Document):
    """Nothing is spent for some hours after an identifier changed."""

    types: Annotated[list[TypeName], Field(min_length=1, max_length=50), AfterValidator(distinct)]
    hours: Annotated[int, Field(ge=1, le=2_160)] = 24


class NewDevice(Document):
    """What devices may spend a day while they are new."""

    days: Annotated[int, Field(ge=1, le=365)] = 7
    points: Annotated[int, Field(ge=0, le=10**12)]


class Guard(Document):
    """What stands between a member's points and who stole their account; false switches a rule off."""

    lock: bool | None = None
    cooling_off: CoolingOff | Literal[False] | None = None
    new_device: NewDevice | Literal[False] | None = None


def undeclared_types(document: "AllianceDocument", places: Mapping[int, Path]) -> Iterator[tuple[Path, str]]:
    """Types of identifiers that a guard names and nobody declares."""
    declared = {identifier.type for identifier in document.identifiers}
    guards: list[tuple[Path, Guard | None]] = [
        ((*places[id(merchant)], "settings"), merchant.settings.guard) for merchant in document.merchants
    ]
    guards.append((("members",), document.members.guard if document.members is not None else None))
    for above, guard in guards:
        cooling = guard.cooling_off if guard is not None else None
        for place, type_ in enumerate(cooling.types) if cooling else ():
            if type_ not in declared:
                yield (*above, "guard", "coolingOff", "types", place), f"identifier type {type_!r} is not declared"
