"""`tessera breaks`: what partners' files and our books do not agree on, and how it is worked. The operator's."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from server.commands.common import NO, AsOf, Home, Json, WrongUse, answer, now, servers, with_runtime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.approvals.commands import About
    from alliance.breaks.commands import Outcomes
    from alliance.breaks.queries import Filter
    from alliance.partnerfiles.model import ReconBreak
    from alliance.runtime import Runtime

    Act = Callable[[AsyncSession, Runtime, Sequence[UUID], About], Awaitable[Outcomes]]

breaks = typer.Typer(help="Differences between partners' files and our books.", no_args_is_help=True)

Ids = Annotated[list[UUID], typer.Argument(help="Ids of breaks, as `tessera breaks list` shows them.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with each break.")]
Merchant = Annotated[str | None, typer.Option(help="Only those of this merchant's files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and undo it.")]


@breaks.command("list")
def list_(
    status: Annotated[str, typer.Option(help="OPEN, CLAIMED, ADJUSTED, WRITTEN_OFF, MATCHED or all.")] = "OPEN",
    merchant: Merchant = None,
    counterparty: Annotated[str | None, typer.Option(help="Only those with this partner.")] = None,
    older: Annotated[int | None, typer.Option("--older-than", min=0, help="Only those of more business days.")] = None,
    order: Annotated[str, typer.Option(help="AGE or AMOUNT.")] = "AGE",
    first: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List breaks, the oldest first, and how many there are by age."""
    with servers("tessera breaks list") as settings:

        async def read(runtime: "Runtime") -> dict[str, Any]:
            from alliance.breaks import queries, rules
            from domain.money import unscaled

            moment, alliance = as_of or now(), runtime.catalogue.alliance
            wanted = _filter(runtime, status, merchant, counterparty, older, moment)
            if order.upper() not in queries.Order.__members__:
                raise WrongUse("breaks are listed by AGE or AMOUNT")
            async with runtime.database.session() as session:
                found = await queries.page(session, None, wanted, queries.Order(order.upper()), first)
                ages = await queries.totals(session, None, wanted, rules.buckets(alliance, moment))
            return {
                "breaks": [_shown(runtime, row, moment) for row in found],
                "ages": [
                    {"youngest": one.youngest, "oldest": one.oldest, "count": count, "amount": unscaled(amount, 6)}
                    for one, count, amount in ages
                ],
            }

        data = with_runtime(settings, read)
    answer(data, json, lambda console: _show(console, data))


