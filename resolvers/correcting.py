"""Lines that the operator books by hand (A16)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.model import Approval
from alliance.corrections.adjusting import Adjustment, adjust_line
from domain.errors import InvalidInput, NotFound
from domain.ledger.queries import OperationRow
from domain.money import MICRO, scaled
from resolvers import approvals, operations
from resolvers.approvals import about, told
from resolvers.context import Context
from resolvers.lines import place_of
from resolvers.once import once
from resolvers.sent import Sent, key_of


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What was booked, or what waits for a second person."""

    operation: OperationRow | None = None
    approval: Approval | None = None


async def adjust(context: Context, sent: Sent) -> Adjusted:
    """Book a line between two parties, or ask for it. Raises a Refusal."""
    alliance = context.runtime.catalogue.alliance
    if sent["amount"]["currency"] != alliance.settlement_currency:
        raise InvalidInput(reason=f"cycles are settled in {alliance.settlement_currency}", path=("amount", "currency"))
    line = sent.get("line")
    asked = Adjustment(
        amount=scaled(sent["amount"]["amount"], len(str(MICRO)) - 1),
        debtor_id=_party(context, sent.get("debtor"), "debtor"),
        creditor_id=_party(context, sent.get("creditor"), "creditor"),
        place=None if line is None else place_of(context, line, ("line",)),
    )

    async def act(session: AsyncSession) -> dict[str, Any]:
        return told(await adjust_line(session, context.runtime, asked, about(context, sent)))

    outcome = await once(context, key_of(context, "adjustLine", sent), act)
    if "approval" in outcome:
        return Adjusted(approval=await approvals.load(context, UUID(outcome["approval"])))
    return Adjusted(operation=await operations.load(context, alliance.id, UUID(outcome["operation"])))


def _party(context: Context, code: str | None, name: str) -> UUID | None:
    """A merchant by its code, the operator by the alliance's. Raises NotFound."""
    catalogue = context.runtime.catalogue
    if code is None:
        return None
    if code == catalogue.alliance.code:
        return catalogue.alliance.id
    if code not in catalogue.merchants:
        raise NotFound(what=f"merchant {code[:40]!r}", path=(name,))
    return catalogue.merchants[code].id
