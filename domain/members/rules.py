"""Who is who: member numbers, identifiers in their one spelling, and what an enrolment comes to. Pure."""

import re
import unicodedata
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from domain.base import new_id
from domain.errors import InvalidInput, NotFound, Refusal
from domain.ledger.errors import MemberNotActive
from domain.members.errors import (
    IdentifierNotVerified,
    IdentifierTaken,
    MemberNumbersExhausted,
    TooManyIdentifiers,
)
from domain.members.model import EnrolAsk, Enrolled, IdentifierRef
from domain.members.numbers import Range
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


def declared_type(catalogue: Catalogue, name: str) -> IdentifierType:
    """The type of identifier of this name. Raises InvalidInput, its path within the reference."""
    declared = catalogue.identifier_types.get(name)
    if declared is None:
        raise InvalidInput(reason=f"{name[:40]!r} is not a declared type of identifier", path=("type",))
    return declared


def identifier_key(catalogue: Catalogue, merchant: Merchant, ref: IdentifierRef) -> IdentifierKey:
    """What `ref`, presented at `merchant`, is unique by. Raises InvalidInput, its path within the reference."""
    declared = declared_type(catalogue, ref.type)
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
    match declared.normalise:
        case "e164":
            return _e164(text, merchant.jurisdiction[:2])
        case "email":
            try:
                return validate_email(text, check_deliverability=False).normalized.casefold()
            except EmailNotValidError:
                raise InvalidInput(reason="not an e-mail address", path=("value",)) from None
        case "fold":
            return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        case None:
            return text
        case spelling:
            joined = _SEPARATORS.sub("", text).upper()
            if _SPELLED[spelling].fullmatch(joined) is None:
                raise InvalidInput(reason=_MUST[spelling], path=("value",))
            return joined


_SEPARATORS = re.compile(r"[\s\-.:/()]")
_SPELLED = {"card": re.compile("[0-9A-Z]+"), "digits": re.compile("[0-9]+"), "hex": re.compile("([0-9A-F]{2})+")}
_MUST = {
    "card": "must be letters and digits, beside what separates them",
    "digits": "must be digits, beside what separates them",
    "hex": "must be pairs of hexadecimal digits, beside what separates them",
}


def _e164(text: str, country: str) -> str:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise InvalidInput(reason="not a telephone number", path=("value",)) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidInput(reason="not a possible telephone number", path=("value",))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _plain(value: str, name: str) -> str:
    """Trimmed, composed (NFC), of 1 to 200 characters that print."""
    text = unicodedata.normalize("NFC", value.strip())
    if not text or len(text) > MAX_VALUE or not text.isprintable():
        raise InvalidInput(reason=f"must be 1 to {MAX_VALUE} characters, all of which print", path=(name,))
    return text


@dataclass(frozen=True, slots=True)
class Wanted:
    """An ask with its merchant found and its identifiers in their one spelling, each with its place in the ask.

    Those in `unproven` have to be verified and were not: they are noted, and identify nobody. `most` is how many of
    a type a member has, for types where that is limited; `proven` are the types for which the asker vouches.
    """

    ask: EnrolAsk
    merchant: Merchant
    keys: dict[IdentifierKey, int]
    unproven: dict[IdentifierKey, int]
    most: dict[str, int]
    proven: frozenset[str]

    def verified_at(self, key: IdentifierKey) -> datetime | None:
        """When the asker vouched for this identifier; None where that is not needed."""
        return self.ask.as_of if key[0] in self.proven and key in self.keys else None


