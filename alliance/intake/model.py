"""The lines of a feed.

Amounts and quantities are strings here: a JSON number would come as a float, and a Decimal may be NaN.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.contacts.model import ContactChannel, Purpose

Key = Annotated[str, Meta(min_length=8, max_length=200)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Reference = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]
Channel = Literal["APP", "MINI_PROGRAM", "WEB", "STORE", "KIOSK", "SOCIAL", "CALL_CENTRE", "PARTNER"]
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)] | Annotated[str, Meta(pattern=r"^[0-9]{1,16}$")]
TenderKind = Literal["MONEY", "POINTS", "COUPON", "STORED_VALUE"]


class _Sent(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What a client sends: no field that we do not know, so that a misspelt one is not lost."""


class Money(_Sent, frozen=True):
    """An amount, as a decimal string."""

    amount: Annotated[str, Meta(max_length=40)]
    currency: Annotated[str, Meta(min_length=3, max_length=3)]


class Identifier(_Sent, frozen=True):
    """By what a member is recognised: `type` and `value`, with `issuer` unless the type has one; or the code they show.

    What cannot be missing is looked for in rules: `token` is left out of what a key remembers where it was not sent.
    """

    type: Code = ""
    value: Reference = ""
    issuer: Code | None = None
    token: Annotated[str, Meta(min_length=1, max_length=400)] | UnsetType = UNSET


class Tender(_Sent, frozen=True):
    """What part of an order was paid how (rule R8). `operation` is the redemption that made POINTS a tender."""

    kind: TenderKind
    amount: Money
    operation: Reference | None = None


class OrderLine(_Sent, frozen=True):
    """An article of an order, at the price before tenders."""

    amount: Money
    ref: Reference | None = None
    sku: Reference | None = None
    category: Annotated[str, Meta(max_length=200)] | None = None
    quantity: Annotated[str, Meta(max_length=40)] = "1"


class ReturnLine(_Sent, frozen=True):
    """A line that comes back, named by its reference; without a quantity, all that is left of it."""

    ref: Reference
    quantity: Annotated[str, Meta(max_length=40)] | None = None


class _Line(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What all kinds of line have."""

    key: Key
    merchant: Code
    member: Identifier
    channel: Channel
    store: Code | None = None
    occurredAt: Moment | None = None


class Purchase(_Line, frozen=True, kw_only=True):
    """An order: valued by the rules from its lines or its amount, or worth `points` if the client may say so."""

    type: Literal["PURCHASE"] = "PURCHASE"
    orderRef: Reference | None = None
    lines: list[OrderLine] | None = None
    amount: Money | None = None
    points: Whole | None = None
    tenders: list[Tender] | None = None
    currency: Code | None = None


class TopUpLine(_Line, frozen=True, kw_only=True):
    """Money that was paid in for stored value, and what was given on top of it (rule L4)."""

    type: Literal["TOP_UP"]
    paid: Money
    bonus: Money | None = None
    currency: Code | None = None
    orderRef: Reference | None = None


class Return(_Line, frozen=True, kw_only=True):
    """An order that came back (rule R23): `lines` or an `amount` of it, or all that is left.

    `restore`: also the points that were spent on it, or the part of them that belongs to what came back.
    `merchantAtFault`: those live some days more at least.
    """

    type: Literal["RETURN"]
    of: Reference
    restore: bool
    merchantAtFault: bool | UnsetType = UNSET
    lines: list[ReturnLine] | None = None
    amount: Money | None = None


class Decision(_Line, frozen=True, kw_only=True):
    """What the points of an order waited for: it came (`CONFIRM`), or will not come (`REJECT`)."""

    type: Literal["CONFIRM", "REJECT"]
    of: Reference


class RightGrantLine(_Line, frozen=True, kw_only=True):
    """A right that the merchant grants (A15): `kind` is the code of a benefit, `quantity` how often it is used."""

    type: Literal["RIGHT_GRANT"]
    kind: Code
    quantity: Whole | None = None
    orderRef: Reference | None = None


class RightUseLine(_Sent, frozen=True, kw_only=True):
    """A right that was used at the merchant, by whoever showed its code (A15)."""

    type: Literal["RIGHT_USE"]
    key: Key
    merchant: Code
    code: Code
    channel: Channel
    quantity: Whole = 1
    store: Code | None = None
    orderRef: Reference | None = None
    occurredAt: Moment | None = None


class ConsentLine(_Sent, frozen=True):
    """That a member lets the merchant write to them."""

    purpose: Purpose
    channel: ContactChannel
    textVersion: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class MemberLine(_Sent, frozen=True, kw_only=True):
    """Somebody who joins a merchant, by whatever they are recognised by.

    `verified`: whether what has to be verified was; else it is as the sender's rights say.
    """

    key: Key
    merchant: Code
    channel: Channel
    identifiers: Annotated[list[Identifier], Meta(min_length=1, max_length=10)]
    verified: bool | None = None
    store: Code | None = None
    jurisdiction: Code | None = None
    language: Code | None = None
    timezone: Code | None = None
    consents: Annotated[list[ConsentLine], Meta(max_length=10)] | None = None
    profile: Annotated[dict[str, Any], Meta(max_length=100)] | None = None
    occurredAt: Moment | None = None


Line = Purchase | TopUpLine | Return | Decision | RightGrantLine | RightUseLine
"""What a line of a feed may say."""
