"""What the alliance says of its members, as compiled from the alliance file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.programs.accepting import TermsVersion, by_code
from domain.programs.duplicates import DuplicateTerms, duplicate_terms
from domain.programs.living import LifeTerms, life_terms
from domain.programs.model import MemberTermsRow
from domain.programs.tagging import Tag, tag

AttributeType = Literal["string", "integer", "decimal", "date", "boolean", "choice", "choices"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that may be known of a member; with a `merchant` (its code) it is that one's own, else the alliance's.

    `read` and `write` are who may, besides the operator: "member", and "merchant": the one whose it is, or all that
    the member has joined. Personal values are sealed; only those with `find` can be looked for, and only whole.
    """

    code: str
    name: str
    type: AttributeType
    choices: tuple[str, ...]
    merchant: str | None
    personal: bool
    find: bool
    read: frozenset[str]
    write: frozenset[str]


@dataclass(frozen=True, slots=True)
class MemberTerms:
    """All that the section `members` says; each key of it has a field here."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    duplicates: DuplicateTerms | None = None
    guard: Mapping[str, Any] = field(default_factory=dict)
    life: LifeTerms = field(default_factory=LifeTerms)
    tags: Sequence[Tag] = ()
    terms: Mapping[str, Sequence[TermsVersion]] = field(default_factory=dict)


async def load_member_terms(session: AsyncSession) -> MemberTerms:
    """What was applied."""
    return member_terms(
        await session.scalars(select(MemberTermsRow).order_by(MemberTermsRow.part, MemberTermsRow.code))
    )


def member_terms(rows: Iterable[MemberTermsRow]) -> MemberTerms:
    """The terms of stored rows: a key of the section that is a list has a row an item, others one with code ""."""
    parts: dict[str, dict[str, Any]] = {}
    for row in rows:
        parts.setdefault(row.part, {})[row.code] = row.definition
    return MemberTerms(
        attributes={code: _attribute(code, stored) for code, stored in parts.get("attributes", {}).items()},
        duplicates=duplicate_terms(parts.get("duplicates", {}).get("")),
        guard=parts.get("guard", {}).get("", {}),
        life=life_terms(parts.get("life", {}).get("")),
        tags=tuple(tag(stored) for stored in parts.get("tags", {}).values()),
        terms=by_code(parts.get("terms", {}).values()),
    )


def _attribute(code: str, stored: Mapping[str, Any]) -> Attribute:
    return Attribute(
        code=code,
        name=stored["name"],
        type=stored["type"],
        choices=tuple(stored.get("choices", ())),
        merchant=stored.get("merchant"),
        personal=stored["personal"],
        find=stored["find"],
        read=frozenset(stored["read"]),
        write=frozenset(stored["write"]),
    )