def wanted(catalogue: Catalogue, ask: EnrolAsk) -> Wanted:
    """Check an ask against the catalogue. Raises NotFound, InvalidInput, IdentifierNotVerified; paths are the ask's."""
    merchant = merchant_of(catalogue, ask.merchant)
    if ask.store is not None and ask.store not in merchant.stores:
        raise NotFound(what=f"store {ask.store[:40]!r}", path=("store",))
    if not 1 <= len(ask.identifiers) <= MAX_IDENTIFIERS:
        raise InvalidInput(reason=f"give 1 to {MAX_IDENTIFIERS} identifiers", path=("identifiers",))
    if ask.jurisdiction is not None and _JURISDICTION.fullmatch(ask.jurisdiction) is None:
        reason = "must be a country or part of one by ISO 3166, such as US-OH"
        raise InvalidInput(reason=reason, path=("jurisdiction",))
    want = Wanted(ask, merchant, {}, {}, {}, _proven(catalogue, ask))
    for position, ref in enumerate(ask.identifiers):
        try:
            key = identifier_key(catalogue, merchant, ref)
        except Refusal as refusal:
            raise refusal.at("identifiers", str(position)) from None
        declared = catalogue.identifier_types[ref.type]
        counts = declared.verify is None or ask.verified
        (want.keys if counts else want.unproven).setdefault(key, position)
        if declared.per_member is not None:
            want.most[ref.type] = declared.per_member
    if not want.keys:
        raise IdentifierNotVerified(type=ask.identifiers[0].type, path=("identifiers", "0"))
    return want


_NONE: frozenset[str] = frozenset()


def _proven(catalogue: Catalogue, ask: EnrolAsk) -> frozenset[str]:
    types = catalogue.identifier_types
    proven = [ref.type for ref in ask.identifiers if ref.type in types and types[ref.type].verify is not None]
    return frozenset(proven) if proven and ask.verified else _NONE


