"""Points moved by hand above the merchant's limit, once a second person of its staff has approved (A16)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About, Done, Waiting, act_or_ask
from alliance.clearing.adjustments import adjust_request
from alliance.runtime import Runtime
from domain.ledger.adjustments import Adjust, AdjustmentLimits
from domain.ledger.request import Key

ADJUST = "ADJUST_POINTS"

_NO_LIMIT = AdjustmentLimits(10**15, 10**15)


async def ask(
    session: AsyncSession,
    runtime: Runtime,
    *,
    member_id: uuid.UUID,
    merchant_id: uuid.UUID,
    currency: str | None,
    points: int,
    occurred_at: datetime,
    client_id: uuid.UUID,
    about: About,
) -> Done | Waiting:
    """Have points given or taken that one person may not. Raises what the posting would refuse now, but its limits."""
    args: dict[str, Any] = {
        "member": str(member_id),
        "merchant": str(merchant_id),
        "currency": currency,
        "points": points,
        "occurredAt": occurred_at.isoformat(),
        "client": str(client_id),
        "once": uuid.uuid4().hex,
    }
    await runtime.engine.post(_request(runtime, args, about, dry_run=True))
    return await act_or_ask(session, runtime, ADJUST, args, amount=None, about=about)


async def _perform(session: AsyncSession, runtime: Runtime, args: dict[str, Any], about: About) -> dict[str, Any]:
    """Posted beside the approval's transaction, under a key of its own: approved once more, it is the same posting."""
    request = _request(runtime, args, about)
    posted = await runtime.engine.post(request)
    return {"operation": str(posted.operation_id), "points": posted.data["change"], "currency": request.currency}


ACTS[ADJUST] = _perform


def _request(runtime: Runtime, args: dict[str, Any], about: About, *, dry_run: bool = False) -> Adjust:
    client_id = uuid.UUID(args["client"])
    request = adjust_request(
        runtime,
        member_id=uuid.UUID(args["member"]),
        merchant=runtime.catalogue.merchants_by_id[uuid.UUID(args["merchant"])],
        currency=args["currency"],
        points=args["points"],
        reason=about.why,
        occurred_at=datetime.fromisoformat(args["occurredAt"]),
        as_of=about.as_of,
        key=None if dry_run else Key(client_id, about.who, f"approved {args['once']}", args["once"].encode()),
        client_id=client_id,
        dry_run=dry_run,
    )
    request.limits = _NO_LIMIT
    return request
