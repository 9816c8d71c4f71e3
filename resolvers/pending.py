"""Points that wait for an event: the merchant confirms the earn, or rejects it."""

from alliance.clearing.commands import reverse_request
from alliance.clearing.grants import activate_request
from domain.errors import NotAllowed, NotFound
from domain.ledger.due import pending_of
from domain.ledger.errors import NotPending
from domain.ledger.grants import Activate, Reject
from domain.ledger.queries import OperationRow
from domain.ledger.request import Posted
from resolvers import ids, operations
from resolvers.context import Context
from resolvers.sent import Sent, key_of, occurred_at


async def confirm(context: Context, sent: Sent) -> tuple[Posted, str]:
    """Make all that is pending of an earn active; the answer comes with the kind of points. Raises a Refusal."""
    key = key_of(context, "confirmEarn", sent)
    row = await _earn_of(context, sent)
    async with context.runtime.database.session() as session:
        due = await pending_of(session, [(row.holder_id, row.id)])
    if not due:
        raise NotPending(path=("operation",))
    request: Activate = activate_request(
        context.runtime,
        due,
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        confirms=True,
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(request), due[0].currency


async def reject(context: Context, sent: Sent) -> Posted:
    """Undo an earn all of which is pending. Raises a Refusal."""
    key = key_of(context, "rejectEarn", sent)
    row = await _earn_of(context, sent)
    request = reverse_request(
        context.runtime,
        holder_id=row.holder_id,
        operation_id=row.id,
        occurred_at=occurred_at(context, sent),
        as_of=context.as_of,
        key=key,
        client_id=context.signed_in.client_id,
        reason=sent["reason"],
        dry_run=bool(sent.get("dryRun")),
    )
    return await context.runtime.engine.post(Reject.of(request))


async def _earn_of(context: Context, sent: Sent) -> OperationRow:
    """The operation that was named, if it is the caller's own. Raises NotFound, NotAllowed."""
    try:
        holder_id, operation_id = ids.decode_as("Operation", sent["operation"], 2)
    except NotFound as refusal:
        raise refusal.at("operation") from None
    row = await operations.load(context, holder_id, operation_id)
    if row is None:
        raise NotFound(what="operation", path=("operation",))
    if context.own_merchant_id not in (None, row.merchant_id):
        raise NotAllowed(reason="it happened at another merchant", path=("operation",))
    return row
