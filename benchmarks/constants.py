"""The card of a member, answered by resolvers of constants: what the framework alone takes for such an answer.

What is a plain attribute in our schema is one here, and what is a resolver there is one here; none of them waits.
"""

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from domain.ledger.model import OperationKind
from schema.enums import OperationStatus
from schema.node import Info
from schema.scalars import Points

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@strawberry.type
class Currency:
    """A kind of points."""

    code: str


@strawberry.type
class Lot:
    """A credit."""

    granted: Points
    remaining: Points
    expires_at: datetime | None


@strawberry.type
class LotEdge:
    """Of a page."""

    cursor: str
    node: Lot


@strawberry.type
class Lots:
    """A page."""

    edges: list[LotEdge]


@strawberry.type
class Wallet:
    """Points of one kind."""

    balance: Points
    available: Points

    @strawberry.field
    def currency(self, info: Info) -> Currency:
        """A constant."""
        return CURRENCY

    @strawberry.field
    def lots(self, info: Info, first: int | None = None) -> Lots:
        """A constant."""
        return LOTS


@strawberry.type
class Operation:
    """An event."""

    id: strawberry.ID
    kind: OperationKind
    status: OperationStatus
    occurred_at: datetime

    @strawberry.field
    def title(self, info: Info) -> str:
        """A constant."""
        return "Points earned at Grocer"


@strawberry.type
class OperationEdge:
    """Of a page."""

    cursor: str
    node: Operation


@strawberry.type
class Operations:
    """A page."""

    edges: list[OperationEdge]


@strawberry.type
class Member:
    """A person."""

    id: strawberry.ID
    number: str

    @strawberry.field
    def wallets(self, info: Info) -> list[Wallet]:
        """A constant."""
        return WALLETS

    @strawberry.field
    def activity(self, info: Info, first: int | None = None) -> Operations:
        """A constant."""
        return OPERATIONS


@strawberry.type
class MemberEdge:
    """Of a page."""

    cursor: str
    node: Member


@strawberry.type
class Members:
    """A page."""

    edges: list[MemberEdge]


CURRENCY = Currency(code="GRO")
LOTS = Lots(edges=[LotEdge(cursor="", node=Lot(granted=Points(50), remaining=Points(50), expires_at=NOW))] * 5)
WALLETS = [Wallet(balance=Points(250), available=Points(250))] * 2
_EARNED = Operation(
    id=strawberry.ID("T3BlcmF0aW9uOjE"), kind=OperationKind.EARN, status=OperationStatus.POSTED, occurred_at=NOW
)
OPERATIONS = Operations(edges=[OperationEdge(cursor="", node=_EARNED)] * 10)
MEMBERS = Members(
    edges=[MemberEdge(cursor="", node=Member(id=strawberry.ID("TWVtYmVyOjE"), number="10000000009"))] * 20
)


@strawberry.type
class Query:
    """The one list that is read."""

    @strawberry.field
    def members(self, info: Info, first: Annotated[int | None, strawberry.argument()] = None) -> Members:
        """A constant."""
        return MEMBERS


@strawberry.type
class Mutation:
    """A schema of ours has one."""

    @strawberry.mutation
    def nothing(self) -> bool:
        """A constant."""
        return True
