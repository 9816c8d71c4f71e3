"""Proofs of operations in reach; who may see what of a leaf."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alliance.proofs import bundle, queries
from alliance.proofs.model import Inclusion, SignedCheckpoint
from domain.ledger.queries import EntryRow, OperationRow
from resolvers.context import Context
from resolvers.reach import seen_entries
from resolvers.viewer import Viewer

_ALLIANCE = ("operator", "auditor")


@dataclass(frozen=True, slots=True)
class SeenInclusion:
    """A proof, and how much of its leaf the viewer sees: the data only where they see the whole operation, the terms
    only where these are theirs."""

    inclusion: Inclusion
    data: bool
    terms: bool
    keys: tuple[str, ...]

    @property
    def bundle(self) -> dict[str, Any] | None:
        """The file that `tessera verify --checkpoint` checks."""
        return bundle.make(self.inclusion, self.keys, terms=self.terms) if self.data else None


async def of(context: Context, row: OperationRow) -> SeenInclusion | None:
    """The proof of an operation; None until it is in a signed checkpoint."""
    key = (row.holder_id, row.id)
    inclusion = await context.loaders.inclusions.load(key)
    if inclusion is None:
        return None
    viewer = context.signed_in
    entries: list[EntryRow] = await context.loaders.entries.load(key)
    whole = len(seen_entries(viewer, context.runtime.catalogue, row, entries)) == len(entries)
    whole = whole and (viewer.kind in _ALLIANCE or _is_of_one(row.holder_id, inclusion))
    keys = await context.loaders.log_keys.load(())
    return SeenInclusion(inclusion, whole, whole and _sees_terms(viewer, inclusion), keys)


def _is_of_one(holder_id: UUID, inclusion: Inclusion) -> bool:
    """Whether it says nothing of another member, who was given points."""
    return all(entry["holder_id"] == str(holder_id) for entry in inclusion.leaf.data.get("entries", ()))


def _sees_terms(viewer: Viewer, inclusion: Inclusion) -> bool:
    """A merchant must be a party of all that is owed; where nothing is, it must have paid for the points itself."""
    if viewer.kind != "merchant":
        return viewer.kind in _ALLIANCE
    own, terms = str(viewer.merchant_id), inclusion.leaf.terms
    if owed := terms.get("obligations"):
        return all(own in (line["debtor_id"], line["creditor_id"]) for line in owed)
    return all(own == lot["funder_id"] for lot in terms.get("funding", ()))


async def checkpoint(context: Context) -> SignedCheckpoint | None:
    """The newest."""
    async with context.runtime.database.reader() as session:
        return await queries.newest_checkpoint(session)


async def consistency(context: Context, first: int, second: int) -> list[bytes] | None:
    """That the log only grew between two sizes."""
    async with context.runtime.database.reader() as session:
        return await queries.consistency(session, first, second)
