"""How identifiers and member numbers are refused."""

import strawberry

from schema.refusals import TYPES, UserError


@strawberry.type(description="The identifier has to be verified before it identifies anybody.")
class IdentifierNotVerified(UserError):
    """By a code, or by a client with the scope identifiers:verify."""

    type: str
    own = ("type",)


@strawberry.type(description="A member has at most so many identifiers of the type.")
class TooManyIdentifiers(UserError):
    """As the alliance file says."""

    type: str
    most: int
    own = ("type", "most")


@strawberry.type(description="Nothing but their number would be left to recognise the member by.")
class LastIdentifier(UserError):
    """Unless that is said to do."""


@strawberry.type(description="The merchant's range of member numbers is at its end.")
class MemberNumbersExhausted(UserError):
    """The operator gives it more."""

    merchant: str
    own = ("merchant",)


_OWN = (IdentifierNotVerified, TooManyIdentifiers, LastIdentifier, MemberNumbersExhausted)
TYPES |= {kind.__name__: kind for kind in _OWN}
