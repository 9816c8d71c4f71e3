"""What changes positions outside of postings: caps that are set, payments that are made."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.exposure.model import FREEZE_LOCK, Exposure
from alliance.exposure.positions import ALERT, EVENT, add
from alliance.exposure.queries import (
    OWED_IN_CLOSED,
    OWED_SINCE,
    POSITIONS,
    PROMISED_AND_WITHHELD,
    WHICH,
    WITHHELD,
)
from alliance.settlement.model import CYCLE_LOCK, CycleStatus, Payment, SettlementCycle
from alliance.settlement.rules import Pair, minor_unit
from domain.events.commands import add_job
from domain.money import scaled
from domain.programs.catalogue import MICRO_PLACES
from domain.programs.model import AllianceRow, MerchantRow

_SET = text(f"""
    WITH w AS (
        INSERT INTO exposure AS e (merchant_id, cap, reserve, owed, reserved, withheld)
        SELECT * FROM unnest((:ids)::uuid[], (:caps)::bigint[], (:reserves)::bigint[], (:owed)::numeric[],
                             (:reserved)::numeric[], (:withheld)::numeric[])
        ON CONFLICT (merchant_id) DO UPDATE SET cap = excluded.cap, reserve = excluded.reserve
        RETURNING e.merchant_id, coalesce(old.level, 0) AS before, new.level, new.used, e.cap),
    w_0 AS ({ALERT.format(w="w")}), w_1 AS ({EVENT.format(w="w")})
    SELECT 1
""")  # noqa: S608 - our own text

_FROZEN = select(MerchantRow.id).where(MerchantRow.frozen_since.is_not(None))
_WITHHOLD = f"""
    WITH {WHICH}, claims AS ({WITHHELD}),
    w AS (UPDATE exposure e SET withheld = now.withheld
          FROM (SELECT x.merchant_id, coalesce(c.withheld, 0) AS withheld
                FROM exposure x LEFT JOIN claims c USING (merchant_id) ORDER BY x.merchant_id FOR UPDATE OF x) AS now
          WHERE e.merchant_id = now.merchant_id AND e.withheld <> now.withheld
          RETURNING e.merchant_id, old.level AS before, new.level, new.used, e.cap),
    w_0 AS ({ALERT.format(w="w")}), w_1 AS ({EVENT.format(w="w")})
    SELECT 1
"""  # noqa: S608 - our own text

_OWED_IN_CLOSED = text(OWED_IN_CLOSED)


async def set_caps(session: AsyncSession, as_of: datetime) -> None:
    """Let the caps be what the merchants' settings say, in the transaction that changes these.

    Postings wait only where somebody is capped who was not, and only for what the open cycle holds of them: who is
    capped from now on has all that is booked by then in its position, and nobody who books later misses it.
    """
    wanted = {
        id_: _caps(said)
        for id_, said in await session.execute(select(MerchantRow.id, MerchantRow.settlement))
        if said.get("creditLimit") is not None
    }
    kept = {row.merchant_id: (row.cap, row.reserve) for row in await session.scalars(select(Exposure))}
    if wanted == kept:
        return
    await session.execute(delete(Exposure).where(Exposure.merchant_id.in_(kept.keys() - wanted.keys())))
    positions = await _first_positions(session, sorted(wanted.keys() - kept.keys()))
    changed = sorted(id_ for id_, caps in wanted.items() if kept.get(id_) != caps)
    rows = [(id_, *wanted[id_], *positions.get(id_, (0, 0, 0))) for id_ in changed]
    columns = zip(*rows, strict=True) if rows else [()] * 6
    names = ("ids", "caps", "reserves", "owed", "reserved", "withheld")
    await session.execute(_SET, {name: list(column) for name, column in zip(names, columns, strict=True)})
    await make_room(session, as_of)


async def _first_positions(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int, int]]:
    """Positions of merchants who had no cap; nothing is posted from now on until the transaction ends.

    Nothing enters a closed cycle: what those hold is summed up before postings have to wait.
    """
    if not ids:
        return {}
    cycles = (await session.execute(select(SettlementCycle.id, SettlementCycle.status))).all()
    over = [id_ for id_, status in cycles if status in (CycleStatus.SETTLED, CycleStatus.ABORTED)]
    known = [id_ for id_, status in cycles if status != CycleStatus.OPEN]
    owed = dict.fromkeys(ids, 0)
    asked = {"ids": list(ids), "closed": sorted({*known} - {*over}), "over": over, "known": known}
    for merchant_id, amount in await session.execute(_OWED_IN_CLOSED, asked):
        owed[merchant_id] += int(amount)
    await session.execute(select(func.pg_advisory_xact_lock(*CYCLE_LOCK)))
    unit = await _unit(session)
    for merchant_id, amount in await session.execute(text(OWED_SINCE.format(unit=unit)), asked):
        owed[merchant_id] += int(amount)
    found = await session.execute(text(PROMISED_AND_WITHHELD.format(unit=unit)))
    others = {merchant_id: (reserved, withheld) for merchant_id, reserved, withheld in found}
    return {id_: (owed[id_], *others.get(id_, (0, 0))) for id_ in ids}


def _caps(said: dict[str, Any]) -> tuple[int, int | None]:
    """Cap and reserve of a merchant's settings, in millionths."""
    cap = scaled(said["creditLimit"], MICRO_PLACES) + scaled(said["collateral"], MICRO_PLACES)
    return cap, None if (reserve := said.get("reserve")) is None else scaled(reserve, MICRO_PLACES)


