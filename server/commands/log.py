"""The log of operations: `tessera proof`, what checks it, and `tessera log`: its keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.console import Console

from server.commands.common import NO, Failure, Home, Json, answer, servers, settings_or_fail, with_database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from alliance.proofs.bundle import Proved
    from alliance.proofs.model import Inclusion
    from domain.database import Database

log = typer.Typer(help="The log of all operations, and the keys that sign it.", no_args_is_help=True)

NOT_SEALED = (
    "this operation is in no signed checkpoint: it is not there, or not sealed yet, or was changed since, or archived"
    " (then name the file with --archive)"
)


def proof(
    operation: Annotated[str, typer.Argument(help="Id of the operation, as GraphQL gives it.")],
    since: Annotated[
        Path | None,
        typer.Option(
            help="A checkpoint that a partner holds: prove as well that the log only grew since.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="The file of `tessera archive` that holds the operation.", exists=True, dir_okay=False),
    ] = None,
    terms: Annotated[bool, typer.Option(help="With prices, funding and obligations, for who may see them.")] = True,
    home: Home = None,
    json: Json = True,
) -> None:
    """Write what proves an operation, as one JSON object: a partner checks it with `tessera verify --checkpoint`."""
    earlier = None if since is None else since.read_text(encoding="utf-8")
    with servers("tessera proof") as settings:

        async def read(database: "Database") -> dict[str, Any]:
            async with database.session() as session:
                return await _bundle(session, operation, earlier, archive, terms=terms)

        made = with_database(settings, read)
    answer(made, json, lambda console: console.print_json(data=made))


async def _bundle(
    session: "AsyncSession", operation: str, earlier: str | None, archive: Path | None, *, terms: bool
) -> dict[str, Any]:
    """Raises NotFound for no id of an operation, Failure for one that cannot be proved."""
    from alliance.proofs import bundle, queries
    from alliance.proofs.notes import BadNote, PublicKey, read_checkpoint
    from resolvers.ids import decode_as

    holder_id, operation_id = decode_as("Operation", operation, 2)
    if archive is not None:
        inclusion = await _archived(session, archive, holder_id, operation_id)
    elif found := await queries.inclusions(session, [(holder_id, operation_id)]):
        [inclusion] = found.values()
    else:
        raise Failure(NOT_SEALED, exit_code=NO, code="NOT_FOUND")
    keys = await queries.public_keys(session)
    if earlier is None:
        return bundle.make(inclusion, keys, terms=terms)
    try:
        size = read_checkpoint(earlier, map(PublicKey.parse, keys))[0].size
    except BadNote as error:
        raise Failure(str(error), exit_code=NO, code="BAD_USER_INPUT") from None
    path = await queries.consistency(session, size, inclusion.checkpoint.size)
    if path is None:
        raise Failure("the log never had so many leaves", exit_code=NO, code="NOT_FOUND")
    return bundle.make(inclusion, keys, terms=terms, since=(earlier, path))


async def _archived(session: "AsyncSession", file: Path, holder_id: UUID, operation_id: UUID) -> "Inclusion":
    from alliance.archive import queries

    try:
        return await queries.inclusion(session, queries.find(file, holder_id, operation_id))
    except queries.NotInArchive as error:
        raise Failure(str(error), exit_code=NO, code="NOT_FOUND") from None


def is_note(file: Path) -> bool:
    """Whether a file is a checkpoint, not a proof (which is JSON)."""
    return not file.read_bytes().lstrip().startswith(b"{")


def verify_note(file: Path, keys: list[str], json: bool) -> None:
    """Hold a checkpoint against our own log; ends with 1 unless the log still begins with what it had then."""
    from alliance.proofs import queries
    from alliance.proofs.notes import BadNote, Checkpoint, PublicKey, read_checkpoint

    note = file.read_bytes()
    with servers("tessera verify") as settings:

        async def read(database: "Database") -> tuple[Checkpoint, bytes | None, int]:
            async with database.session() as session:
                trusted = keys or await queries.public_keys(session)
                checkpoint, _ = read_checkpoint(note.decode(), map(PublicKey.parse, trusted))
                newest = await queries.newest_checkpoint(session)
                root = await queries.root_at(session, checkpoint.size)
                return checkpoint, root, newest.size if newest else 0

        try:
            checkpoint, root, size = with_database(settings, read)
        except (BadNote, UnicodeDecodeError) as error:
            raise Failure(f"not proved: {error}", exit_code=NO, code="NOT_PROVED") from None
    if root is None:
        raise Failure(
            f"the log was cut back: it had {checkpoint.size} operations when this was signed, and has {size}",
            exit_code=NO,
            code="CUT_BACK",
        )
    if root != checkpoint.root:
        raise Failure(
            f"the first {checkpoint.size} operations of the log are not those of this checkpoint",
            exit_code=NO,
            code="ANOTHER_LOG",
        )
    told = {"proved": True, "origin": checkpoint.origin, "since": checkpoint.size, "size": size}
    answer(told, json, lambda console: console.print(f"The log holds what it held when it had {checkpoint.size}."))


def verify_file(file: Path, keys: list[str], json: bool) -> None:
    """Check a proof in a file; ends with 1 if it proves nothing."""
    from alliance.proofs.bundle import BadProof, check
    from alliance.proofs.notes import BadNote, PublicKey

    try:
        proved = check(file.read_bytes(), [PublicKey.parse(key) for key in keys])
    except (BadProof, BadNote) as error:
        raise Failure(f"not proved: {error}", exit_code=NO, code="NOT_PROVED") from None
    answer(proved.to_json(), json, lambda console: _show(console, proved))


def _show(console: Console, proved: "Proved") -> None:
    checkpoint = proved.checkpoint
    console.print(orjson.dumps(proved.operation, option=orjson.OPT_INDENT_2).decode(), markup=False, soft_wrap=True)
    console.print(f"Proved: leaf {proved.index} of the {checkpoint.size} of {checkpoint.origin}.", markup=False)
    if proved.since is not None:
        console.print(f"The log holds what it held when it had {proved.since}.", markup=False)
    console.print(f"Signed by {proved.key}", markup=False, soft_wrap=True)
    if proved.told:
        console.print("That key came with the file: compare it with the one you were given, or name that with --key.")


@log.command()
def keys(home: Home = None, json: Json = False) -> None:
    """List the public keys that checkpoints were signed with, the newest last."""
    with servers("tessera log keys") as settings:
        from alliance.proofs.queries import public_keys

        async def read(database: "Database") -> list[str]:
            async with database.session() as session:
                return await public_keys(session)

        lines = with_database(settings, read)
    answer({"keys": lines}, json, lambda _: print(*lines, sep="\n"))


@log.command()
def rotate(home: Home = None, json: Json = False) -> None:
    """Add a signing key: from its next start the scheduler signs with the new key and the old ones."""
    public = str(settings_or_fail().add_log_key().public)
    answer({"key": public}, json, lambda _: print(public))


@log.command()
def retire(home: Home = None, json: Json = False) -> None:
    """Take the oldest signing key out of use; what it signed is still checked by its public half."""
    key = settings_or_fail().retire_log_key()
    if key is None:
        raise Failure("there is but one key: add another first, with `tessera log rotate`", exit_code=NO, code="LAST")
    public = str(key.public)
    answer({"key": public}, json, lambda _: print(public))
