"""The proof of the books, and what follows where they differ: `tessera verify`, `repair` and `release`."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, answer, now, say, servers, with_database
from server.commands.log import is_note, verify_file, verify_note

if TYPE_CHECKING:
    from domain.database import Database
    from domain.ledger.verify import Difference, Proof


def verify(
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A proof, as `tessera proof` writes it: check it, without a database. Or a signed checkpoint: check"
            " that our log still holds what it held then.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="With --checkpoint: a public key of the log that you trust [default: those in the file]."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write every figure that differs into this CSV file.", dir_okay=False)
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Where the files of `tessera archive` are (may be said several times): also prove what is in them.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    stop_differing: Annotated[
        bool, typer.Option("--stop-differing", help="Stop posting to every holder whose figures differ.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Prove the books and the log: every balance against the entries that made it, every currency's sum against zero,
    every operation against its leaf, every leaf against the signed checkpoints."""
    if checkpoint is not None:
        (verify_note if is_note(checkpoint) else verify_file)(checkpoint, key or [], json)
        return
    differing: set[str] = set()
    with servers("tessera verify") as settings, _written(report) as write:
        from alliance.verify import verify as prove
        from domain.ledger.verify import Proof

        def listen(difference: "Difference") -> None:
            write(difference)
            if stop_differing:
                differing.add(difference.holder)

        async def run(database: "Database") -> "Proof":
            async with database.session() as session:
                return await prove(session, Proof(listener=listen), Progress(), archive or ())

        proof = with_database(settings, run)
        stopped = with_database(settings, lambda database: _stop(database, differing)) if differing else 0
    told = {"stopped": stopped} if stop_differing else {}
    answer(proof.to_json() | told, json, lambda console: _show(console, proof))
    if stopped:
        say(f"{stopped:,} holders are stopped: nothing is posted to them until `tessera repair` or `tessera release`")
    if not proof.balanced:
        raise typer.Exit(NO)


async def _stop(database: "Database", holders: set[str]) -> int:
    from domain.ledger import stops

    connection = await database.connect()
    try:
        who, why = f"tessera verify ({getuser()})", "figures differ"
        return await stops.stop(connection, [UUID(holder) for holder in holders], who=who, why=why, as_of=now())
    finally:
        await connection.close()


def release(
    holder: Annotated[UUID, typer.Argument(help="The holder's id, as `tessera verify` names it.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Let a holder post again who was stopped."""
    with servers("tessera release") as settings:
        from domain.ledger import stops

        async def run(database: "Database") -> bool:
            connection = await database.connect()
            try:
                async with connection.transaction():
                    return await stops.release(connection, holder, who=f"tessera release ({getuser()})", as_of=now())
            finally:
                await connection.close()

        released = with_database(settings, run)
    if not released:
        raise Failure(f"{holder} is not stopped", exit_code=NO, code="NOT_FOUND")
    answer({"released": str(holder)}, json, lambda console: console.print("Released."))


def repair(
    holder: Annotated[UUID, typer.Argument(help="The holder's id, as `tessera verify` names it.")],
    why: Annotated[str, typer.Option(help="Why, in words: kept with what is booked.")] = "figures differed",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be booked.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Book what brings a holder's books into agreement again, and let the holder post again."""
    with servers("tessera repair") as settings:
        from alliance.proofs.repair import put_right
        from domain.ledger.repair import CannotRepair

        async def run(database: "Database") -> list[dict[str, Any]]:
            connection = await database.connect()
            transaction = connection.transaction()
            await transaction.start()
            try:
                who = f"tessera repair ({getuser()})"
                booked = await put_right(connection, holder, who=who, why=why, as_of=now())
                if not dry_run:
                    await transaction.commit()
                return booked
            finally:
                await connection.close()  # undoes what is not committed

        try:
            booked = with_database(settings, run)
        except CannotRepair as error:
            raise Failure(str(error), exit_code=NO, code="CANNOT_REPAIR") from None
    told = {"holder": str(holder), "booked": booked, "dryRun": dry_run}
    answer(told, json, lambda console: _show_booked(console, booked, dry_run))


class Progress:
    """Tells on standard error, at most once a second, how far a long command is."""

    def __init__(self, every: float = 1.0) -> None:
        self._every = every
        self._told = time.monotonic()
        self._step = ""
        self._began = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """So much of a step is done."""
        now = time.monotonic()
        if step != self._step:
            self._step, self._began = step, now
        if now - self._told < self._every:
            return
        self._told = now
        rate = done / (now - self._began) if now > self._began else 0.0
        say(f"{step}: {done:,} of {total:,}, {done / max(total, 1):.0%}; {rate:,.0f} a second")


@contextmanager
def _written(report: Path | None) -> "Iterator[Callable[[Difference], None]]":
    """Whom to tell of differences: a CSV file, or nobody."""
    if report is None:
        yield lambda difference: None
        return
    with report.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("check", "holder", "what", "currency", "kept", "proved"))
        yield lambda one: writer.writerow((one.check, one.holder, one.what, one.currency, one.kept, one.proved))


def _show_booked(console: Console, booked: "list[dict[str, Any]]", dry_run: bool) -> None:
    for one in booked:
        moved = [f"{amount:+d} {currency}" for currency, amount in one["entries"].items()]
        moved += [f"{amount:+d} of lot {lot}" for lot, amount in one["allocations"].items()]
        target = one["onBehalfOf"] or "no operation"
        console.print(f"on behalf of {target}: {', '.join(moved) or 'taken as it is'}", markup=False, soft_wrap=True)
    console.print(
        "Dry run: nothing was booked." if dry_run else f"{len(booked)} operations booked; sums are right again."
    )


def _show(console: Console, proof: "Proof") -> None:
    for difference in proof.differences:
        console.print(
            f"{difference.check}: {difference.holder} {difference.what} {difference.currency}: "
            f"kept {difference.kept}, proved {difference.proved}",
            markup=False,
            soft_wrap=True,
        )
    if proof.found > len(proof.differences):
        console.print(f"... and {proof.found - len(proof.differences):,} more; --report FILE names them all")
    if proof.repaired:
        console.print(f"{proof.repaired:,} operations are not as they were sealed, and were repaired.")
    if proof.unread:
        console.print(
            f"NOT CHECKED: {proof.archived:,} archived operations, since --archive DIR does not say where their files"
            f" are: {', '.join(proof.unread[:10])}{' ...' if len(proof.unread) > 10 else ''}"
        )
    verdict = "balance" if proof.balanced else "DO NOT balance"
    console.print(f"The books {verdict}: {proof.accounts} accounts, {proof.operations} operations.")
