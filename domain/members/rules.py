"""Who is who: member numbers, identifiers in their one spelling, and what an enrolment comes to. Pure."""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from domain.base import new_id
from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.errors import MemberNotActive
from domain.members.errors import IdentifierTaken
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.programs.catalogue import Catalogue, IdentifierType, Merchant

MAX_VALUE = 200
MAX_IDENTIFIERS = 10
_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")

IdentifierKey = tuple[str, str, str]
"""Type, issuer (empty where the alliance is the space), value in its one spelling: what an identifier is unique by."""


def check_digit(digits: str) -> str:
    """The Luhn check digit of a string of digits (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)


def member_number(serial: int) -> str:
    """The number that is printed for a serial: its digits and a check digit."""
    return f"{serial}{check_digit(str(serial))}"


def serial_of(number: str) -> int | None:
    """The serial in a member number, spaces ignored; None if it is none or was mistyped."""
    digits = number.replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and 2 <= len(digits) <= 19) or digits[0] == "0":
        return None
    return int(digits[:-1]) if check_digit(digits[:-1]) == digits[-1] else None


def mask(value: str) -> str:
    """An identifier for those who may not see it: its last four characters, and never more than half of it."""
    shown = min(4, len(value) // 2)
    return f"•••{value[len(value) - shown :]}"


def merchant_of(catalogue: Catalogue, code: str) -> Merchant:
    """The merchant with this code. Raises NotFound."""
    merchant = catalogue.merchants.get(code)
    if merchant is None:
        raise NotFound(what=f"merchant {code[:40]!r}", path=("merchant",))
    return merchant


def identifier_key(catalogue: Catalogue, merchant: Merchant, ref: IdentifierRef) -> IdentifierKey:
    """What `ref`, presented at `merchant`, is unique by. Raises InvalidInput, its path within the reference."""
    declared = catalogue.identifier_types.get(ref.type)
    if declared is None:
        raise InvalidInput(reason=f"{ref.type[:40]!r} is not a declared type of identifier", path=("type",))
    return declared.type, _issuer(catalogue, merchant, declared, ref), _normalised(declared, merchant, ref.value)


def _issuer(catalogue: Catalogue, merchant: Merchant, declared: IdentifierType, ref: IdentifierRef) -> str:
    """The issuer that is part of the key: the one named, else the type's own; empty where the alliance is the space."""
    if declared.unique == "alliance":
        return ""
    own = merchant.code if declared.issuer == "merchant" else declared.issuer
    issuer = own if ref.issuer is None else ref.issuer
    if issuer is None:
        raise InvalidInput(reason=f"an identifier of type {declared.type} needs its issuer", path=("issuer",))
    issues = issuer in catalogue.merchants if declared.issuer == "merchant" else declared.issuer in (None, issuer)
    if not issues:
        raise InvalidInput(reason=f"{issuer[:40]!r} does not issue {declared.type}", path=("issuer",))
    return _plain(issuer, "issuer")


def _normalised(declared: IdentifierType, merchant: Merchant, value: str) -> str:
    """The one spelling of a value. A telephone number without country code is one of the merchant's country."""
    text = _plain(value, "value")
    try:
        match declared.normalise:
            case "e164":
                number = phonenumbers.parse(text, merchant.jurisdiction[:2])
                if not phonenumbers.is_possible_number(number):
                    raise InvalidInput(reason="not a possible telephone number", path=("value",))
                return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            case "email":
                return validate_email(text, check_deliverability=False).normalized.casefold()
            case _:
                return text
    except phonenumbers.NumberParseException:
        raise InvalidInput(reason="not a telephone number", path=("value",)) from None
    except EmailNotValidError:
        raise InvalidInput(reason="not an e-mail address", path=("value",)) from None


def _plain(value: str, name: str) -> str:
    """Trimmed, composed (NFC), of 1 to 200 characters that print."""
    text = unicodedata.normalize("NFC", value.strip())
    if not text or len(text) > MAX_VALUE or not text.isprintable():
        raise InvalidInput(reason=f"must be 1 to {MAX_VALUE} characters, all of which print", path=(name,))
    return text


