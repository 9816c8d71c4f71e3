"""What a currency or an earning rule says about points: when they end, whether they wait, how many they may be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """When a lot ends. Of the other fields, those count that the kind names: see `rules.expiry_instant`."""

    kind: Literal["rolling", "fixed", "end_of_year", "anniversary", "inactivity", "never"]
    days: int = 0
    months: int = 0
    round_up_to: Literal["month", "quarter", "year"] | None = None
    on: date | None = None
    years: int = 0

    @property
    def span(self) -> str:
        """For `inactivity`: the time without activity, as the ledger names it."""
        return f"{self.months} months" if self.months else f"{self.days} days"


@dataclass(frozen=True, slots=True)
class PendingTerms:
    """Points wait `days` whole days in the programme's zone; None: until an event confirms or rejects them."""

    days: int | None


@dataclass(frozen=True, slots=True)
class EarnLimits:
    """The most points that one earn, one member's earns of a period, and a balance may reach (R9). None: no limit."""

    per_transaction: int | None = None
    per_day: int | None = None
    per_week: int | None = None
    per_month: int | None = None
    balance: int | None = None
    over: Literal["truncate", "refuse"] = "truncate"


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What one rule says otherwise than its currency; `limits` are its own, beside those of the currency."""

    expiry: ExpiryPolicy | None = None
    pending: PendingTerms | None = None
    limits: EarnLimits | None = None
    code: str = ""
    version: int = 1


def expiry_terms(stored: Mapping[str, Any]) -> ExpiryPolicy:
    """From the alliance file's `expiry`."""
    return ExpiryPolicy(
        kind=stored["policy"],
        days=stored.get("days", 0),
        months=stored.get("months", 0),
        round_up_to=stored.get("roundUpTo"),
        on=date.fromisoformat(stored["on"]) if "on" in stored else None,
        years=stored.get("years", 0),
    )


def inactivity_of(span: str) -> ExpiryPolicy:
    """The opposite of `ExpiryPolicy.span`."""
    count, unit = span.split()
    return (
        ExpiryPolicy("inactivity", months=int(count))
        if unit == "months"
        else ExpiryPolicy("inactivity", days=int(count))
    )


def expiry_json(policy: ExpiryPolicy) -> dict[str, Any]:
    """The opposite of `expiry_terms`: what a pending earn keeps of the policy that begins when it is active."""
    named: dict[str, Any] = {"policy": policy.kind, "days": policy.days, "months": policy.months, "years": policy.years}
    named |= {"roundUpTo": policy.round_up_to, "on": policy.on and policy.on.isoformat()}
    return {key: value for key, value in named.items() if value}


def pending_terms(stored: Mapping[str, Any] | None) -> PendingTerms | None:
    """From the alliance file's `pending`."""
    return None if stored is None else PendingTerms(stored.get("days"))


def limit_terms(stored: Mapping[str, Any] | None) -> EarnLimits | None:
    """From the alliance file's `limits`."""
    if stored is None:
        return None
    names = {"perTransaction": "per_transaction", "perDay": "per_day", "perWeek": "per_week", "perMonth": "per_month"}
    return EarnLimits(**{names.get(key, key): value for key, value in stored.items()})


def rule_terms(code: str, version: int, stored: Mapping[str, Any]) -> RuleTerms | None:
    """From a version of a rule of the alliance file; None where it says nothing otherwise."""
    if not stored.keys() & {"expiry", "pending", "limits"}:
        return None
    return RuleTerms(
        expiry=expiry_terms(stored["expiry"]) if "expiry" in stored else None,
        pending=pending_terms(stored.get("pending")),
        limits=limit_terms(stored.get("limits")),
        code=code,
        version=version,
    )
