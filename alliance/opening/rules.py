"""From a row of text to a checked opening balance. Pure."""

import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import orjson

from alliance.opening.errors import BalanceExpired
from alliance.opening.model import REPORTED, Asked, Columns, Row
from alliance.stored_value.rules import is_money
from domain.errors import InvalidInput, NotFound
from domain.ledger.opening import Opening
from domain.ledger.request import Key, fingerprint_of
from domain.ledger.stored_value import PaidOpening
from domain.members.model import EnrolAsk, IdentifierRef
from domain.money import MAX_INTEGER, scaled
from domain.programs.catalogue import PRICE_PLACES, Catalogue, Currency, Merchant
from domain.programs.rules import expiry_instant

IMPORTER = uuid.UUID("00000000-0000-7000-8000-0ba1a9ce0001")
"""The client, and subject, of whatever was imported."""

NOBODY = uuid.UUID(int=0)
"""Whose a balance is until its member is known."""

NEVER = "never"
PAID, BONUS = "paid", "bonus"
CHANNEL = "PARTNER"
_REQUIRED = ("currency", "points")
_OPTIONAL = ("number", "granted_at", "expires_at", "price", "funder", "part", "reference")
_MAX_REFERENCE = 200


def columns_of(catalogue: Catalogue, names: Iterable[str]) -> Columns:
    """What the columns mean. A type of identifier is a column, `CARD` or, where the issuer must be said, `CARD:grocer`.

    Raises InvalidInput for a column that means nothing, that stands twice, or that is missing.
    """
    names = tuple(names)
    identifiers = []
    for name in names:
        type_, _, issuer = name.partition(":")
        if type_ in catalogue.identifier_types:
            identifiers.append((name, type_, issuer or None))
        elif name not in (*_REQUIRED, *_OPTIONAL, *REPORTED):
            raise InvalidInput(reason=f"column {name[:40]!r} means nothing here", path=(name,))
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidInput(reason=f"column {min(repeated)!r} stands twice", path=(min(repeated),))
    for name in _REQUIRED:
        if name not in names:
            raise InvalidInput(reason=f"column {name!r} is missing", path=(name,))
    if not identifiers and "number" not in names:
        known = ", ".join(catalogue.identifier_types)
        raise InvalidInput(reason=f"no column names a member: number, or one of {known}", path=("number",))
    return Columns(names, tuple(identifiers))


def reference_of(row: Row, table: str) -> str:
    """What a row is known by when it comes again: its reference, else its place in the `table` (a hash of the file)."""
    return row.values.get("reference", "") or f"{table[:32]}-{row.number}"


def read(catalogue: Catalogue, columns: Columns, row: Row, *, table: str, secret: bytes, as_of: datetime) -> Asked:
    """A row, checked as far as that goes without the database. Raises a Refusal whose path is the column."""
    if row.broken is not None:
        raise row.broken
    values = row.values
    currency = catalogue.currencies.get(values["currency"])
    if currency is None:
        raise NotFound(what=f"currency {values['currency'][:40]!r}", path=("currency",))
    issuer = catalogue.merchants_by_id[currency.merchant_id]
    granted_at = _granted_at(values.get("granted_at", ""), issuer.timezone, as_of)
    reference = reference_of(row, table)
    if len(reference) > _MAX_REFERENCE or not reference.isprintable():
        raise InvalidInput(reason=f"at most {_MAX_REFERENCE} characters, all of which print", path=("reference",))
    key = Key(IMPORTER, IMPORTER, reference, _fingerprint(secret, values))
    paid = _is_paid(values.get("part", ""), currency)
    ends = values.get("expires_at", "") or (NEVER if paid else "")
    expires_at = _expires_at(ends, currency, issuer, granted_at, as_of)
    if paid and expires_at is not None:
        raise InvalidInput(reason=f"what was paid for never ends: {NEVER}, or part {BONUS}", path=("expires_at",))
    request = (PaidOpening if paid else Opening)(
        holder_id=NOBODY,
        key=key,
        client_id=IMPORTER,
        as_of=as_of,
        occurred_at=granted_at,
        currency=currency.code,
        issuer_id=issuer.id,
        funder_id=_funder(catalogue, issuer, values.get("funder", "")),
        points=_points(values["points"]),
        price=_price(values.get("price", "")),
        granted_at=granted_at,
        expires_at=expires_at,
        reference=reference,
    )
    shown = [(name, IdentifierRef(type_, by, values[name])) for name, type_, by in columns.identifiers if values[name]]
    number = values.get("number", "") or None
    if (number is None) == (not shown):
        raise InvalidInput(reason="name the member by identifiers or by number", path=("number",))
    ask = EnrolAsk(issuer.code, CHANNEL, None, tuple(ref for _, ref in shown), as_of) if shown else None
    return Asked(request, key, issuer.code, ask, tuple(name for name, _ in shown), number)