@dataclass(frozen=True, slots=True)
class Wanted:
    """An ask with its merchant found and its identifiers in their one spelling."""

    ask: EnrolAsk
    merchant: Merchant
    keys: tuple[IdentifierKey, ...]


def wanted(catalogue: Catalogue, ask: EnrolAsk) -> Wanted:
    """Check an ask against the catalogue. Raises NotFound or InvalidInput with the path within the ask."""
    merchant = merchant_of(catalogue, ask.merchant)
    if ask.store is not None and ask.store not in merchant.stores:
        raise NotFound(what=f"store {ask.store[:40]!r}", path=("store",))
    if not 1 <= len(ask.identifiers) <= MAX_IDENTIFIERS:
        raise InvalidInput(reason=f"give 1 to {MAX_IDENTIFIERS} identifiers", path=("identifiers",))
    if ask.jurisdiction is not None and _JURISDICTION.fullmatch(ask.jurisdiction) is None:
        reason = "must be a country or part of one by ISO 3166, such as US-OH"
        raise InvalidInput(reason=reason, path=("jurisdiction",))
    keys = []
    for position, ref in enumerate(ask.identifiers):
        try:
            keys.append(identifier_key(catalogue, merchant, ref))
        except Refusal as refusal:
            raise refusal.at("identifiers", str(position)) from None
    return Wanted(ask, merchant, tuple(keys))


@dataclass(slots=True)
class Known:
    """What the database knows of the members that are asked for: owners of identifiers, and (number, status)."""

    owners: dict[IdentifierKey, uuid.UUID] = field(default_factory=dict)
    members: dict[uuid.UUID, tuple[str, str]] = field(default_factory=dict)
    memberships: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)


@dataclass(slots=True)
class Plan:
    """What is to be written, and the answer to each ask that was wanted."""

    answers: list[Enrolled | Refusal] = field(default_factory=list)
    created: list[tuple[uuid.UUID, str, Wanted]] = field(default_factory=list)
    links: dict[IdentifierKey, tuple[uuid.UUID, Wanted]] = field(default_factory=dict)
    joins: dict[tuple[uuid.UUID, uuid.UUID], tuple[str, Wanted]] = field(default_factory=dict)
    jurisdictions: dict[uuid.UUID, str] = field(default_factory=dict)


def enrolment(asks: Sequence[Wanted], known: Known, serials: Iterable[int]) -> Plan:
    """Decide the asks one after the other, each seeing what those before it came to; `known` is brought up to date.

    `serials` must yield at least as many as there are asks of which no identifier is known.
    """
    plan = Plan()
    fresh = iter(serials)
    for want in asks:
        try:
            plan.answers.append(_enrol(want, known, plan, fresh))
        except Refusal as refusal:
            plan.answers.append(refusal)
    return plan


def _enrol(want: Wanted, known: Known, plan: Plan, serials: Iterator[int]) -> Enrolled:
    """Find or create one member; what an existing one is not yet known by is linked to them."""
    holder_id = _owner(want, known)
    created = holder_id is None
    if holder_id is None:
        holder_id = new_id()
        number, status = member_number(next(serials)), "ACTIVE"
        known.members[holder_id] = number, status
        plan.created.append((holder_id, number, want))
    else:
        number, status = known.members[holder_id]
    missing = [key for key in want.keys if key not in known.owners]
    membership = holder_id, want.merchant.id
    joined = membership not in known.memberships
    if status != "ACTIVE" and (missing or joined or want.ask.jurisdiction):
        raise MemberNotActive(status=status, path=("identifiers",))
    if want.ask.jurisdiction is not None:
        plan.jurisdictions[holder_id] = want.ask.jurisdiction
    for key in missing:
        known.owners[key] = holder_id
        plan.links[key] = holder_id, want
    if joined:
        known.memberships.add(membership)
        plan.joins[membership] = number, want
    return Enrolled(holder_id, number, created, joined)


def _owner(want: Wanted, known: Known) -> uuid.UUID | None:
    """The one member to whom all identifiers that are known belong. Raises IdentifierTaken if there are two."""
    found: uuid.UUID | None = None
    for position, key in enumerate(want.keys):
        owner = known.owners.get(key, found)
        if found is not None and owner != found:
            raise IdentifierTaken(type=key[0], path=("identifiers", str(position)))
        found = owner
    return found
