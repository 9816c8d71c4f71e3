"""Numbers for members: serials from the alliance's sequence, or from that of the merchant which owns a range.

A sequence gives each serial once, however many enrol at a time and whoever gives up; so there are gaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.programs.model import MerchantRow
from domain.programs.numbering import NumberRange, number_range

Range = tuple[UUID, NumberRange] | None
"""Whose range it is, and which; None for that of merchants without one."""

_TAKE = text("""
    SELECT place, nextval(CAST(name AS regclass))
    FROM unnest(CAST(:names AS text[]), CAST(:counts AS integer[])) WITH ORDINALITY AS asked (name, count, place),
         generate_series(1, count)
""")
_RESET = text("""
    SELECT setval(CAST(:name AS regclass),
                  coalesce((SELECT max(serial) FROM member_number
                            WHERE serial BETWEEN CAST(:first AS bigint) AND CAST(:last AS bigint)),
                           CAST(:first AS bigint) - 1))
""")
_LAST = text("""
    SELECT sequencename, last_value FROM pg_sequences
    WHERE schemaname = current_schema() AND sequencename = ANY(CAST(:names AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Filled:
    """How far a merchant's range is used."""

    merchant: str
    range: NumberRange
    used: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.range.last - self.range.first + 1

    @property
    def left(self) -> int:
        """How many are left."""
        return self.size - self.used


async def lay_out(session: AsyncSession, ranges: Mapping[UUID, NumberRange | None]) -> None:
    """Have merchants number from these ranges from now on, each after the last number given out of it.

    Numbers given to members who are being enrolled right now may be met again: whoever is later takes another.
    """
    for merchant_id, owned in ranges.items():
        if owned is not None:
            name = _sequence(merchant_id)
            await session.execute(text(f"CREATE SEQUENCE IF NOT EXISTS {name} MINVALUE 0 START 0"))
            await session.execute(_RESET, {"name": name, "first": owned.first, "last": owned.last})


async def take(session: AsyncSession, counts: Mapping[Range, int]) -> dict[Range, list[int]]:
    """So many new serials of each range, in one statement; fewer where a range is at its end."""
    ranges = list(counts)
    if not ranges:
        return {}
    names = [_sequence(None if owned is None else owned[0]) for owned in ranges]
    taken: dict[Range, list[int]] = {owned: [] for owned in ranges}
    for place, serial in await session.execute(_TAKE, {"names": names, "counts": list(counts.values())}):
        owned = ranges[place - 1]
        if owned is None or serial <= owned[1].last:
            taken[owned].append(serial)
    return taken


async def owners(session: AsyncSession) -> dict[str, tuple[UUID, NumberRange]]:
    """Who owns which range, by the merchant's code."""
    said = MerchantRow.settings["memberNumbers"]
    rows = await session.execute(select(MerchantRow.code, MerchantRow.id, said).where(said.is_not(None)))
    found = {code: (id_, number_range(stored)) for code, id_, stored in rows}
    return {code: (id_, owned) for code, (id_, owned) in found.items() if owned is not None}


async def filled(session: AsyncSession, owned_by: Mapping[str, tuple[UUID, NumberRange]]) -> list[Filled]:
    """How far these ranges are used, in the order of their merchants' codes."""
    names = {code: _sequence(id_) for code, (id_, _) in owned_by.items()}
    rows = await session.execute(_LAST, {"names": list(names.values())})
    reached = {name: last for name, last in rows if last is not None}
    found = []
    for code, (_, owned) in sorted(owned_by.items()):
        last = min(reached.get(names[code], owned.first - 1), owned.last)
        found.append(Filled(code, owned, max(0, last - owned.first + 1)))
    return found


def _sequence(merchant_id: UUID | None) -> str:
    """The name of the sequence of a merchant's range, or of all others."""
    return "member_number_serial_seq" if merchant_id is None else f"member_number_{merchant_id.hex}"
