"""The proof of the books, and what follows where they differ: `tessera verify`, `repair` and `release`."""

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, answer, now, say, servers, with_database
from server.commands.holders import Holder, holder_of
from server.commands.log import is_note, verify_file, verify_note

if TYPE_CHECKING:
    from alliance.proofs.repair import Repaired
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

        proof, who = with_database(settings, run), f"tessera verify ({getuser()})"
        stopped = (
            with_database(settings, lambda database: _stop(database, differing, who, "figures differ"))
            if differing
            else 0
        )
    told = {"stopped": stopped} if stop_differing else {}
    answer(proof.to_json() | told, json, lambda console: _show(console, proof))
    if stopped:
        say(f"{stopped:,} holders are stopped: nothing is posted to them until `tessera repair` or `tessera release`")
    if not proof.balanced:
        raise typer.Exit(NO)


async def _stop(database: "Database", holders: set[str], who: str, why: str) -> int:
    from domain.ledger import stops

    connection = await database.connect()
    try:
        return await stops.stop(connection, [UUID(holder) for holder in holders], who=who, why=why, as_of=now())
    finally:
        await connection.close()


def release(holder: Holder, home: Home = None, json: Json = False) -> None:
    """Let a holder post again who was stopped."""
    with servers("tessera release") as settings:
        from domain.ledger import stops

        async def run(database: "Database") -> UUID:
            id_ = await holder_of(database, holder)
            connection = await database.connect()
            try:
                async with connection.transaction():
                    if await stops.release(connection, id_, who=f"tessera release ({getuser()})", as_of=now()):
                        return id_
            finally:
                await connection.close()
            raise Failure(f"{holder} is not stopped", exit_code=NO, code="NOT_FOUND")

        released = with_database(settings, run)
    answer({"released": str(released)}, json, lambda console: console.print("Released."))


def repair(
    holder: Holder,
    why: Annotated[str, typer.Option(help="Why, in words: kept with what is booked.")] = "figures differed",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what differs, and what would be booked for it.")
    ] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Say what differs of a holder, stop posting to them, book what brings their books into agreement again, and let
    them post again. If nothing that is booked can do that, they stay stopped."""
    with servers("tessera repair") as settings:
        from alliance.proofs.repair import put_right
        from domain.ledger.repair import CannotRepair

        async def run(database: "Database") -> "tuple[UUID, Repaired]":
            id_ = await holder_of(database, holder)
            if not dry_run:
                await _stop(database, {str(id_)}, f"tessera repair ({getuser()})", why)
            connection = await database.connect()
            transaction = connection.transaction()
            await transaction.start()
            try:
                who = f"tessera repair ({getuser()})"
                repaired = await put_right(connection, id_, who=who, why=why, as_of=now())
                if not dry_run:
                    await transaction.commit()
                return id_, repaired
            finally:
                await connection.close()  # undoes what is not committed

        try:
            id_, repaired = with_database(settings, run)
        except CannotRepair as error:
            stays = "" if dry_run else " Nothing was booked, and nothing is posted to them until `tessera release`."
            raise Failure(f"This stays apart: {error}.{stays}", exit_code=NO, code="CANNOT_REPAIR") from None
    told = {"holder": str(id_), "dryRun": dry_run, "booked": repaired.booked}
    told |= {"found": [asdict(one) for one in repaired.found], "left": [asdict(one) for one in repaired.left]}
    told |= {"releasedHolds": [str(hold) for hold in repaired.released]}
    answer(told, json, lambda console: _show_repaired(console, repaired, dry_run))
    if repaired.left:
        raise typer.Exit(NO)


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


def _show_repaired(console: Console, repaired: "Repaired", dry_run: bool) -> None:
    for difference in repaired.found:
        console.print(_told(difference), markup=False, soft_wrap=True)
    for one in repaired.booked:
        moved = [f"{amount:+d} {currency}" for currency, amount in one["entries"].items()]
        moved += [f"{amount:+d} {currency} that wait" for currency, amount in one.get("pending", {}).items()]
        moved += [f"{amount:+d} of lot {lot}" for lot, amount in one["allocations"].items()]
        target = one["onBehalfOf"] or "no operation"
        console.print(f"on behalf of {target}: {', '.join(moved) or 'taken as it is'}", markup=False, soft_wrap=True)
    for hold in repaired.released:
        console.print(f"hold {hold} is released: it did not fit its lots", markup=False, soft_wrap=True)
    for difference in repaired.left:
        console.print(f"not for the ledger to mend: {_told(difference)}", markup=False, soft_wrap=True)
    if dry_run:
        console.print("Dry run: nothing was booked.")
    elif repaired.found:
        console.print(f"{len(repaired.booked)} operations booked; sums are right again.")
    else:
        console.print("Nothing differs.")


def _told(difference: "Difference") -> str:
    return (
        f"{difference.check}: {difference.holder} {difference.what} {difference.currency}: "
        f"kept {difference.kept}, proved {difference.proved}"
    )


def _show(console: Console, proof: "Proof") -> None:
    for difference in proof.differences:
        console.print(_told(difference), markup=False, soft_wrap=True)
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
