"""Settling what members who have left leave behind, by operations of the posting engine.

Each step does what is left to be done: stopped anywhere and begun again, it goes on. Holds are given back, bookings and
rights cancelled, earns that wait dropped (nothing was ever owed for them), pools left; then paid stored value is paid
back, and points lapse or are given. What is owed to a wallet stays on the books: somebody bears it already (A1).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.benefits.commands import Call, cancel_request, end_booking_request
from alliance.clearing.commands import reverse_request
from alliance.clearing.holds import lapse_request, release_request
from alliance.clearing.newcomers import waiting
from alliance.leaving import queries
from alliance.leaving.model import End, Fate, Left, Wallet
from alliance.runtime import Runtime
from domain.benefits.queries import by_ids as rights_by_ids
from domain.errors import Refusal
from domain.ledger.closing import Bequest, Lapse
from domain.ledger.due import DueHold
from domain.ledger.errors import HolderStopped
from domain.ledger.grants import Reject
from domain.ledger.request import Request
from domain.ledger.stored_value import Refund
from domain.members.leaving import settled, unsettled
from domain.members.model import MemberClosing
from domain.members.queries import by_ids
from domain.pools.commands import leave_all
from domain.programs.catalogue import Catalogue
from domain.programs.jurisdictions import profile_of

#: Members at once.
AT_ONCE = 200

REASON = "the member has left"


def closes_at(runtime: Runtime, as_of: datetime, *, own_wish: bool) -> datetime:
    """When a member who asks now is closed: who leaves by their own wish may think better of it for some days."""
    days = runtime.catalogue.members.life.cooling_days if own_wish else 0
    return as_of + timedelta(days=days)


async def would_leave(
    runtime: Runtime, session: AsyncSession, row: MemberClosing, jurisdiction: str | None
) -> tuple[Left, list[End]]:
    """What a member leaves behind who leaves so, as of now, and what would become of it."""
    left = await queries.left(session, row.holder_id)
    return left, [end for one in left.wallets for end in fates(runtime.catalogue, one, row, jurisdiction)]


async def settle(
    runtime: Runtime, session: AsyncSession, as_of: datetime, first: UUID, before: UUID | None
) -> Refusal | None:
    """Settle what is left of members from `first` to before `before` who have left; the first refusal, if any.

    Who is not done then (what waits in part becomes active on its day) is looked at again next time.
    """
    refusal: Refusal | None = None
    while rows := await unsettled(session, first, before, AT_ONCE):
        refusal = await settle_some(runtime, session, rows, as_of) or refusal
        if len(rows) < AT_ONCE:
            break
        first = UUID(int=rows[-1].holder_id.int + 1)
    return refusal


async def settle_one(runtime: Runtime, member_id: UUID, as_of: datetime) -> Refusal | None:
    """Settle what is left of a member, if they have left."""
    async with runtime.database.transaction() as session:
        return await settle(runtime, session, as_of, member_id, UUID(int=member_id.int + 1))


async def settle_some(
    runtime: Runtime, session: AsyncSession, rows: Sequence[MemberClosing], as_of: datetime
) -> Refusal | None:
    """Settle what is left of these members. Reads what others committed: its session must not be a snapshot.

    Nothing is posted after pools are locked: the engine might wait for them.
    """
    ids = [row.holder_id for row in rows]
    closing = {row.holder_id: row for row in rows}
    laws = {id_: member.jurisdiction for id_, member in (await by_ids(session, ids)).items()}
    refusals = await _let_go(runtime, session, ids, as_of)
    for step in (_paid_back, _given, _lapsed):
        found = await queries.wallets(session, ids)
        requests = [step(runtime, one, closing[one.holder_id], laws[one.holder_id], as_of) for one in found]
        refusals += await _post(runtime, [request for request in requests if request is not None])
    forsaken = await queries.wallets(session, await queries.forsaken_pools(session, ids))
    refusals += await _post(runtime, [_lapse(runtime, wallet, as_of) for wallet in forsaken])
    await leave_all(session, ids, as_of)
    left = await queries.wallets(session, ids)
    kept = {one.holder_id for one in left if _is_kept(runtime, one, closing[one.holder_id], laws[one.holder_id])}
    undone = {one.holder_id for one in left} - kept
    undone |= {holder_id for holder_id, _, _ in await queries.pending(session, ids)}
    undone |= {right.holder_id for right in await queries.rights(session, ids)}
    for so in (True, False):
        await settled(session, [id_ for id_ in ids if id_ not in undone and (id_ in kept) == so], kept=so)
    return refusals[0] if refusals else None


def fates(
    catalogue: Catalogue, wallet: Wallet, row: MemberClosing, jurisdiction: str | None, *, may_give: bool = True
) -> list[End]:
    """What becomes of what is left of a wallet of who leaves so, protected by the law of `jurisdiction`.

    Where the law of the member or the issuer does not let points end by time alone, only the member's own wish ends
    them (R5).
    """
    issuer = catalogue.merchants_by_id[catalogue.currencies[wallet.currency].merchant_id]
    life = catalogue.members.life
    points = wallet.points - wallet.paid
    ends = [End(wallet.currency, wallet.paid, Fate.REFUNDED)] if wallet.paid else []
    if not points:
        return ends
    fate = Fate.LAPSED
    laws = (issuer.jurisdiction, jurisdiction or issuer.jurisdiction)
    if not row.own_wish and not all(profile_of(one).expiry_by_time for one in laws):
        fate = Fate.KEPT
    gives = may_give and life.points_at.get(issuer.code, life.points) == "give" and row.beneficiary_id is not None
    policy = catalogue.currencies[wallet.currency].policy_at(row.closes_at)
    if gives and policy.gifts is not None and catalogue.currencies[wallet.currency].kind != "stored_value":
        fate = Fate.GIVEN
    return [*ends, End(wallet.currency, points, fate)]


async def _let_go(runtime: Runtime, session: AsyncSession, ids: Sequence[UUID], as_of: datetime) -> list[Refusal]:
    """Holds, bookings, rights, and what waits."""
    by_nobody: dict[str, Any] = {"as_of": as_of, "key": None, "client_id": None}
    requests: list[Request] = []
    for hold in await queries.holds(session, ids):
        due = DueHold(hold.holder_id, hold.id, hold.reserves is not None)
        over = hold.expires_at <= as_of
        requests.append(lapse_request(due, as_of) if over else release_request(hold=hold, **by_nobody))
    refusals = await _post(runtime, requests)
    booked = await queries.bookings(session, ids)
    rights = await rights_by_ids(session, {(one.holder_id, one.right_id) for one in booked})
    requests = []
    for booking in booked:
        call = Call(at=runtime.catalogue.merchants_by_id[booking.merchant_id], occurred_at=as_of, **by_nobody)
        right = rights[booking.holder_id, booking.right_id]
        lapses = booking.expires_at <= as_of
        requests.append(end_booking_request(runtime, call, right, booking.id, lapses=lapses))
    refusals += await _post(runtime, requests)
    requests = []
    for right in await queries.rights(session, ids):
        call = Call(at=runtime.catalogue.merchants_by_id[right.grantor_id], occurred_at=as_of, **by_nobody)
        requests.append(cancel_request(call, right, reason=REASON))
    for holder_id, operation_id, partly in await queries.pending(session, ids):
        if not partly:
            place: dict[str, Any] = {"holder_id": holder_id, "operation_id": operation_id, "occurred_at": as_of}
            requests.append(Reject.of(reverse_request(runtime, **place, **by_nobody, reason=REASON)))
    return refusals + await _post(runtime, requests)


def _paid_back(
    runtime: Runtime, wallet: Wallet, row: MemberClosing, jurisdiction: str | None, as_of: datetime
) -> Request | None:
    issuer_id = runtime.catalogue.currencies[wallet.currency].merchant_id
    if not wallet.paid or wallet.held:
        return None
    named = _of(wallet, as_of) | {"issuer_id": issuer_id, "merchant_id": issuer_id}
    return Refund(**named, amount=wallet.paid, reason=REASON)


def _given(
    runtime: Runtime, wallet: Wallet, row: MemberClosing, jurisdiction: str | None, as_of: datetime
) -> Request | None:
    """A refusal (the beneficiary has left, or the giver is too new) leaves it to the next step."""
    currency = runtime.catalogue.currencies[wallet.currency]
    gifts = currency.policy_at(row.closes_at).gifts
    ends = fates(runtime.catalogue, wallet, row, jurisdiction)
    if gifts is None or row.beneficiary_id is None or all(end.fate != Fate.GIVEN for end in ends):
        return None
    return Bequest(
        **_of(wallet, as_of),
        issuer_id=currency.merchant_id,
        to_holder_id=row.beneficiary_id,
        most_depth=gifts.max_depth,
        riders=waiting(wallet.holder_id, gifts.wait_days, as_of),
    )


def _lapsed(
    runtime: Runtime, wallet: Wallet, row: MemberClosing, jurisdiction: str | None, as_of: datetime
) -> Request | None:
    if wallet.paid or _is_kept(runtime, wallet, row, jurisdiction):
        return None
    return _lapse(runtime, wallet, as_of)


def _is_kept(runtime: Runtime, wallet: Wallet, row: MemberClosing, jurisdiction: str | None) -> bool:
    ends = fates(runtime.catalogue, wallet, row, jurisdiction, may_give=False)
    return any(end.fate == Fate.KEPT for end in ends)


def _lapse(runtime: Runtime, wallet: Wallet, as_of: datetime) -> Lapse:
    issuer_id = runtime.catalogue.currencies[wallet.currency].merchant_id
    return Lapse(**_of(wallet, as_of), issuer_id=issuer_id)


def _of(wallet: Wallet, as_of: datetime) -> dict[str, Any]:
    """Asking twice is harmless: what is settled is not left."""
    named: dict[str, Any] = {"holder_id": wallet.holder_id, "currency": wallet.currency, "as_of": as_of}
    return named | {"occurred_at": as_of, "key": None, "client_id": None}


_ALONE = ("MEMBER_NOT_ACTIVE", "TOO_NEW", "NOT_FOUND", "POINTS_LOCKED", "COOLING_OFF")


async def _post(runtime: Runtime, requests: Sequence[Request]) -> list[Refusal]:
    """Post them as what settles a holder who has left; refusals but those that leave it to the next step."""
    for request in requests:
        request.settles = True
    outcomes = await runtime.engine.post_many(requests)
    refusals = [one for one in outcomes if isinstance(one, Refusal) and not isinstance(one, HolderStopped)]
    return [one for one in refusals if one.code not in _ALONE]
