"""What clients send. A mutation's input reaches its resolver as the mapping that was sent, its values coerced.

So what was left out stays left out (an idempotency key remembers the fields as sent), and nothing is converted twice.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from strawberry.types.arguments import InputContext

from domain.contacts.model import ContactChannel, Purpose
from domain.members.model import MemberStatus
from domain.stages.model import LifeStage
from schema.enums import Channel, TenderKind
from schema.scalars import JSON, CurrencyCode, Decimal, Points

T = TypeVar("T", bound=type)

KEY = "8 to 200 characters, unique to client and subject. Repeated with the same content, it gets the same answer."
DRY_RUN = "The same answer, with nothing written and the key not spent; `operation` is null then."
OCCURRED_AT = "When it happened; default now. Chooses versions of rules and prices, and nothing else."


def _as_sent(_type: type, value: Mapping[str, Any], _context: InputContext) -> Any:
    return value


def passed_as_sent(cls: T) -> T:
    """Let an input reach resolvers as the mapping that was sent."""
    cls.__strawberry_definition__.from_input = _as_sent  # type: ignore[attr-defined]
    return cls


@passed_as_sent
@strawberry.input(description="An amount of money.")
class MoneyInput:
    """As a decimal string with its currency."""

    amount: Decimal
    currency: CurrencyCode


@passed_as_sent
@strawberry.input(description="Something a member is recognised by; its types are declared in the alliance file.")
class IdentifierInput:
    """Such as CARD, PHONE, EMAIL."""

    type: str
    issuer: str | None = strawberry.field(
        default=strawberry.UNSET, description="May be left out where the type has an issuer."
    )
    value: str


@passed_as_sent
@strawberry.input(one_of=True, description="A member, named in exactly one way.")
class MemberRef:
    """Exactly one of its fields is set."""

    id: strawberry.ID | None = strawberry.UNSET
    number: str | None = strawberry.UNSET
    identifier: IdentifierInput | None = strawberry.UNSET
    token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The code that the member shows, as text or in digits (issueMemberCode). A mutation uses it up.",
    )


@passed_as_sent
@strawberry.input(description="A line of an order.")
class OrderLineInput:
    """`ref` names it in a return."""

    ref: str | None = strawberry.UNSET
    sku: str | None = strawberry.UNSET
    category: str | None = strawberry.UNSET
    quantity: Decimal | None = strawberry.UNSET
    amount: MoneyInput = strawberry.field(description="What was paid for the whole line, after discounts.")


@passed_as_sent
@strawberry.input(description="What an order was paid with. What points and coupons paid earns nothing (rule R8).")
class TenderInput:
    """All tenders sum to the order."""

    kind: TenderKind
    amount: MoneyInput
    operation: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The redemption that paid it, of this member at this merchant, worth `amount`; it pays once.",
    )


@passed_as_sent
@strawberry.input
class ConsentInput:
    """That a member lets a merchant write to them."""

    purpose: Purpose
    channel: ContactChannel
    text_version: str | None = strawberry.field(
        default=strawberry.UNSET, description="Of the text that the member was shown, as the merchant counts its texts."
    )


@passed_as_sent
@strawberry.input
class AcceptedTermsInput:
    """A version of terms that they accept as they join; see acceptTerms."""

    terms: str = strawberry.field(description="The code of terms of this merchant, or of the alliance.")
    version: int
    language: str = strawberry.field(description="In which it was shown to them: one of its languages.")


@passed_as_sent
@strawberry.input
class EnrolMemberInput:
    """Find or create, by any identifier, at any channel."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant whose programme they join.")
    channel: Channel
    store: str | None = strawberry.UNSET
    identifiers: list[IdentifierInput] = strawberry.field(description="1 to 10, all of one person.")
    verified: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether those that have to be verified were; default: whether the client has the scope"
        " identifiers:verify. One that was not is kept, and identifies nobody.",
    )
    jurisdiction: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where they live, by ISO 3166, such as CA-ON: its law protects what they earn from now on.",
    )
    language: str | None = strawberry.field(
        default=strawberry.UNSET, description="The language they are written to in (BCP 47), such as zh-CN."
    )
    timezone: str | None = strawberry.field(
        default=strawberry.UNSET, description="IANA name: by whose clock quiet hours are."
    )
    consents: list[ConsentInput] | None = strawberry.field(
        default=strawberry.UNSET, description="What they let this merchant do from now on; at most 10."
    )
    terms: list[AcceptedTermsInput] | None = strawberry.field(
        default=strawberry.UNSET, description="The terms they accept; at most 10."
    )
    profile: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Attributes by their codes, as the alliance file declares them."
    )
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)


@passed_as_sent
@strawberry.input
class EarnInput:
    """Exactly one of amount, lines and points; the first two are valued by the rules."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where it happened.")
    member: MemberRef
    channel: Channel
    store: str | None = strawberry.UNSET
    order_ref: str | None = strawberry.UNSET
    amount: MoneyInput | None = strawberry.UNSET
    lines: list[OrderLineInput] | None = strawberry.UNSET
    tenders: list[TenderInput] | None = strawberry.UNSET
    points: Points | None = strawberry.field(
        default=strawberry.UNSET, description="As many as said; needs the scope points:give."
    )
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose points: default the merchant's own; another's under an agreement."
    )
    enrol: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Have whoever is named by an identifier and has not joined the merchant join it, if it enrols on"
        " purchase. Default: who is not known is NotFound.",
    )
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class RedeemInput:
    """A number of points, or as much as the order and the wallet allow."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant where they are spent.")
    member: MemberRef
    channel: Channel
    store: str | None = strawberry.UNSET
    order_ref: str | None = strawberry.UNSET
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose points: default the merchant's own; another's under an agreement."
    )
    pool: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Points of this pool, where the member may spend them; not their own."
    )
    points: Points | None = strawberry.UNSET
    order_amount: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="No more points than this takes at the issuer's published worth, or the wallet has.",
    )
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input(description="A line of an order that comes back.")
class ReturnLineInput:
    """Named as it was when it was bought."""

    ref: str
    quantity: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Default: all that is left of the line."
    )