@breaks.command()
def assign(
    ids: Ids,
    owner: Annotated[UUID | None, typer.Option(help="The id of a client or a person [default: nobody].")] = None,
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make somebody the owner of breaks."""

    async def act(session: "AsyncSession", _: "Runtime", chosen: "Sequence[UUID]", about: "About") -> "Outcomes":
        from alliance.breaks import commands

        return commands.Outcomes(await commands.assign(session, chosen, owner, about))

    _work("assign", act, ids, "", dry_run, json)


@breaks.command()
def note(ids: Ids, text: Annotated[str, typer.Option(help="What.")], home: Home = None, json: Json = False) -> None:
    """Note something about breaks."""

    async def act(session: "AsyncSession", _: "Runtime", chosen: "Sequence[UUID]", about: "About") -> "Outcomes":
        from alliance.breaks import commands

        return commands.Outcomes(await commands.note(session, chosen, text, about))

    _work("note", act, ids, "", False, json)


@breaks.command()
def claim(
    ids: Ids,
    reason: Annotated[str, typer.Option(help="The text of the claims.")],
    dry_run: DryRun = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Raise a claim for each, of the merchant whose file it was against its partner."""

    async def act(session: "AsyncSession", runtime: "Runtime", chosen: "Sequence[UUID]", about: "About") -> "Outcomes":
        from alliance.breaks import commands

        return commands.Outcomes(await commands.claim(session, runtime.catalogue.alliance, chosen, None, about))

    _work("claim", act, ids, reason, dry_run, json)


@breaks.command("write-off")
def write_off(ids: Ids, reason: Reason, dry_run: DryRun = False, home: Home = None, json: Json = False) -> None:
    """Close breaks for a reason, and leave our books as they are. Above the limit a second person approves it."""

    async def act(session: "AsyncSession", runtime: "Runtime", chosen: "Sequence[UUID]", about: "About") -> "Outcomes":
        from alliance.breaks import commands

        return await commands.write_off(session, runtime, chosen, about)

    _work("write-off", act, ids, reason, dry_run, json)


@breaks.command()
def adjust(ids: Ids, reason: Reason, dry_run: DryRun = False, home: Home = None, json: Json = False) -> None:
    """Book what breaks come to, in the open cycle. Above the limit a second person approves it."""

    async def act(session: "AsyncSession", runtime: "Runtime", chosen: "Sequence[UUID]", about: "About") -> "Outcomes":
        from alliance.breaks import commands

        return await commands.adjust(session, runtime, chosen, about)

    _work("adjust", act, ids, reason, dry_run, json)


def _work(name: str, act: "Act", ids: list[UUID], reason: str, dry_run: bool, json: bool) -> None:
    """Work breaks as the operator, and say what became of each; exit with 1 if nothing became of any."""
    with servers(f"tessera breaks {name}") as settings:

        async def take(runtime: "Runtime") -> dict[str, Any]:
            from alliance.approvals.commands import About
            from alliance.breaks import queries
            from alliance.settlement.model import COMMAND_LINE

            moment = now()
            async with runtime.database.session() as session:
                outcomes = await act(session, runtime, list(dict.fromkeys(ids)), About(COMMAND_LINE, reason, moment))
                rows = await queries.by_ids(session, None, ids)
                shown = {id_: _shown(runtime, row, moment) for id_, row in rows.items()}
                await (session.rollback() if dry_run else session.commit())
            waiting = outcomes.approval_id
            return {
                "items": [
                    {
                        "id": str(one.id),
                        "refusal": None if one.refusal is None else one.refusal.message(),
                        "waits": one.waits,
                        "break": shown.get(one.id),
                    }
                    for one in outcomes.items
                ],
                "approval": None if waiting is None or dry_run else str(waiting),
                "dryRun": dry_run,
            }

        data = with_runtime(settings, take)
    answer(data, json, lambda console: _show_items(console, data))
    if all(one["refusal"] is not None for one in data["items"]):
        raise typer.Exit(NO)


def _filter(
    runtime: "Runtime",
    status: str,
    merchant: str | None,
    counterparty: str | None,
    older: int | None,
    as_of: "datetime",
) -> "Filter":
    """Which breaks. Raises WrongUse."""
    from alliance.breaks.queries import Filter
    from alliance.breaks.rules import opened_before
    from alliance.partnerfiles.model import BreakStatus

    if status.upper() not in (*BreakStatus.__members__, "ALL"):
        raise WrongUse(f"a break is {', '.join(BreakStatus)}")
    known = runtime.catalogue.merchants
    for code in (merchant, counterparty):
        if code is not None and code not in known:
            raise WrongUse(f"there is no merchant {code!r}")
    return Filter(
        status=None if status.upper() == "ALL" else BreakStatus(status.upper()),
        merchant_id=None if merchant is None else known[merchant].id,
        other_id=None if counterparty is None else known[counterparty].id,
        opened_before=None if older is None else opened_before(older + 1, runtime.catalogue.alliance, as_of),
    )


def _shown(runtime: "Runtime", row: "ReconBreak", as_of: "datetime") -> dict[str, Any]:
    from alliance.breaks.rules import age, difference
    from domain.money import unscaled

    names = {id_: one.code for id_, one in runtime.catalogue.merchants_by_id.items()}
    return {
        "id": str(row.id),
        "merchant": names.get(row.merchant_id),
        "counterparty": None if row.other_id is None else names.get(row.other_id, "operator"),
        "outcome": row.outcome,
        "status": row.status,
        "difference": unscaled(difference(row), 6),
        "key": row.key,
        "orderRef": row.order_ref,
        "ageDays": age(row.opened_at, runtime.catalogue.alliance, row.closed_at or as_of),
        "owner": None if row.owner_id is None else str(row.owner_id),
    }


def _show(console: Console, data: dict[str, Any]) -> None:
    for row in data["breaks"]:
        parties = f"{row['merchant']} with {row['counterparty'] or 'nobody known'}"
        named = f"{row['key'] or ''} {row['orderRef'] or ''}".strip()
        console.print(f"{row['id']}  {row['status']}  {row['outcome']}  {row['difference']}  {row['ageDays']} days")
        console.print(f"    {parties}  {named}" + (f"  owner {row['owner']}" if row["owner"] else ""))
    for one in data["ages"]:
        span = f"more than {one['youngest'] - 1}" if one["oldest"] is None else f"{one['youngest']} to {one['oldest']}"
        console.print(f"{span} days: {one['count']}, {one['amount']}")


def _show_items(console: Console, data: dict[str, Any]) -> None:
    for one in data["items"]:
        status = one["break"]["status"] if one["break"] else ""
        console.print(f"{one['id']}  {one['refusal'] or ('waits' if one['waits'] else status)}")
    if data["approval"] is not None:
        console.print(f"waits for a second person: approval {data['approval']}")
    if data["dryRun"]:
        console.print("Dry run: nothing was changed.")
