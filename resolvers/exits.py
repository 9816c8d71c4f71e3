"""Forced exits, undone by hand."""

from alliance.exits.commands import reverse_exit_request
from domain.errors import InvalidInput
from domain.ledger.queries import OperationRow
from domain.ledger.request import Key, Posted
from resolvers.context import Context
from resolvers.sent import Sent, occurred_at


async def take_back(context: Context, row: OperationRow, sent: Sent, key: Key) -> Posted:
    """Undo an exit. Raises a Refusal, or Overloaded."""
    for part in ("lines", "amount", "points"):
        if sent.get(part) is not None:
            raise InvalidInput(reason="an exit is undone whole", path=(part,))
    entry = (await context.loaders.entries.load((row.holder_id, row.id)))[0]
    request = reverse_exit_request(
        context.runtime,
        holder_id=row.holder_id,
        operation_id=row.id,
        currency=entry.currency,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        reason=sent["reason"],
        at_fault=context.runtime.catalogue.merchants_by_id[row.merchant_id] if sent.get("merchantAtFault") else None,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request)
