"""The kinds of identifier by which members are recognised, as the alliance declares them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class IdentifierType:
    """A kind of identifier. `issuer` is "merchant", the fixed name of the one issuer, or None: the caller names it.

    One that is to be verified identifies nobody before. A member has at most `per_member` of them; None is without end.
    """

    type: str
    issuer: str | None
    normalise: Literal["e164", "email", "card", "digits", "fold", "hex"] | None
    unique: Literal["issuer", "alliance"]
    at_till: bool
    verify: Literal["code"] | None
    per_member: int | None = None
    on_taken: Literal["refuse", "merge"] = "refuse"


def identifier_type(name: str, stored: Mapping[str, Any]) -> IdentifierType:
    """A type as the alliance file has it."""
    return IdentifierType(
        type=name,
        issuer=stored.get("issuer"),
        normalise=stored.get("normalise"),
        unique=stored["unique"],
        at_till=stored["atTill"],
        verify=stored.get("verify"),
        per_member=stored.get("perMember"),
        on_taken=stored.get("onTaken", "refuse"),
    )
