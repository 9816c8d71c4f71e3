"""Lines of what merchants owe each other, as their viewer may see them (A14)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from alliance.clearing.model import Obligation
from resolvers.context import Context


@dataclass(frozen=True, slots=True)
class SeenLine:
    """An obligation with the names that its two parties share. `own`: it happened at the viewer, or they see all."""

    row: Obligation
    reference: str
    member: str
    reverses: str | None
    own: bool


async def seen(context: Context, rows: Sequence[Obligation]) -> list[SeenLine]:
    """Lines, each with its names."""
    names = await context.house.pseudonyms()

    def one(row: Obligation) -> SeenLine:
        pair: tuple[UUID, UUID] = row.debtor_id, row.creditor_id
        return SeenLine(
            row,
            names.operation(*pair, row.operation_id),
            names.member(*pair, row.holder_id),
            None if row.reverses is None else names.operation(*pair, row.reverses),
            context.own_merchant_id in (None, row.merchant_id),
        )

    return [one(row) for row in rows]
