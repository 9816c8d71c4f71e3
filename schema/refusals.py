"""Refusals as clients see them: one type for each class of the domain, found by its name."""

from typing import Any, ClassVar, Self

import strawberry

from domain.errors import Refusal
from schema.codes import ErrorCode as ErrorCode
from schema.scalars import CurrencyCode, Decimal, Points


@strawberry.interface(description="Why a call was refused. A refusal is an answer, not a fault.")
class UserError:
    """Parent of every refusal. A subclass's own fields are filled from the refusal's data, by name; those that came
    `since` are null where the refusal has none."""

    code: ErrorCode = strawberry.field(description="For programs; it never changes.")
    message: str = strawberry.field(description="For people, in the caller's language (Accept-Language: en, zh-CN).")
    path: list[str] = strawberry.field(description="Where in the input the reason lies; empty for the whole.")

    own: ClassVar[tuple[str, ...]] = ()
    since: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, refusal: Refusal, language: str) -> Self:
        """The refusal in words of that language."""
        data: dict[str, Any] = {name: refusal.data[name] for name in cls.own}
        data |= {name: refusal.data.get(name) for name in cls.since}
        code = ErrorCode(refusal.code)
        return cls(code=code, message=refusal.message(language), path=list(refusal.path), **data)


@strawberry.type(description="A value that a rule does not take.")
class InvalidInput(UserError):
    """`path` says which."""


@strawberry.type(description="What the call names is not there, or not within the caller's reach.")
class NotFound(UserError):
    """`path` says which."""


@strawberry.type(description="The caller may not do this here.")
class NotAllowed(UserError):
    """Another scope, or another client, may."""


@strawberry.type(description="The idempotency key was used before, with other content.")
class IdempotencyConflict(UserError):
    """A new try takes a new key."""


@strawberry.type(description="A debit asks for more than is available.")
class InsufficientPoints(UserError):
    """Nothing was taken."""

    available: Points
    requested: Points
    own = ("available", "requested")


@strawberry.type(description="A credit would take the wallet past 2^53-1 points.")
class BalanceLimitExceeded(UserError):
    """Nothing was granted."""

    limit: Points
    own = ("limit",)


@strawberry.type(description="The books of this wallet are being put right: until then nothing is posted to it.")
class HolderStopped(UserError):
    """Nothing was posted; the same call may be made again later."""


@strawberry.type(description="The member's points do not move.")
class MemberNotActive(UserError):
    """Frozen, or closed."""

    status: str
    until: str | None = strawberry.field(description="When they are active again by themselves, if they are frozen so.")
    own = ("status",)
    since = ("until",)


@strawberry.type(description="The merchant declares orders unique, and this one has been booked.")
class DuplicateOrder(UserError):
    """Under another key."""


@strawberry.type(description="The hold was captured before.")
class AlreadyCaptured(UserError):
    """See its capturedBy."""


@strawberry.type(description="The hold was released before.")
class AlreadyReleased(UserError):
    """Hold again."""


@strawberry.type(description="The hold's time is over.")
class HoldLapsed(UserError):
    """Hold again."""

    expired: str
    own = ("expired",)


@strawberry.type(description="More is to be captured than was held.")
class HoldExceeded(UserError):
    """Nothing was taken, and the hold stands."""

    held: Points
    requested: Points
    own = ("held", "requested")


@strawberry.type(description="The operation, or this line of it, was reversed before.")
class AlreadyReversed(UserError):
    """See its reversedBy."""


@strawberry.type(description="More is to come back than is left.")
class ReturnExceedsOrder(UserError):
    """A quantity, an amount of money, or points: `path` says which."""

    left: str
    requested: str
    own = ("left", "requested")


@strawberry.type(description="An operation of this kind cannot be reversed.")
class NotReversible(UserError):
    """Reversals and expiries are final."""

    kind: str
    own = ("kind",)


@strawberry.type(description="The identifier belongs to another member.")
class IdentifierTaken(UserError):
    """Nobody is told to whom."""

    type: str
    own = ("type",)


@strawberry.type(description="No agreement in force lets the merchant do this with another's points.")
class NoAgreement(UserError):
    """At the time of the event."""


@strawberry.type(description="What this currency counts is never spent.")
class NotSpendable(UserError):
    """Tier credits."""

    currency: str
    own = ("currency",)


@strawberry.type(description="These stamps are spent by whole cards.")
class WholeCardsOnly(UserError):
    """`card` is how many stamps one has."""

    currency: str
    card: Points
    own = ("currency", "card")


@strawberry.type(description="The quote is too old.")
class QuoteExpired(UserError):
    """Ask for another."""

    expired: str
    own = ("expired",)


@strawberry.type(description="The quote was used before.")
class QuoteUsed(UserError):
    """Ask for another."""


@strawberry.type(description="A cap would be passed.")
class CapExceeded(UserError):
    """Of what the cap allows, so much is used."""

    cap: Points
    used: Points
    own = ("cap", "used")


@strawberry.type(description="An earn would pass a limit of its currency.")
class LimitExceeded(UserError):
    """Nothing was granted. `limit` is its name in the alliance file, such as perDay."""

    limit: str
    cap: Points
    used: Points
    requested: Points
    own = ("limit", "cap", "used", "requested")


@strawberry.type(description="Nothing of the earn is pending, or not all of it where all must be.")
class NotPending(UserError):
    """It may have been confirmed, rejected or reversed before."""


