"""Forced exits, as requests for the posting engine (R13). They make nothing owed between merchants."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from alliance.clearing.fault import grace_of
from alliance.runtime import Runtime
from domain.ledger.exits import Exit, FollowExit, ReverseExit
from domain.ledger.request import Key
from domain.money import PRICE, exponent
from domain.programs.catalogue import Catalogue, Currency, ForcedExitTerms, Merchant
from domain.programs.prepaid import FORCED_EXIT_FORBIDDEN
from domain.programs.rules import expiry_instant


class Programme(NamedTuple):
    """A currency whose points are sold so, by the policy in force at a moment."""

    currency: Currency
    terms: ForcedExitTerms
    into: Currency


def programmes(catalogue: Catalogue, as_of: datetime) -> list[Programme]:
    """All that are switched on then."""
    found = []
    for currency in catalogue.currencies.values():
        terms = currency.policy_at(as_of).forced_exit
        if terms is not None:
            found.append(Programme(currency, terms, catalogue.currencies[terms.into]))
    return found


def sold_into(catalogue: Catalogue) -> dict[str, str]:
    """By currency, that of the change which its exits paid under any policy: a clawback takes from it first."""
    terms = ((code, policy.forced_exit) for code, kind in catalogue.currencies.items() for policy in kind.policies)
    return {code: exits.into for code, exits in terms if exits is not None}


def exit_request(
    runtime: Runtime, programme: Programme, *, holder_id: uuid.UUID, as_of: datetime, follows: bool = False
) -> Exit:
    """Sell what a member holds, if they earned so much more than they spent; or what `follows` an earlier exit.

    Change lives by its currency's policy, and at least as long as the longest lot sold.
    """
    currency, terms, into = programme
    policy = currency.policy_at(as_of)
    assert policy.worth is not None
    assert policy.worth_currency is not None
    issuer = runtime.catalogue.merchants_by_id[currency.merchant_id]
    request = FollowExit if follows else Exit
    return request(
        holder_id=holder_id,
        key=None,
        client_id=None,
        as_of=as_of,
        occurred_at=as_of,
        currency=currency.code,
        issuer_id=issuer.id,
        into=into.code,
        times=terms.times,
        worth_at=worth_at(currency, terms),
        price=(policy.worth, PRICE // 10 ** exponent(policy.worth_currency)),
        change_expires_at=expiry_instant(into.policy_at(as_of).expiry, as_of, issuer.timezone),
        version=policy.version,
        protecting=frozenset(FORCED_EXIT_FORBIDDEN),
    )


def worth_at(currency: Currency, terms: ForcedExitTerms) -> Callable[[datetime], int]:
    """What a point counts for at a moment: its published worth then, or one where the points themselves count."""
    if terms.measure == "quantity":
        return lambda moment: 1
    return lambda moment: currency.policy_at(moment).worth or 0


def reverse_exit_request(
    runtime: Runtime,
    *,
    holder_id: uuid.UUID,
    operation_id: uuid.UUID,
    currency: str,
    occurred_at: datetime,
    as_of: datetime,
    key: Key | None,
    client_id: uuid.UUID | None,
    reason: str | None = None,
    at_fault: Merchant | None = None,
    dry_run: bool = False,
) -> ReverseExit:
    """Undo an exit, as long as its change is whole. With a merchant `at_fault` its points live so many days more."""
    named: dict[str, Any] = {"key": key, "client_id": client_id, "as_of": as_of, "occurred_at": occurred_at}
    named["grace"] = grace_of(runtime.catalogue, at_fault, as_of)
    return ReverseExit(
        holder_id=holder_id, operation_id=operation_id, currency=currency, note=reason, dry_run=dry_run, **named
    )
