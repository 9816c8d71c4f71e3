"""`tessera statement`: what merchants are sent of a cycle, as files, and the check of one on a partner's machine."""

import sys
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO
from zipfile import BadZipFile, ZipFile

import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, WrongUse, answer, say, servers, with_runtime
from server.commands.proving import Progress

if TYPE_CHECKING:
    from alliance.proofs.notes import PublicKey
    from alliance.runtime import Runtime
    from alliance.statements.check import Report
    from alliance.statements.model import Head

statement = typer.Typer(help="Statements of cycles, as files.", no_args_is_help=True)


class Format(StrEnum):
    """What there is of a statement."""

    JSONL = "jsonl"
    CSV = "csv"
    JSONL_SIG = "jsonl.sig"
    CSV_SIG = "csv.sig"
    PROOFS = "jsonl.proofs"
    ZIP = "zip"
    PDF = "pdf"


class Language(StrEnum):
    """Of texts for people."""

    EN = "en"
    ZH_CN = "zh-CN"


@statement.command()
def export(
    cycle: Annotated[int, typer.Option(help="The cycle's number.")],
    merchant: Annotated[str, typer.Option(help="The merchant's code; the alliance's for the operator's own.")],
    format_: Annotated[
        Format, typer.Option("--format", help="What to write; zip is what a partner checks alone.")
    ] = Format.ZIP,
    out: Annotated[Path | None, typer.Option(help="The file (else standard output).", dir_okay=False)] = None,
    checkpoint: Annotated[
        int | None, typer.Option(help="Prove to the checkpoint of so many operations (else the newest).")
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the PDF.")] = Language.EN,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write a merchant's statement of a cycle: the same bytes whenever it is written."""
    with servers("tessera statement export") as settings:

        async def run(runtime: "Runtime") -> int:
            from alliance.statements import files

            head = await _head(runtime, cycle, merchant)
            await files.ready(runtime.database, head, format_, checkpoint)
            parts = _content(runtime, head, format_, checkpoint, language)
            if out is None:
                return await _write(parts, sys.stdout.buffer)
            with out.open("wb") as file:
                return await _write(parts, file)

        size = with_runtime(settings, run)
    if out is not None:
        told = {"cycle": cycle, "merchant": merchant, "format": format_, "file": str(out), "bytes": size}
        answer(told, json, lambda console: console.print(f"{out}: {size:,} bytes", markup=False))


async def _head(runtime: "Runtime", cycle: int, code: str) -> "Head":
    """Raises NotFound."""
    from alliance.statements import queries
    from domain.errors import NotFound

    alliance = runtime.catalogue.alliance
    merchant = runtime.catalogue.merchants.get(code)
    if merchant is None and code != alliance.code:
        raise NotFound(what=f"merchant {code!r}", path=("merchant",))
    async with runtime.database.reader() as session:
        party = alliance.id if merchant is None else merchant.id
        return await queries.head(session, runtime.catalogue, cycle, party)


async def _content(
    runtime: "Runtime", head: "Head", format_: Format, size: int | None, language: str
) -> AsyncIterator[bytes]:
    from alliance.statements import files, queries

    async with runtime.database.reader() as session:
        total = await queries.count(session, head)
    progress = Progress()
    told = lambda step, done: progress(step, done, total)  # noqa: E731
    async for part in files.content(runtime.database, head, format_, size, told, language):
        yield part


async def _write(content: AsyncIterator[bytes], file: BinaryIO) -> int:
    size = 0
    async for part in content:
        size += file.write(part)
    file.flush()
    return size


@statement.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help="The .zip; or the .jsonl, with .sig and .proofs beside it; or the .csv, with .sig beside it.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    key: Annotated[
        list[str] | None, typer.Option(help="A public key of the log that you trust (else those in the file).")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A signed checkpoint of your own, to which the proofs must lead.", exists=True),
    ] = None,
    allow_unproved: Annotated[
        bool, typer.Option("--allow-unproved", help="Accept lines so old that they are only signed.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a statement, offline: its signature, every line's place in the signed log, the arithmetic."""
    from alliance.proofs.notes import BadNote, PublicKey
    from alliance.statements.check import NoStatement

    try:
        keys = [PublicKey.parse(line) for line in key or []]
    except BadNote as error:
        raise WrongUse(str(error)) from None
    try:
        report = _check(file, keys, None if checkpoint is None else checkpoint.read_text(encoding="utf-8"))
    except (NoStatement, BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise Failure(f"not proved: {error}", exit_code=NO, code="NOT_PROVED") from None
    answer(report.to_json(), json, lambda console: _show(console, report))
    if report.found or (report.unproved and not allow_unproved):
        raise typer.Exit(NO)


def _check(file: Path, keys: "list[PublicKey]", checkpoint: str | None) -> "Report":
    """Raises NoStatement, WrongUse, and what opening a file raises."""
    from alliance.statements import check

    with ExitStack() as stack:
        if file.suffix == ".zip":
            archive = stack.enter_context(ZipFile(file))
            names = archive.namelist()
            found = {kind: name for kind in (".jsonl", ".sig", ".proofs") for name in names if name.endswith(kind)}
            if len(found) != 3 or len(names) != 3:
                raise WrongUse("this holds no statement with its signature and proofs")
            signature = archive.read(found[".sig"]).decode()
            lines = stack.enter_context(archive.open(found[".jsonl"]))
            proofs = stack.enter_context(archive.open(found[".proofs"]))
            return check.check(_told(lines), signature, iter(proofs), keys, checkpoint)
        signature = _beside(file, ".sig").read_text(encoding="utf-8")
        content = stack.enter_context(file.open("rb"))
        if file.suffix == ".csv":
            if not keys:
                raise WrongUse("name the key with --key: nothing else in a CSV and its signature tells it")
            return check.check_signature(content, "csv", signature, keys)
        beside = stack.enter_context(_beside(file, ".proofs").open("rb"))
        return check.check(_told(content), signature, iter(beside), keys, checkpoint)


def _beside(file: Path, suffix: str) -> Path:
    found = file.with_name(file.name + suffix)
    if not found.exists():
        raise WrongUse(f"{found.name} is not beside {file.name}")
    return found


def _told(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines; on standard error, how far it is."""
    began = told = time.monotonic()
    for number, line in enumerate(lines, 1):
        yield line
        if time.monotonic() - told > 1:
            told = time.monotonic()
            say(f"{number:,} lines; {number / (told - began):,.0f} a second")


def _show(console: Console, report: "Report") -> None:
    for one in report.findings:
        where = f"line {one.line}" + (f" ({one.key})" if one.key else "") if one.line else "the statement"
        console.print(f"{where}: {one.what}", markup=False, soft_wrap=True)
    if report.found > len(report.findings):
        console.print(f"... and {report.found - len(report.findings):,} more")
    if report.unproved:
        console.print(f"{report.unproved:,} lines are signed, and too old to be proved by the log.")
    if signed := report.signed:
        what = f"cycle {signed.cycle} of {signed.merchant}, {report.lines:,} lines, {signed.sum} {signed.currency}"
        console.print(f"Statement of {what}: {'NOT ' if report.found else ''}as it was signed.", markup=False)
    if report.checkpoint:
        console.print(f"Proved to the checkpoint of {report.checkpoint.size:,} of {report.checkpoint.origin}.")
    if report.key:
        console.print(f"Signed by {report.key}", markup=False, soft_wrap=True)
    if report.told:
        console.print("That key came with the file: compare it with the one you were given, or name that with --key.")
