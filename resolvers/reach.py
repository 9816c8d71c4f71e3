"""What a viewer may see (A14): a member what is theirs; a merchant its own members, points, and side of the alliance.

What is out of reach is as if it did not exist.
"""

from collections.abc import Sequence
from uuid import UUID

from domain.ledger.queries import EntryRow, OperationRow
from domain.programs.catalogue import Catalogue
from resolvers.viewer import Viewer


def sees_holder(viewer: Viewer, holder_id: UUID) -> bool:
    """Whether a holder is not out of reach already; a merchant's members are narrowed further, by membership."""
    return viewer.kind != "member" or viewer.member_id == holder_id


def members_of(viewer: Viewer) -> UUID | None:
    """The merchant to whose members a viewer is limited, if any."""
    return viewer.merchant_id if viewer.kind == "merchant" else None


def sees_currency(viewer: Viewer, catalogue: Catalogue, code: str) -> bool:
    """Whether a viewer may see points of this currency."""
    currency = catalogue.currencies.get(code)
    return currency is not None and (viewer.kind != "merchant" or currency.merchant_id == viewer.merchant_id)


def seen_entries(
    viewer: Viewer, catalogue: Catalogue, operation: OperationRow, entries: Sequence[EntryRow]
) -> list[EntryRow]:
    """The entries of an operation that a viewer may see: at their own till all, else those of their own points."""
    if viewer.kind != "merchant" or operation.merchant_id == viewer.merchant_id:
        return list(entries)
    return [entry for entry in entries if sees_currency(viewer, catalogue, entry.currency)]