@strawberry.type(description="So few points give nothing.")
class BelowMinimum(UserError):
    """At least the minimum must go out."""

    minimum: Points
    own = ("minimum",)


@strawberry.type(description="The cycle is not in the status that this step starts from.")
class WrongCycleStatus(UserError):
    """Somebody may have taken the step."""

    number: int
    status: str
    needed: str
    own = ("number", "status", "needed")


@strawberry.type(description="An earlier cycle has to be netted first.")
class EarlierCycleOpen(UserError):
    """Its rest is the opening balance of this one."""

    number: int
    own = ("number",)


@strawberry.type(description="A later cycle was stated with this one's rest as its opening balance.")
class LaterCycleStated(UserError):
    """So this one stays as it is."""

    number: int
    own = ("number",)


@strawberry.type(description="The operation was archived.")
class OperationArchived(UserError):
    """It was settled long ago; what it moved is in the balances, and stays."""


@strawberry.type(description="Points of this currency are not for giving.")
class GiftsNotAllowed(UserError):
    """As its issuer has it."""

    currency: str
    own = ("currency",)


@strawberry.type(description="The day's limit of gifts would be passed.")
class GiftLimitExceeded(UserError):
    """A gift that was taken back still counts."""

    limit: str = strawberry.field(description="POINTS or GIFTS: of what the day has a limit.")
    cap: Points
    used: Points
    own = ("limit", "cap", "used")


@strawberry.type(description="Points that went through so many gifts are not given on.")
class GivenTooOften(UserError):
    """Others may be."""

    depth: int
    available: Points = strawberry.field(description="Points that may still be given.")
    own = ("depth", "available")


@strawberry.type(description="A gift is taken back whole or not at all, and some of it is gone.")
class GiftNotWhole(UserError):
    """Spent, given on, or expired."""

    points: Points
    available: Points
    own = ("points", "available")


@strawberry.type(description="Staff moves no more points by hand than the merchant's limits allow.")
class AdjustmentLimitExceeded(UserError):
    """At once, or in a day."""

    per: str = strawberry.field(description="ONE or DAY.")
    cap: Points
    used: Points
    own = ("per", "cap", "used")


@strawberry.type(description="Fewer expired points are left to come back than were asked for.")
class NothingToReinstate(UserError):
    """Some may have come back before."""

    available: Points
    requested: Points
    own = ("available", "requested")


@strawberry.type(description="New accounts wait before they give points away or exchange them.")
class TooNew(UserError):
    """As the alliance file has it."""

    until: str
    own = ("until",)


@strawberry.type(description="The day's number of exchanges is reached.")
class TooManyExchanges(UserError):
    """Of one currency for another."""

    cap: int
    used: int
    own = ("cap", "used")


@strawberry.type(description="Stored value is used at its issuer and the issuer's group only.")
class StoredValueElsewhere(UserError):
    """Whatever merchants agree on."""

    currency: str
    merchant: str
    own = ("currency", "merchant")


@strawberry.type(description="Stored value is not exchanged, nor is anything exchanged for it.")
class StoredValueNotExchanged(UserError):
    """Bought value does not become points, nor points money."""

    currency: str
    own = ("currency",)


@strawberry.type(description="Stored value is paid for, not earned.")
class StoredValueNotEarned(UserError):
    """See topUp."""

    currency: str
    own = ("currency",)


@strawberry.type(description="The law of the issuer's jurisdiction lets a wallet hold no more.")
class StoredValueLimitExceeded(UserError):
    """Members with a verified identifier may hold more."""

    cap: Points = strawberry.field(description="In minor units.")
    used: Points = strawberry.field(description="What is in the wallet, in minor units.")
    own = ("cap", "used")


@strawberry.type(description="The operation is no redemption of such points, so that it is no tender of that kind.")
class NotATender(UserError):
    """See the path."""


@strawberry.type(description="The redemption has paid for another order.")
class TenderUsed(UserError):
    """It pays once."""


@strawberry.type(description="The tender is not what its redemption is worth.")
class TenderDiffers(UserError):
    """At the issuer's published worth, when it was redeemed."""

    worth: Decimal
    currency: CurrencyCode
    own = ("worth", "currency")


@strawberry.type(description="The pool is closed.")
class PoolNotActive(UserError):
    """For good."""


@strawberry.type(description="The member is not in the pool, or may not do this there.")
class NotInPool(UserError):
    """As their role has it."""

    role: str = strawberry.field(description="NONE for who is not in it.")
    own = ("role",)


@strawberry.type(description="The member is in the pool.")
class AlreadyInPool(UserError):
    """See its members."""


@strawberry.type(description="A pool is closed when nothing is left in it.")
class PoolNotEmpty(UserError):
    """Spend it, or take it out."""

    points: Points
    own = ("points",)


@strawberry.type(description="So many members a pool has at most.")
class PoolFull(UserError):
    """Somebody may leave."""

    most: int
    own = ("most",)


@strawberry.type(description="It happened so long ago that only the operator may have it booked.")
class TooLate(UserError):
    """The operator decides, and sends it."""

    days: int = strawberry.field(description="Up to so many days ago anybody may.")
    own = ("days",)


TYPES: dict[str, type[UserError]] = {kind.__name__: kind for kind in UserError.__subclasses__()}


def shown(refusal: Refusal, language: str) -> UserError:
    """The type of this refusal, in words of that language."""
    return TYPES[type(refusal).__name__].of(refusal, language)
