"""Who owes whom, and how much (A1). Pure; money in millionths of the settlement currency."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from alliance.agreements.book import AgreementBook, AgreementVersion, Event
from alliance.clearing.errors import TooLate
from alliance.clearing.model import ObligationKind
from domain.errors import InvalidInput
from domain.ledger.rules import share
from domain.money import MAX_INTEGER, half_even
from domain.programs.catalogue import Alliance

MAX_AHEAD = timedelta(minutes=5)
"""How far ahead of the edge's clock an event may be dated (A2)."""

MAX_LATE = timedelta(days=60)
"""Of what is sent later than this, the operator decides whether it counts at all (A2)."""

PRICE_OF_MILLIONTHS = 100
"""Prices are kept in 10^-8: what one point makes owed, in millionths, times this."""

_KINDS = {"earn": ObligationKind.EARN, "redeem": ObligationKind.SPEND, "exchange": ObligationKind.EXCHANGE}


@dataclass(frozen=True, slots=True)
class Owed:
    """An obligation, before it has an operation and a cycle: `amount` = `points` x `price`, but for fees."""

    kind: ObligationKind
    debtor_id: uuid.UUID
    creditor_id: uuid.UUID
    currency: str
    points: int
    price: int | None
    amount: int
    agreement_id: uuid.UUID
    agreement_version: int
    late: bool = False


def obligations(
    event: Event,
    version: AgreementVersion,
    *,
    debtor_id: uuid.UUID,
    creditor_id: uuid.UUID,
    issuer_id: uuid.UUID,
    operator_id: uuid.UUID,
    currency: str,
    points: int,
    owed: int,
    late: bool = False,
    at_use: int = 0,
) -> tuple[Owed, ...]:
    """What `points` make owed at `owed` millionths a point, and the operator's fees on it. What is zero is left out.

    Of it `at_use` is owed later; a fee is taken at once on the whole. One that is a share is rounded half-even to the
    millionth. Raises InvalidInput for a sum that is too large.
    """
    if (whole := points * owed) > MAX_INTEGER:
        raise InvalidInput(reason="more points than can be settled at once", path=("points",))
    now = owed - at_use
    main = Owed(
        kind=_KINDS[event],
        debtor_id=debtor_id,
        creditor_id=creditor_id,
        currency=currency,
        points=points,
        price=now * PRICE_OF_MILLIONTHS,
        amount=points * now,
        agreement_id=version.agreement_id,
        agreement_version=version.version,
        late=late,
    )
    partner_id = next(merchant for merchant in version.merchants if merchant != issuer_id)
    fees = [
        replace(
            main,
            kind=ObligationKind.FEE,
            debtor_id=issuer_id if fee.payer == "issuer" else partner_id,
            creditor_id=operator_id,
            price=None,
            amount=share_of(whole, fee.share) + (fee.amount if points else 0),
        )
        for fee in version.fee_on(event)
    ]
    return tuple(line for line in (main, *fees) if line.amount)


def share_of(amount: int, share: Fraction) -> int:
    """`share` of `amount`, half-even to the unit of `amount`."""
    return half_even(amount * share.numerator, share.denominator)


def divided(lines: Sequence[Owed], weights: Sequence[int]) -> list[tuple[Owed, ...]]:
    """`lines` of one earn shared over its parts of so many points: they sum to it, to the millionth."""
    parts: list[list[Owed]] = [[] for _ in weights]
    for line in lines:
        for part, points, amount in zip(parts, weights, share(line.amount, weights), strict=True):
            part.append(replace(line, points=points, amount=amount))
    return [tuple(line for line in part if line.amount) for part in parts]


def owed_json(lines: Sequence[Owed]) -> list[dict[str, Any]]:
    """What is kept of obligations that arise later."""
    return [
        {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in asdict(line).items()}
        for line in lines
    ]


def owed_later(stored: Sequence[dict[str, Any]], part: int, of: int) -> tuple[Owed, ...]:
    """The opposite of `owed_json`, for `part` of the `of` points that they were for."""
    ids = ("debtor_id", "creditor_id", "agreement_id")
    lines = [
        Owed(**kept | {name: uuid.UUID(kept[name]) for name in ids} | {"kind": ObligationKind(kept["kind"])})
        for kept in stored
    ]
    back = Fraction(part, of)
    return tuple(replace(line, points=part, amount=share_of(line.amount, back)) for line in lines)


def reversed_obligations(lines: Sequence[Owed], before: int, recovered: int, of: int) -> tuple[Owed, ...]:
    """The negative of `lines` for what came back of the operation's `of` points: `recovered` in all, `before` earlier.

    At the original's version and price; a clawback credits only the points recovered (A1). A fee is given back in
    proportion, half-even to the millionth of all that came back: so all parts sum to the whole.
    """
    then, now = Fraction(before, of), Fraction(recovered, of)
    return tuple(
        line
        for line in (
            replace(
                original,
                points=share_of(original.points, then) - share_of(original.points, now),
                amount=share_of(original.amount, then) - share_of(original.amount, now),
            )
            for original in lines
        )
        if line.amount
    )


def issuer_bears(book: AgreementBook, lines: Sequence[Owed]) -> bool:
    """Whether, by the version that made this owed, a clawback's shortfall is the issuer's (`shortfallTo`)."""
    line = next((line for line in lines if line.kind is ObligationKind.EARN), None)
    if line is None:
        return False
    for version in book.pairs.get(frozenset((line.debtor_id, line.creditor_id)), ()):
        if (version.agreement_id, version.version) == (line.agreement_id, line.agreement_version):
            terms = version.earn.get((line.debtor_id, line.currency))
            return terms is not None and terms.shortfall_to == "issuer"
    return False


def require_not_ahead(occurred_at: datetime, as_of: datetime) -> None:
    """Raises InvalidInput for an event dated too far ahead (A2)."""
    if occurred_at - as_of > MAX_AHEAD:
        raise InvalidInput(reason="occurredAt is more than 5 minutes ahead", path=("occurredAt",))


def is_late(occurred_at: datetime, as_of: datetime, alliance: Alliance) -> bool:
    """Whether an event is flagged for coming later than `acceptLateDays` (A2). Raises InvalidInput, as above."""
    require_not_ahead(occurred_at, as_of)
    return as_of - occurred_at > alliance.accept_late


def too_late(occurred_at: datetime, as_of: datetime) -> TooLate | None:
    """The refusal of what comes so late that only the operator may have it booked (A2)."""
    if as_of - occurred_at <= MAX_LATE:
        return None
    return TooLate(days=MAX_LATE.days, path=("occurredAt",))


def versions(
    book: AgreementBook,
    one: uuid.UUID,
    other: uuid.UUID,
    occurred_at: datetime,
    until: datetime | None = None,
    event: Event = "earn",
) -> list[AgreementVersion]:
    """The version that values an event: the one of its time, first.

    For a late event, all that were in force from then `until` it came follow, for the dearest to its sender to count.
    Nothing if there was none at its time. Points are also spent by one that runs off.
    """
    found = (book.spending if event == "redeem" else book.between)(one, other, occurred_at)
    if found is None:
        return []
    later = () if until is None else book.since(one, other, found, until)
    return [found, *later]