async def booked_positions(session: AsyncSession) -> dict[uuid.UUID, tuple[int, int, int]]:
    """What every party owes, has reserved and is withheld, as it follows from what is booked."""
    rows = await session.execute(text(POSITIONS.format(unit=await _unit(session))))
    return {merchant_id: (owed, reserved, withheld) for merchant_id, owed, reserved, withheld in rows}


async def _unit(session: AsyncSession) -> int:
    """Millionths in the minor unit of the settlement currency."""
    currency = await session.scalar(select(AllianceRow.settlement_currency))
    return minor_unit(currency) if currency else 1


async def paid(session: AsyncSession, payments: Sequence[Payment], as_of: datetime, *, undone: bool = False) -> None:
    """Let positions follow payments that were made just now: what is settled is not owed any more.

    `undone`: they turned out not to have been made.
    """
    if not payments:
        return
    await session.execute(select(func.pg_advisory_xact_lock_shared(*CYCLE_LOCK)))
    unit = await _unit(session) * (-1 if undone else 1)
    moved: dict[uuid.UUID, int] = {}
    for payment in payments:
        moved[payment.payer_id] = moved.get(payment.payer_id, 0) - payment.amount * unit
        moved[payment.payee_id] = moved.get(payment.payee_id, 0) + payment.amount * unit
    await add(session, moved)
    await make_room(session, as_of)


async def make_room(session: AsyncSession, as_of: datetime) -> None:
    """Have points that wait for room looked at once this is committed, if there are any."""
    if await session.scalar(text("SELECT EXISTS (SELECT FROM pending_grant WHERE NOT done AND room_of IS NOT NULL)")):
        await add_job(session, "room", {"as_of": as_of.isoformat()})


async def withhold(session: AsyncSession, amounts: Iterable[tuple[Pair, int]], *, again: bool = False) -> None:
    """Let lines that somebody objects to give no headroom, or, once that is decided, give it `again`.

    Pairs and amounts, signed as in a pair net. What is owed by who is frozen gives none anyway.
    """
    await session.execute(select(func.pg_advisory_xact_lock_shared(*CYCLE_LOCK)))
    frozen = set(await session.scalars(_FROZEN))
    withheld: dict[uuid.UUID, int] = {}
    for (first, second), amount in amounts:
        owed_it, owes_it = (first, second) if amount > 0 else (second, first)
        if owes_it not in frozen:
            withheld[owed_it] = withheld.get(owed_it, 0) + (-abs(amount) if again else abs(amount))
    await add(session, {}, withheld)


async def hold_still(session: AsyncSession) -> bool:
    """Have nobody frozen or restored until the transaction ends; and where somebody is frozen, nothing posted.

    Returns whether somebody is: then `withhold_again`, once what is settled has changed. Before any position is.
    """
    await session.execute(select(func.pg_advisory_xact_lock_shared(*FREEZE_LOCK)))
    frozen = (await session.scalars(_FROZEN)).first() is not None
    if frozen:
        await session.execute(select(func.pg_advisory_xact_lock(*CYCLE_LOCK)))
    return frozen


async def withhold_again(session: AsyncSession, as_of: datetime) -> None:
    """Let what is withheld be what is claimed on who is frozen now, and objected to, while nothing is posted."""
    await session.execute(text(_WITHHOLD.format(unit=await _unit(session))))
    await make_room(session, as_of)