@passed_as_sent
@strawberry.input
class HoldPointsInput:
    """Points to set aside before tender."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="The code of the merchant for which they are set aside.")
    member: MemberRef
    channel: Channel
    store: str | None = strawberry.UNSET
    currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whose points: default the merchant's own; another's under an agreement."
    )
    pool: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Points of this pool, where the member may spend them; not their own."
    )
    points: Points
    expires_in: int | None = strawberry.field(default=900, description="Seconds, from 1 to 604800 (a week).")
    order_ref: str | None = strawberry.UNSET
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class CaptureHoldInput:
    """Less than held releases the rest."""

    idempotency_key: str = strawberry.field(description=KEY)
    hold: strawberry.ID
    points: Points | None = strawberry.field(default=strawberry.UNSET, description="Default all that is held.")
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class ReleaseHoldInput:
    """All of it."""

    idempotency_key: str = strawberry.field(description=KEY)
    hold: strawberry.ID


@passed_as_sent
@strawberry.input
class ReverseInput:
    """At most one of lines, amount and points; none of them is the whole of what is left."""

    idempotency_key: str = strawberry.field(description=KEY)
    operation: strawberry.ID
    reason: str
    lines: list[ReturnLineInput] | None = strawberry.field(
        default=strawberry.UNSET, description="What comes back of the order; an earn is then worth what is kept."
    )
    amount: MoneyInput | None = strawberry.field(default=strawberry.UNSET, description="Money that is given back.")
    points: Points | None = strawberry.field(default=strawberry.UNSET, description="So many of the points.")
    merchant_at_fault: bool | None = strawberry.field(
        default=False,
        description="Spent points come back because the merchant was at fault: they live at least `graceOnFault` days.",
    )
    occurred_at: datetime | None = strawberry.field(default=strawberry.UNSET, description=OCCURRED_AT)
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input
class QuoteExchangeInput:
    """Exactly one of pointsOut (at most so many go) and pointsIn (at least so many come)."""

    idempotency_key: str = strawberry.field(description=KEY)
    member: MemberRef
    from_: str = strawberry.field(name="from", description="The code of the points that go.")
    to: str = strawberry.field(description="The code of the points that come.")
    points_out: Points | None = strawberry.UNSET
    points_in: Points | None = strawberry.UNSET
    reserve: bool | None = strawberry.field(
        default=False, description="Keep room under the issuer's cap until the quote is used or expires."
    )


@passed_as_sent
@strawberry.input
class ExchangePointsInput:
    """At a quote, once."""

    idempotency_key: str = strawberry.field(description=KEY)
    quote: strawberry.ID
    dry_run: bool | None = strawberry.field(default=False, description=DRY_RUN)


@passed_as_sent
@strawberry.input(description="What must hold of an attribute; several comparisons must all hold.")
class AttributeFilter:
    """Values as the attribute takes them. A personal one is compared by equals alone, where it may be looked for."""

    code: str
    equals: JSON | None = strawberry.UNSET
    one_of: list[JSON] | None = strawberry.UNSET
    at_least: JSON | None = strawberry.field(default=strawberry.UNSET, description="Of numbers and dates.")
    more_than: JSON | None = strawberry.UNSET
    at_most: JSON | None = strawberry.UNSET
    less_than: JSON | None = strawberry.UNSET
    has: JSON | None = strawberry.field(default=strawberry.UNSET, description="Of a list of choices: one of them.")
    known: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is known at all.")


@passed_as_sent
@strawberry.input(description="Which tags: a merchant's own; for the operator the alliance's, and those of `merchant`.")
class TagFilter:
    """All that are given must fit."""

    all: list[str] | None = strawberry.UNSET
    any: list[str] | None = strawberry.UNSET
    none: list[str] | None = strawberry.UNSET


@passed_as_sent
@strawberry.input(description="Which members.")
class MemberFilter:
    """All that are given must fit."""

    status: MemberStatus | None = strawberry.UNSET
    stage: LifeStage | None = strawberry.field(
        default=strawberry.UNSET, description="At the merchant that is meant, else in the alliance."
    )
    merchant: str | None = strawberry.field(
        default=strawberry.UNSET, description="Who has joined this merchant (a code)."
    )
    joined_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Joined the merchant that is meant, else the alliance, not before."
    )
    joined_before: datetime | None = strawberry.UNSET
    channel: Channel | None = strawberry.field(default=strawberry.UNSET, description="By which they joined.")
    identifier: IdentifierInput | None = strawberry.UNSET
    attributes: list[AttributeFilter] | None = strawberry.field(
        default=strawberry.UNSET, description="At most 10; those that the caller sees."
    )
    tags: TagFilter | None = strawberry.UNSET
