"""Acts by hand from the command line, which is one person: above what one may do alone they wait for another."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from server.commands.common import now

if TYPE_CHECKING:
    from alliance.runtime import Runtime


async def by_hand(
    runtime: "Runtime",
    act: str,
    args: Mapping[str, Any],
    amount: int | None,
    reason: str,
    *,
    dry_run: bool = False,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """What an act of so many millionths answered, or `approval`, the id by which it waits. Raises a Refusal.

    A dry run does it whoever may, and undoes it.
    """
    import alliance.acts  # noqa: F401 - what there is to do
    from alliance.approvals.commands import ACTS, About, Waiting, act_or_ask
    from alliance.settlement.model import COMMAND_LINE

    about = About(COMMAND_LINE, reason, as_of or now())
    async with runtime.database.session() as session:
        if dry_run:
            return {"dryRun": True} | await ACTS[act](session, runtime, dict(args), about)
        outcome = await act_or_ask(session, runtime, act, args, amount=amount, about=about)
        await session.commit()
    return {"approval": str(outcome.approval_id)} if isinstance(outcome, Waiting) else outcome.result