def _fingerprint(secret: bytes, values: dict[str, str]) -> bytes:
    """Tells a row that comes again from another under its reference: what it says, but for a report's columns."""
    said = {name: text for name, text in values.items() if text and name not in (*REPORTED, "reference")}
    return fingerprint_of(secret, b"opening\0" + orjson.dumps(said, option=orjson.OPT_SORT_KEYS))


def _is_paid(text: str, currency: Currency) -> bool:
    """Whether it is stored value that was paid for, not a bonus on top (L4): by default all of it is."""
    if text and not is_money(currency):
        reason = f"{currency.code} is not stored value: nothing of it is paid or bonus"
        raise InvalidInput(reason=reason, path=("part",))
    if text not in ("", PAID, BONUS):
        raise InvalidInput(reason=f"part is {PAID} or {BONUS}", path=("part",))
    return is_money(currency) and text != BONUS


def _points(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) <= MAX_INTEGER or len(text) > 20:
        raise InvalidInput(reason=f"points are a whole number from 1 to {MAX_INTEGER}", path=("points",))
    return int(text)


def _price(text: str) -> int:
    """What was paid for a point, in 10^-8 of the settlement currency."""
    try:
        price = scaled(text or "0", PRICE_PLACES)
    except InvalidInput as refusal:
        raise refusal.at("price") from None
    if not 0 <= price <= MAX_INTEGER:
        raise InvalidInput(reason="a price must not be negative", path=("price",))
    return price


def _funder(catalogue: Catalogue, issuer: Merchant, code: str) -> uuid.UUID:
    funder = catalogue.merchants.get(code) if code else issuer
    if funder is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("funder",))
    return funder.id


def _granted_at(text: str, zone: ZoneInfo, as_of: datetime) -> datetime:
    """A moment, or the beginning of a day at the issuer's; by default now."""
    if not text:
        return as_of
    moment, day = _moment(text, "granted_at")
    granted_at = datetime.combine(day, time(), zone).astimezone(UTC) if moment is None else moment
    if granted_at > as_of:
        raise InvalidInput(reason="points that are granted later are no opening balance", path=("granted_at",))
    return granted_at


def _expires_at(
    text: str, currency: Currency, issuer: Merchant, granted_at: datetime, as_of: datetime
) -> datetime | None:
    """The first moment at which the points are dead: a day counts to its end (R3). By default the currency's policy."""
    if text == NEVER:
        return None
    if not text:
        expires_at = expiry_instant(currency.policy_at(granted_at).expiry, granted_at, issuer.timezone)
    else:
        moment, day = _moment(text, "expires_at")
        end = datetime.combine(day + timedelta(days=1), time(), issuer.timezone).astimezone(UTC)
        expires_at = end if moment is None else moment
    if expires_at is not None and expires_at <= as_of:
        raise BalanceExpired(expired=expires_at.isoformat(), path=("expires_at",))
    return expires_at


def _moment(text: str, name: str) -> tuple[datetime | None, date]:
    """A date such as 2026-11-01, or an instant such as 2026-11-01T00:00:00Z: then both."""
    reason = f"{text[:40]!r} is no date such as 2026-11-01, and no time with its offset such as 2026-11-01T00:00:00Z"
    try:
        if len(text) == len("2026-11-01"):
            moment, day = None, date.fromisoformat(text)
        else:
            moment = datetime.fromisoformat(text)
            day = moment.date()
    except ValueError:
        raise InvalidInput(reason=reason, path=(name,)) from None
    if not 1970 <= day.year < 9999 or (moment is not None and moment.tzinfo is None):
        raise InvalidInput(reason=reason, path=(name,))
    return moment, day
