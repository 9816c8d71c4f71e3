"""What must hold between the parts of an alliance file."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from alliance.file.agreement import Agreement, Earn, Redeem
from alliance.file.banking import wrong_banking
from alliance.file.exits import forbidden_exits
from alliance.file.feeds import wrong_feeds
from alliance.file.guard import undeclared_types
from alliance.file.liability import unfit_liability
from alliance.file.members import wrong_members
from alliance.file.model import AllianceDocument, CurrencyTerms, EarningRule, Merchant, Policy, Tiers
from alliance.file.money_machine import money_machines
from alliance.file.notices import missing_notices
from alliance.file.notifications import unfit_texts
from alliance.file.partner_files import wrong_partner_files
from alliance.file.source import Path
from alliance.file.stored_value import forbidden
from alliance.file.values import Money
from domain.money import exponent
from domain.programs.catalogue import MICRO_PLACES
from domain.programs.jurisdictions import forbids_expiry, profile_of
from domain.programs.terms import expiry_terms

UNKNOWN_MONEY = "XXX"

Item = TypeVar("Item")
Faults = Iterator["Fault"]


class Versioned(Protocol):
    """A version of a policy, a rule or an agreement."""

    @property
    def version(self) -> int: ...

    @property
    def from_(self) -> date: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a path of the file (at its key rather than its value, where `at_key`)."""

    path: Path
    reason: str
    at_key: bool = False


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` where a known word is like this one."""
    like = get_close_matches(word, list(known), n=1)
    return f"; did you mean {like[0]!r}?" if like else ""


def check_document(document: AllianceDocument, raw: Any, places: Mapping[int, Path]) -> list[Fault]:
    """All that does not fit together. What is named in `raw`, the values as written, counts as declared.

    `places` are the paths of the document's list items, by identity.
    """
    faults = check_parts(document, raw, places)
    for machine in money_machines(document.agreements):
        faults.append(Fault((*places[id(machine.exchanges[-1])], "rate"), str(machine)))
    return faults


def check_parts(document: AllianceDocument, raw: Any, places: Mapping[int, Path]) -> list[Fault]:
    """The same, without looking for money machines."""
    return list(_Check(document, _codes(raw, "merchants"), _owners(raw), places).faults())


def _mappings(raw: Any, section: str) -> list[dict[str, Any]]:
    items = raw.get(section) if isinstance(raw, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _codes(raw: Any, section: str) -> list[str]:
    return [item["code"] for item in _mappings(raw, section) if isinstance(item.get("code"), str)]


def _owners(raw: Any) -> dict[str, str]:
    return {code: str(item.get("code")) for item in _mappings(raw, "merchants") for code in _codes(item, "currencies")}


@dataclass(frozen=True, slots=True)
class _Check:
    document: AllianceDocument
    merchants: Sequence[str]
    owners: Mapping[str, str]
    places: Mapping[int, Path]

    def faults(self) -> Faults:
        document = self.document
        yield from self._minor(document.alliance.cycle.min_payment, ("alliance", "cycle", "minPayment"))
        yield from self._twice(document.identifiers, "type", lambda item: item.type)
        yield from self._twice(document.merchants, "code", lambda item: item.code)
        currencies = [currency for merchant in document.merchants for currency in merchant.currencies]
        yield from self._twice(currencies, "code", lambda item: item.code)
        for i, declared in enumerate(document.identifiers):
            if declared.unique == "alliance" and declared.issuer is not None:
                yield Fault(("identifiers", i, "issuer"), "what is unique in the alliance has no issuer")
        for merchant in document.merchants:
            yield from self._merchant(merchant)
        for agreement in document.agreements:
            yield from self._agreement(agreement)
        for versions in _grouped(document.agreements, lambda item: frozenset(item.merchants)):
            yield from self._versions(versions)
        faults = (
            forbidden,
            forbidden_exits,
            missing_notices,
            unfit_texts,
            wrong_members,
            undeclared_types,
            wrong_banking,
            unfit_liability,
            wrong_partner_files,
        )
        for path, reason in (fault for find in faults for fault in find(document, self.places)):
            yield Fault(path, reason)
        yield from self._twice(document.feeds, "code", lambda item: item.code)
        for path, reason in wrong_feeds(document, dict.fromkeys(self.merchants), self.places):
            yield Fault(path, reason)

    def _merchant(self, merchant: Merchant) -> Faults:
        path = self.places[id(merchant)]
        for key in ("creditLimit", "collateral", "reserve"):
            if (amount := merchant.settlement.dump().get(key)) is not None:
                yield from self._minor(amount, (*path, "settlement", key))
        yield from self._twice(merchant.stores, "code", lambda item: item.code)
        candidates = merchant.candidates
        if len(candidates) > 1 and sum(currency.default for currency in candidates) != 1:
            yield Fault((*path, "currencies"), "exactly one of several currencies is the default")
        for currency in merchant.currencies:
            if currency.default and currency not in candidates:
                yield Fault((*self.places[id(currency)], "default"), "points are the default where there are any")
            yield from self._versions(currency.policies)
            for terms in (currency, *currency.policies):
                yield from self._kind(currency.kind, terms, self.places[id(terms)])
        yield from self._law(merchant)
        if merchant.tiers is not None:
            yield from self._tiers(merchant, merchant.tiers)
        yield from self._benefits(merchant)
        for rule in merchant.earning:
            yield from self._rule(merchant, rule)
        for versions in _grouped(merchant.earning, lambda item: item.code):
            yield from self._versions(versions)

    def _kind(self, kind: str, terms: CurrencyTerms, path: Path) -> Faults:
        """What a policy says that has no meaning in its kind of currency."""
        given = terms.model_fields_set
        if terms.card is not None and kind != "stamps":
            yield Fault((*path, "card"), "only stamps have cards")
        if terms.card is not None and given & {"worth", "redemption"}:
            yield Fault((*path, "card"), "whole cards are spent: a stamp has neither worth nor redemption")
        if kind == "tier_credits":
            for key in given & {"worth", "redemption"}:
                yield Fault((*path, key), "tier credits are never spent")
        if kind == "stored_value":
            for key in given & {"limits", "pending"}:
                yield Fault((*path, key), "stored value is paid for, not earned")
            if terms.expiry.policy in ("anniversary", "inactivity"):
                yield Fault((*path, "expiry"), "the bonus of a top up ends on a date known beforehand")
        if terms.gifts.allowed and kind in ("tier_credits", "stamps"):
            yield Fault((*path, "gifts", "allowed"), f"{kind} are never given")

    def _law(self, merchant: Merchant) -> Faults:
        """What the merchant's jurisdiction forbids when a version starts (L1); what has no start follows the newest."""
        versions = [policy for currency in merchant.currencies for policy in currency.policies]
        parts: list[CurrencyTerms | EarningRule] = [*merchant.currencies, *versions, *merchant.earning]
        for part in parts:
            if part.expiry is None:
                continue
            start = part.from_ if isinstance(part, Policy | EarningRule) else date.max
            profile = profile_of(merchant.jurisdiction, start)
            if reason := forbids_expiry(profile, expiry_terms(part.expiry.dump())):
                yield Fault((*self.places[id(part)], "expiry"), reason)

    def _tiers(self, merchant: Merchant, tiers: Tiers) -> Faults:
        path = (*self.places[id(merchant)], "tiers")
        credits = next((currency for currency in merchant.currencies if currency.code == tiers.credits), None)
        if credits is None or credits.kind != "tier_credits":
            yield Fault((*path, "credits"), "must be tier_credits of this merchant's own")
        elif any(terms.expiry.policy != "never" for terms in (credits, *credits.policies)):
            yield Fault((*path, "credits"), f"the period says how long these count: {tiers.credits} has no expiry")
        if tiers.lasts == "balance" and "after_return" in tiers.model_fields_set:
            yield Fault((*path, "afterReturn"), "has no meaning where a tier follows the balance")
        yield from self._twice(tiers.levels, "code", lambda level: level.code)
        kinds = {benefit.code for benefit in merchant.benefits}
        for level in tiers.levels:
            for i, grant in enumerate(level.grants or ()):
                if grant.kind not in kinds:
                    place = (*self.places[id(level)], "grants", i, "kind")
                    yield Fault(place, f"{merchant.code} has no benefit {grant.kind!r}")
        for lower, level in pairwise(tiers.levels):
            if level.threshold <= lower.threshold:
                yield Fault((*self.places[id(level)], "threshold"), f"must be more than {lower.threshold}, before it")

    def _benefits(self, merchant: Merchant) -> Faults:
        yield from self._twice(merchant.benefits, "code", lambda item: item.code)
        for item in merchant.benefits:
            path = self.places[id(item)]
            for i, code in enumerate(item.at or ()):
                if code not in self.merchants:
                    reason = f"no merchant {code!r} in this file{suggestion(code, self.merchants)}"
                    yield Fault((*path, "at", i), reason)
            for key, money in (("budget", item.budget), ("cost", item.cost)):
                if money is not None:
                    yield from self._price((*path, key), money)

    def _beside(self, merchant: Merchant, rule: EarningRule) -> Faults:
        """What is granted beside the points of a purchase is active at once, and ends on a date of its currency's."""
        granted = next(currency for currency in merchant.currencies if currency.code == rule.of)
        if merchant.is_default(granted):
            return
        path = self.places[id(rule)]
        for key in rule.model_fields_set & {"expiry", "limits", "pending"}:
            yield Fault((*path, key), f"{rule.of} are granted beside: they are active at once, and end as they say")
        for terms in (granted, *granted.policies):
            sliding = terms.expiry.policy in ("anniversary", "inactivity")
            if terms.pending is not None or terms.limits is not None or sliding:
                yield Fault((*path, "of"), f"{rule.of} wait, are limited or slide: they are not granted beside others")
                return

    def _rule(self, merchant: Merchant, rule: EarningRule) -> Faults:
        path = self.places[id(rule)]
        levels = [] if merchant.tiers is None else [level.code for level in merchant.tiers.levels]
        for i, code in enumerate((rule.when and rule.when.tier) or ()):
            if code not in levels:
                yield Fault((*path, "when", "tier", i), f"no tier {code!r} of this merchant{suggestion(code, levels)}")
        if rule.of is not None:
            kinds = {currency.code: currency.kind for currency in merchant.currencies}
            if rule.of not in kinds:
                yield Fault((*path, "of"), f"must be one of the merchant's own{suggestion(rule.of, kinds)}")
            elif kinds[rule.of] == "stored_value":
                yield Fault((*path, "of"), "stored value is paid for, not earned")
            else:
                yield from self._beside(merchant, rule)
        elif rule.currency is not None:
            yield from self._known((*path, "currency"), rule.currency)
        elif merchant.code not in self.owners.values():
            yield Fault(path, "currency is missing: this merchant has none of its own")
        if rule.per is not None and not _exact(rule.per.amount, exponent(rule.per.currency)):
            yield Fault((*path, "per", "amount"), f"has more places than {rule.per.currency}")
        if rule.at_least is not None and not _exact(rule.at_least.amount, exponent(rule.at_least.currency)):
            yield Fault((*path, "atLeast", "amount"), f"has more places than {rule.at_least.currency}")

    def _agreement(self, agreement: Agreement) -> Faults:
        path = self.places[id(agreement)]
        for i, code in enumerate(agreement.merchants):
            if code not in self.merchants:
                reason = f"no merchant {code!r} in this file{suggestion(code, self.merchants)}"
                yield Fault((*path, "merchants", i), reason)
        yield from self._twice(agreement.exchange, "to", lambda item: (item.from_, item.to))
        yield from self._twice(agreement.earn, "of", lambda item: (item.at, item.of))
        yield from self._twice(agreement.redeem, "of", lambda item: (item.at, item.of))
        yield from self._twice(agreement.rights, "kind", lambda item: (item.grantor, item.at, item.kind))
        yield from self._exchange(agreement)
        yield from self._honouring(agreement)
        yield from self._rights(agreement)
        yield from self._subsidies(agreement)
        for fee in agreement.fees:
            if fee.amount is not None:
                yield from self._price((*self.places[id(fee)], "amount"), fee.amount)

    def _exchange(self, agreement: Agreement) -> Faults:
        for item in agreement.exchange:
            path = self.places[id(item)]
            unknown = [*self._points((*path, "from"), item.from_), *self._points((*path, "to"), item.to)]
            yield from unknown
            owners = {self.owners.get(item.from_), self.owners.get(item.to)}
            if not unknown and owners != set(agreement.merchants):
                yield Fault(path, "an exchange is between the points of one party and those of the other")
            yield from self._price((*path, "clearingValue"), item.clearing_value)

    def _honouring(self, agreement: Agreement) -> Faults:
        honoured: list[Earn | Redeem] = [*agreement.earn, *agreement.redeem]
        for item in honoured:
            path = self.places[id(item)]
            also = "stored_value" if isinstance(item, Redeem) else ""
            unknown = [*self._party((*path, "at"), item.at, agreement), *self._points((*path, "of"), item.of, also)]
            yield from unknown
            if not unknown and {item.at, self.owners[item.of]} != set(agreement.merchants):
                yield Fault((*path, "of"), f"must be points of the other party, not of {self.owners[item.of]!r}")
        for earn in agreement.earn:
            for part in earn.parts:
                yield from self._price((*self.places[id(earn)], "issuePrice"), earn.issue_price, part)
        for redeem in agreement.redeem:
            yield from self._price((*self.places[id(redeem)], "redemptionPrice"), redeem.redemption_price)

    def _rights(self, agreement: Agreement) -> Faults:
        for right in agreement.rights:
            path = self.places[id(right)]
            yield from self._party((*path, "grantor"), right.grantor, agreement)
            yield from self._party((*path, "at"), right.at, agreement)
            if right.at == right.grantor:
                yield Fault((*path, "at"), "must be the other party")
            yield from self._price((*path, "price"), right.price)
            if right.no_show is not None:
                yield from self._price((*path, "noShow"), right.no_show)

    def _subsidies(self, agreement: Agreement) -> Faults:
        yield from self._twice(agreement.subsidies, "of", lambda item: item.of)
        for item in agreement.subsidies:
            path = self.places[id(item)]
            yield from self._known((*path, "of"), item.of)
            if self.owners.get(item.of, agreement.merchants[0]) not in agreement.merchants:
                yield Fault((*path, "of"), f"must be points of a party, not of {self.owners[item.of]!r}")
            for key, money in (("budget", item.budget), ("perRoundTrip", item.per_round_trip)):
                if money is not None:
                    yield from self._price((*path, key), money)

    def _party(self, path: Path, code: str, agreement: Agreement) -> Faults:
        if code not in agreement.merchants:
            yield Fault(path, f"{code!r} is no party of this agreement{suggestion(code, agreement.merchants)}")

    def _known(self, path: Path, currency: str) -> Faults:
        if currency not in self.owners:
            yield Fault(path, f"no currency {currency!r} in this file{suggestion(currency, self.owners)}")

    def _points(self, path: Path, currency: str, also: str = "") -> Faults:
        """What merchants agree on are points, or what this term is `also` about."""
        yield from self._known(path, currency)
        kinds = {one.code: one.kind for merchant in self.document.merchants for one in merchant.currencies}
        if kinds.get(currency, "points") not in ("points", also):
            yield Fault(path, f"{currency!r} are {kinds[currency]}, not points")

    def _price(self, path: Path, money: Money, share: str = "1") -> Faults:
        """A price is in the settlement currency; what is owed of it is exact in millionths, as obligations are."""
        settlement = self.document.alliance.settlement_currency
        if money.currency != settlement != UNKNOWN_MONEY:
            yield Fault((*path, "currency"), f"must be the settlement currency, {settlement}")
        if not _exact(Decimal(money.amount) * Decimal(share), MICRO_PLACES):
            at_share = "" if share == "1" else f" times the share of {share}"
            yield Fault((*path, "amount"), f"{money.amount}{at_share} has more than {MICRO_PLACES} decimal places")

    def _minor(self, amount: str, path: Path) -> Faults:
        settlement = self.document.alliance.settlement_currency
        if settlement != UNKNOWN_MONEY and not _exact(amount, exponent(settlement)):
            yield Fault(path, f"has more places than {settlement}")

    def _twice(self, items: Iterable[Item], key: str, value: Callable[[Item], Hashable]) -> Faults:
        for group in _grouped(items, value):
            for item in group[1:]:
                yield Fault((*self.places[id(item)], key), "declared twice")

    def _versions(self, versions: Sequence[Versioned]) -> Faults:
        """Versions of one thing begin one after the other, and none runs into the next."""
        ordered = sorted(versions, key=lambda item: item.version)
        for item in ordered:
            end = getattr(item, "to", None)
            if end is not None and end <= item.from_:
                yield Fault(
                    (*self.places[id(item)], "to"), "must be after from; it is the first day without the version"
                )
        for earlier, item in pairwise(ordered):
            path, end = self.places[id(item)], getattr(earlier, "to", None)
            if item.version == earlier.version:
                yield Fault((*path, "version"), f"version {item.version} is declared twice")
            elif item.from_ <= earlier.from_:
                yield Fault((*path, "from"), f"must be after {earlier.from_}, when version {earlier.version} begins")
            elif end is not None and end > item.from_:
                yield Fault((*path, "from"), f"overlaps version {earlier.version}, which lasts to {end}")


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    groups: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _exact(amount: str | Decimal, places: int) -> bool:
    scaled = Decimal(amount).scaleb(places)
    return scaled == scaled.to_integral_value()
