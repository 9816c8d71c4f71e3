"""`tessera reconcile`: a partner's file is compared with what is owed here, from the command line."""

from collections.abc import Mapping
from datetime import date
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, now, servers, with_runtime
from server.commands.proving import Progress

if TYPE_CHECKING:
    from alliance.partnerfiles.check import Checked
    from alliance.partnerfiles.model import PartnerFile
    from alliance.runtime import Runtime
    from domain.programs.catalogue import Merchant

LARGEST = 1 << 40
"""Bytes of a file: who is at the command line may send any."""

SHOWN = 20
"""Problems that are shown; --json has all that are kept."""


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-01") from None


def reconcile(
    file: Annotated[Path, typer.Argument(help="The file; gzip is unpacked.", exists=True, dir_okay=False)],
    merchant: Annotated[str, typer.Option(help="The code of the merchant whose file it is.")],
    cycle: Annotated[int | None, typer.Option(help="The number of the cycle that it is of.")] = None,
    day: Annotated[
        date | None, typer.Option(parser=_day, metavar="DAY", help="Instead: the day on which its lines were booked.")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="How it is written: a code of merchants[].partnerFiles [default: as statements].")
    ] = None,
    partner: Annotated[str | None, typer.Option(help="Compare only what is owed between the two.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it comes to.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read it: what each column is taken for, and what is wrong.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Compare a merchant's own file with what is owed here, line by line. Exit code 1: lines differ, or the file is
    refused."""
    if check and (cycle is not None or day is not None or dry_run):
        raise WrongUse("--check reads a file and compares nothing: it takes neither period nor --dry-run")
    if not check and (cycle is None) == (day is None):
        raise WrongUse("give either --cycle or --day")
    with servers("tessera reconcile") as settings:
        if check:
            size = file.stat().st_size
            checked = with_runtime(settings, lambda runtime: _check(runtime, file, size, merchant, mapping))
            answer(_told(checked), json, lambda console: _show_check(console, checked))
            if checked.refusal is not None:
                raise typer.Exit(NO)
            return

        async def run(runtime: "Runtime") -> "tuple[PartnerFile, int]":
            return await _reconcile(runtime, file, merchant, cycle, day, mapping, partner, dry_run)

        found, open_ = with_runtime(settings, run)
    answer(_result(found, open_), json, lambda console: _show(console, found, open_))
    if found.refusal is not None or any(name != "MATCHED" for name in found.outcomes):
        raise typer.Exit(NO)


def _merchant(runtime: "Runtime", code: str) -> "Merchant":
    found = runtime.catalogue.merchants.get(code)
    if found is None:
        raise Failure(f"there is no merchant {code}", exit_code=NO, code="NOT_FOUND")
    return found


async def _check(runtime: "Runtime", file: Path, size: int, code: str, mapping: str | None) -> "Checked":
    from alliance.partnerfiles.check import check
    from alliance.partnerfiles.shape import OWN
    from alliance.partnerfiles.work import house_of, shape_of

    merchant, progress = _merchant(runtime, code), Progress()
    shape = shape_of(merchant, mapping or OWN, file)
    return check(file, shape, house_of(runtime.catalogue, merchant), lambda done: progress("read", done, size))


async def _reconcile(
    runtime: "Runtime",
    path: Path,
    code: str,
    cycle: int | None,
    day: date | None,
    mapping: str | None,
    partner: str | None,
    dry_run: bool,
) -> "tuple[PartnerFile, int]":
    from alliance.partnerfiles import commands, queries
    from alliance.partnerfiles.keeping import open_breaks
    from alliance.partnerfiles.periods import submission
    from alliance.partnerfiles.work import Refused, reconcile

    merchant, as_of, who = _merchant(runtime, code), now(), f"tessera reconcile ({getuser()})"
    database = runtime.database
    async with database.transaction() as session:
        wanted = await submission(
            session,
            runtime.catalogue,
            merchant,
            cycle=cycle,
            day=day,
            mapping=mapping,
            partner=partner,
            dry_run=dry_run,
            as_of=as_of,
        )
        sent = commands.Sent(merchant.id, path.name, path.name, who, as_of)
        receiving = commands.Receiving(session, sent, LARGEST)
        with path.open("rb") as content:
            while part := content.read(commands.PART):
                await receiving.write(part)
        file = await receiving.end()
        done = file.status == "DONE" and not file.dry_run
        file = await commands.submit(session, file.id, wanted, who=who, as_of=as_of, job=done)
        if not done:
            await commands.start(session, file.id)
    if not done:
        try:
            await reconcile(database, runtime.catalogue, file.id, as_of, Progress())
        except Refused as refused:
            async with database.transaction() as session:
                problems = [problem.to_json() for problem in refused.problems]
                await commands.refuse(session, file.id, refused.refusal, problems, as_of)
    async with database.reader() as session:
        found = await queries.by_id(session, file.id)
        assert found is not None
        return found, await open_breaks(session, file.id)


def _result(file: "PartnerFile", open_: int) -> dict[str, Any]:
    from alliance.statements.rules import micro

    return {
        "file": str(file.id),
        "status": file.status,
        "dryRun": file.dry_run,
        "lines": file.lines,
        "amount": micro(file.amount),
        "tolerated": micro(file.tolerated),
        "outcomes": {name: _sums(one) for name, one in sorted(file.outcomes.items())},
        "openBreaks": open_,
        "refusal": _refused(file),
        "problems": file.problems,
    }


def _sums(one: Mapping[str, Any]) -> dict[str, Any]:
    from alliance.statements.rules import micro

    return {
        "theirs": one["theirs"],
        "ours": one["ours"],
        "theirSum": micro(int(one["theirsSum"])),
        "ourSum": micro(int(one["oursSum"])),
    }


def _refused(file: "PartnerFile") -> dict[str, str] | None:
    from domain.errors import Refusal

    if file.refusal is None:
        return None
    refusal = Refusal.from_json(file.refusal)
    return {"code": refusal.code, "message": refusal.message()}


def _show(console: Console, file: "PartnerFile", open_: int) -> None:
    if (refused := _refused(file)) is not None:
        console.print(f"The file is refused: {refused['message']}", markup=False)
        _show_problems(console, [(one["line"], one["column"], one["reason"]) for one in file.problems])
        return
    table = Table("outcome", "theirs", "ours", "their sum", "our sum")
    for name, one in sorted(file.outcomes.items()):
        sums = _sums(one)
        table.add_row(name, f"{one['theirs']:,}", f"{one['ours']:,}", sums["theirSum"], sums["ourSum"])
    console.print(table)
    console.print(f"{file.lines:,} lines; {open_:,} breaks are open", markup=False)


def _show_problems(console: Console, problems: list[tuple[int, str, str]]) -> None:
    for line, column, reason in problems[:SHOWN]:
        where = f"line {line}, {column}" if column else f"line {line}"
        console.print(f"  {where}: {reason}", markup=False)


def _told(checked: "Checked") -> dict[str, Any]:
    from alliance.statements.rules import micro

    refusal = checked.refusal
    return {
        "ok": refusal is None,
        "lines": checked.lines,
        "skipped": checked.skipped,
        "amount": micro(checked.amount),
        "columns": dict(checked.columns),
        "trailer": checked.trailer,
        "refusal": None if refusal is None else {"code": refusal.code, "message": refusal.message()},
        "problemCount": checked.problems,
        "problems": [problem.to_json() for problem in checked.kept],
        "understood": [
            {
                "line": one.line_no,
                "key": one.key,
                "orderRef": one.order_ref,
                "date": one.on,
                "amount": micro(one.amount),
                "points": one.points,
                "kind": one.kind,
            }
            for one in checked.shown
        ],
    }


def _show_check(console: Console, checked: "Checked") -> None:
    told = _told(checked)
    for meaning, column in checked.columns.items():
        console.print(f"  {meaning}: {column}", markup=False)
    console.print(f"{checked.lines:,} lines come to {told['amount']}; {checked.skipped:,} rows are none", markup=False)
    if checked.refusal is None:
        console.print("The file can be read.")
        return
    console.print(f"The file would be refused: {checked.refusal.message()}", markup=False)
    _show_problems(console, [(one.line, one.column, one.reason) for one in checked.kept])
