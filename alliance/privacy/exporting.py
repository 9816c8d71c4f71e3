"""All that is known of a person, as one JSON object (L7; GDPR articles 15 and 20, PIPL article 45).

Every table whose rows lie by holder is in it, new ones too, but for what is named here: what merchants agreed with
each other (A14), and what the house keeps only to keep its books.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.privacy.erasing import was_erased
from alliance.privacy.errors import AlreadyErased
from domain.base import Base
from domain.errors import NotFound
from domain.ledger.aliases import absorbed
from domain.members.model import Member
from domain.members.queries import identifiers
from domain.profiles.queries import known
from domain.programs.catalogue import Catalogue

FORMAT = "tessera-member-export-1"

LEFT_OUT = {
    "adjustment": "lies under the merchant; the operation is there",
    "allocation": "which lots a debit took: of the books",
    "archived_sum": "sums that the books keep",
    "dispute": "what merchants hold of each other's lines",
    "duplicate_key": "keyed hashes of what is shown",
    "erasure": "only of who is nobody any more",
    "exposure": "merchants' own",
    "hold_allocation": "which lots a hold set aside: of the books",
    "holder_stop": "the operator's",
    "identifier_owner": "the look-up of what `identifiers` shows",
    "idempotency_key": "the clients' own",
    "legal_hold": "the operator's: the member may not be to know",
    "member_identifier": "in `identifiers`, opened",
    "member_key": "would open the rest",
    "member_number": "the look-up of `number`",
    "objection": "what merchants hold of each other's lines",
    "obligation": "what merchants owe each other",
    "order_reference": "the look-up of operations",
    "partner_line": "a merchant's file about another",
    "partner_match": "a merchant's file about another",
    "quote_reservation": "what merchants set aside for each other",
    "recon_break": "a merchant's file about another",
    "repair": "of the books",
    "rerate_line": "prices between merchants",
    "right_code": "the look-up of rights",
    "subsidy_draw": "what merchants pay each other",
    "wallet_watch": "of the books",
}
"""Tables by holder that are not shown, and why."""

_HIDDEN = """
    holder_id xid price prices cost own_cost owed reserves funder_id clearing_value agreement_id agreement_version
    stocked client_id counter_holder_id counter_account source_holder_id room_of decisions"""
HIDDEN = frozenset(_HIDDEN.split())
"""Columns that are not shown, in any table: what merchants agreed, and what only the books need."""


async def export_member(
    session: AsyncSession, catalogue: Catalogue, member_id: UUID, as_of: datetime
) -> dict[str, Any]:
    """All that is known of a member. Raises NotFound, AlreadyErased."""
    member = await session.get(Member, member_id)
    if member is None:
        raise NotFound(what="member", path=("member",))
    if await was_erased(session, member_id):
        raise AlreadyErased(path=("member",))
    known_by = (await identifiers(session, [member_id]))[member_id]
    codes = {str(id_): merchant.code for id_, merchant in catalogue.merchants_by_id.items()}
    told: dict[str, Any] = {
        "format": FORMAT,
        "madeAt": as_of.isoformat(),
        "id": str(member_id),
        "number": member.number,
        "status": member.status_at(as_of).value,
        "joinedAt": member.joined_at.isoformat(),
        "jurisdiction": member.jurisdiction,
        "identifiers": [
            {"type": one.type, "issuer": one.issuer or None, "value": one.value, "linkedAt": one.linked_at.isoformat()}
            for one in known_by
        ],
    }
    people = [member_id, *(await absorbed(session, [member_id])).get(member_id, ())]
    for table, column in shown_tables().items():
        rows = await session.scalars(_rows(Base.metadata.tables[table], column), {"people": people})
        told[_camel(table)] = [_shown(row, codes) for row in rows]
    # What came with a merge is known of both.
    profile = await known(session, catalogue.members.attributes, people)
    once = {(one.code, one.set_at): one for of_one in profile.values() for one in of_one}
    told["memberAttribute"] = [
        {
            "code": one.code,
            "value": one.value,
            "merchantId": codes.get(str(one.merchant_id)),
            "setAt": one.set_at.isoformat(),
        }
        for one in once.values()
    ]
    return told


ANY_OF = "ANY(CAST(:people AS uuid[]))"


def shown_tables() -> dict[str, str]:
    """The tables that are shown, and the column that says whose a row is."""
    found = {}
    for name, table in sorted(Base.metadata.tables.items()):
        column = next((one for one in ("member_id", "holder_id") if one in table.columns), None)
        if column is not None and name not in LEFT_OUT:
            found[name] = column
    return found


def _rows(table: Table, column: str) -> Any:
    """A row as JSON, without what is hidden and what is sealed."""
    hidden = [one.name for one in table.columns if one.name in HIDDEN or isinstance(one.type, LargeBinary)]
    order = ", ".join(f't."{one.name}"' for one in table.primary_key.columns)
    names = ", ".join(f"'{name}'" for name in hidden) or "''"
    row = f"to_jsonb(t) - CAST(ARRAY[{names}] AS text[])"
    return text(f'SELECT {row} FROM "{table.name}" t WHERE t."{column}" = {ANY_OF} ORDER BY {order}')  # noqa: S608


def _shown(row: Mapping[str, Any], codes: Mapping[str, str]) -> dict[str, Any]:
    return {_camel(name): codes.get(value, value) if isinstance(value, str) else value for name, value in row.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
