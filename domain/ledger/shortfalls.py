"""What a reversed earn could not take back, because it had been spent, is taken of what comes back later (R21).

Points return into the very lots they were spent of. Where the earn of such a lot no longer stands, they are not the
member's again: they go to its clawback first, as a further reversal of that earn.
"""

from collections.abc import Mapping
from uuid import UUID

from domain.ledger.commands import POINTS, effect_of
from domain.ledger.funding import funding_of
from domain.ledger.model import OperationKind, OperationReturn
from domain.ledger.request import Books, Effect, EntryState, PastOperation, Request
from domain.ledger.returns import EVERYTHING, named, return_of
from domain.ledger.rules import LotState

Back = list[tuple[LotState, int]]
_NEVER_ACTIVE = ("none", "pending_only")
_GRANTS = (OperationKind.EARN, OperationKind.ADJUST, OperationKind.OPENING)


def recover(books: Books, request: Request, effect: Effect, modes: Mapping[UUID, str]) -> list[Effect]:
    """The further reversals that follow from what `effect` puts back; `modes` are the issuers', as for a reversal.

    What comes back expired recovers nothing, and what pays a debt has been recovered by that. Nor is anything taken
    where the issuer takes nothing that is active.
    """
    back: dict[UUID, Back] = {}
    for lot, points, source in _gains(books, effect):
        clawed = lot.is_live(request.as_of) and modes.get(lot.issuer_id) not in _NEVER_ACTIVE
        if clawed and lot.holder_id == effect.holder_id:
            back.setdefault(source.id, []).append((lot, points))
    found = []
    for earn in books.operations.values() if back else ():
        if earn.kind in _GRANTS and earn.returns and earn.lots and earn is not effect.reverses:
            for currency in dict.fromkeys(lot.currency for lot in earn.lots):
                gains = [gain for lot in earn.lots if lot.currency == currency for gain in back.get(lot.id, ())]
                taken = _first(gains, earn.due(currency) - earn.taken(currency))
                if taken:
                    found.append(_clawed_back(books, request, earn, currency, taken))
    if found and not effect.data.get("taken"):
        effect.data["taken"] = sum(one.points for one in found)
    return found


def _gains(books: Books, effect: Effect) -> list[tuple[LotState, int, LotState]]:
    """Lots that gain, how much, and the lot that the points are of: itself, or the one that a new one stands for."""
    gains = [(lot, points, lot) for lot, points in effect.allocations if points > 0]
    for lot in effect.lots:
        source = books.lots.get((lot.holder_id, lot.source_lot_id)) if lot.source_lot_id else None
        if source is not None:
            gains.append((lot, lot.remaining + sum(part for one, part in effect.allocations if one is lot), source))
    return gains


def _first(gains: Back, points: int) -> Back:
    taken: Back = []
    for lot, gain in gains:
        part = min(gain, points)
        points -= part
        if part > 0:
            taken.append((lot, part))
    return taken


def _clawed_back(books: Books, request: Request, earn: PastOperation, currency: str, taken: Back) -> Effect:
    """A reversal of the earn that recovers so many points, and undoes no more of it than was undone."""
    points = sum(part for _, part in taken)
    place = {"store": earn.store, "channel": earn.channel, "order_ref": earn.order_ref}
    effect = effect_of(request, OperationKind.REVERSAL, earn.merchant_id, points, reverses=earn.id, **place)
    granted = next(entry for entry in earn.entries if entry.currency == currency)
    effect.entries.append(EntryState(POINTS, currency, -points, granted.counter_holder_id, granted.counter_account))
    effect.allocations.extend((lot, -part) for lot, part in taken)
    effect.reverses = earn
    what, figures = named({}, EVERYTHING), {"undone": 0, "due": 0, "whole": False}
    effect.returned = return_of(effect.operation["id"], what, taken={currency: points}, **figures)
    row = {"holder_id": effect.holder_id, "operation_id": effect.operation["id"], "returned": what, **figures}
    effect.rows.append((OperationReturn.__table__, row))  # type: ignore[arg-type]
    if books.recovery is not None:
        books.recovery.ride(books, effect, (earn.holder_id, earn.id), currency, points)
    if books.funder is not None:
        lot = taken[0][0]
        funded = None if lot.agreement_version is None else (funding_of(lot), lot.currency)
        books.funder.recover(books, effect, earn.id, funded, taken)
    return effect