@dataclass(slots=True)
class Known:
    """What the database knows of the members that are asked for: owners of identifiers, and (number, status).

    `noted` is what is said of them and identifies nobody; `counts` is how many identifiers of a type they have. Both
    are known of those whom it may concern.
    """

    owners: dict[IdentifierKey, uuid.UUID] = field(default_factory=dict)
    members: dict[uuid.UUID, tuple[str, str]] = field(default_factory=dict)
    memberships: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    noted: set[tuple[uuid.UUID, IdentifierKey]] = field(default_factory=set)
    counts: dict[tuple[uuid.UUID, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What is to be written, and the answer to each ask that was wanted. What is new has no number until `number`.

    `noted` identifies nobody. `limited` is how many of a type those may have, who were known before and get more.
    """

    answers: list[Enrolled | Refusal] = field(default_factory=list)
    created: dict[uuid.UUID, Wanted] = field(default_factory=dict)
    links: dict[IdentifierKey, tuple[uuid.UUID, Wanted]] = field(default_factory=dict)
    noted: dict[tuple[uuid.UUID, IdentifierKey], Wanted] = field(default_factory=dict)
    joins: dict[tuple[uuid.UUID, uuid.UUID], Wanted] = field(default_factory=dict)
    jurisdictions: dict[uuid.UUID, str] = field(default_factory=dict)
    limited: dict[tuple[uuid.UUID, str], int] = field(default_factory=dict)
    serials: dict[int, uuid.UUID] = field(default_factory=dict)
    numbers: dict[tuple[uuid.UUID, uuid.UUID], str] = field(default_factory=dict)

    def needs(self) -> Counter[Range]:
        """How many new numbers of which range."""
        return Counter(range_of(want.merchant) for want in self._numbered().values())

    def number(self, serials: Mapping[Range, list[int]], known: Known) -> None:
        """Give a number to each new membership, and to each new member that of the first; `serials` are used up
        from their ends."""
        fresh = self._numbered()
        for place, want in self.joins.items():
            number, status = known.members[place[0]]
            if place in fresh:
                serial = serials[range_of(want.merchant)].pop()
                self.serials[serial] = place[0]
                self.numbers[place] = member_number(serial)
                known.members[place[0]] = number or self.numbers[place], status
            else:
                self.numbers[place] = number
        for i, answer in enumerate(self.answers):
            if isinstance(answer, Enrolled) and not answer.number:
                self.answers[i] = replace(answer, number=known.members[answer.member_id][0])

    def _numbered(self) -> dict[tuple[uuid.UUID, uuid.UUID], Wanted]:
        """New memberships that need a number: a new member's first, and all at merchants that own a range."""
        return {
            place: want
            for place, want in self.joins.items()
            if want.merchant.member_numbers is not None or self.created.get(place[0]) is want
        }


def range_of(merchant: Merchant) -> Range:
    """From which range a merchant numbers its members."""
    return None if merchant.member_numbers is None else (merchant.id, merchant.member_numbers)


def enrolment(asks: Sequence[Wanted], known: Known, left: Mapping[Range, int] | None = None) -> Plan:
    """Decide the asks one after the other, each seeing what those before it came to; `known` is brought up to date.

    `left` is how many numbers ranges have that are at their end.
    """
    plan, left = Plan(), dict(left or {})
    for want in asks:
        try:
            plan.answers.append(_enrol(want, known, plan, left))
        except Refusal as refusal:
            plan.answers.append(refusal)
    return plan


def _enrol(want: Wanted, known: Known, plan: Plan, left: dict[Range, int]) -> Enrolled:
    """Find or create one member; what an existing one is not yet known by is linked to them."""
    holder_id = _owner(want, known)
    created = holder_id is None
    if holder_id is None:
        holder_id = new_id()
        number, status = "", "ACTIVE"
    else:
        number, status = known.members[holder_id]
    missing = [key for key in want.keys if key not in known.owners]
    membership = holder_id, want.merchant.id
    joined = membership not in known.memberships
    if status != "ACTIVE" and (missing or joined or want.unproven or want.ask.jurisdiction):
        raise MemberNotActive(status=status, path=("identifiers",))
    noted = [key for key in want.unproven if known.owners.get(key) != holder_id and (holder_id, key) not in known.noted]
    counts = _within_limits(want, holder_id, [*missing, *noted], known) if want.most else {}
    owned = range_of(want.merchant)
    if (created or (joined and owned is not None)) and owned in left:
        if not left[owned]:
            raise MemberNumbersExhausted(merchant=want.merchant.code, path=("merchant",))
        left[owned] -= 1
    if created:
        known.members[holder_id] = number, status
        plan.created[holder_id] = want
    if not created:
        plan.limited |= {place: want.most[place[1]] for place in counts}
    known.counts |= counts
    if want.ask.jurisdiction is not None:
        plan.jurisdictions[holder_id] = want.ask.jurisdiction
    for key in missing:
        known.owners[key] = holder_id
        plan.links[key] = holder_id, want
    for key in noted:
        known.noted.add((holder_id, key))
        plan.noted[holder_id, key] = want
    if joined:
        known.memberships.add(membership)
        plan.joins[membership] = want
    return Enrolled(holder_id, number, created, joined)


def _within_limits(
    want: Wanted, holder_id: uuid.UUID, more: Sequence[IdentifierKey], known: Known
) -> dict[tuple[uuid.UUID, str], int]:
    """How many of limited types the member has with these more. Raises TooManyIdentifiers."""
    counts: dict[tuple[uuid.UUID, str], int] = {}
    for key in more:
        place = holder_id, key[0]
        if key[0] in want.most and (holder_id, key) not in known.noted:
            counts[place] = counts.get(place, known.counts.get(place, 0)) + 1
            if counts[place] > want.most[key[0]]:
                position = want.keys.get(key, want.unproven.get(key, 0))
                raise TooManyIdentifiers(type=key[0], most=want.most[key[0]], path=("identifiers", str(position)))
    return counts


def _owner(want: Wanted, known: Known) -> uuid.UUID | None:
    """The one member to whom all identifiers that are known belong. Raises IdentifierTaken if there are two."""
    found: uuid.UUID | None = None
    for key, position in want.keys.items():
        owner = known.owners.get(key, found)
        if found is not None and owner != found:
            raise IdentifierTaken(type=key[0], path=("identifiers", str(position)))
        found = owner
    return found
