"""Notices before points are lost or sold (L2), and what became of them."""

from datetime import datetime
from typing import Self

import strawberry

from domain.notices import model
from domain.notices.model import NoticeKind, Outcome
from domain.notices.queries import Told
from resolvers import ids
from schema.inputs import KEY, passed_as_sent
from schema.merchants import PointsCurrency
from schema.node import Info, Node
from schema.scalars import Points

strawberry.enum(NoticeKind, description="EXPIRY: points end. EXIT: points are sold for change (rule R13).")
strawberry.enum(Outcome, name="NoticeOutcome", description="NO_CHANNEL: there is no way left to reach the member.")


@passed_as_sent
@strawberry.input
class RecordNoticeInput:
    """What became of a notice that was to be sent."""

    idempotency_key: str = strawberry.field(description=KEY)
    notice: strawberry.ID
    outcome: Outcome
    channel: str | None = strawberry.field(default=strawberry.UNSET, description="Such as SMS; a delivery names it.")
    proof: str | None = strawberry.field(
        default=strawberry.UNSET, description="The channel's receipt, or its hash; a delivery needs it."
    )
    happened_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="Default now.")


@strawberry.type(description="What the sender of a notice reported.")
class NoticeReport:
    """Kept as it was reported."""

    outcome: Outcome
    channel: str | None
    proof: str | None
    happened_at: datetime

    @classmethod
    def of(cls, row: model.NoticeReport) -> Self:
        """From the database."""
        return cls(outcome=Outcome(row.outcome), channel=row.channel, proof=row.proof, happened_at=row.happened_at)


@strawberry.type(description="What a member is to be told before points of theirs are lost or sold.")
class Notice(Node):
    """A job of the actor `notify` says that it is to be sent."""

    kind: NoticeKind
    points: Points = strawberry.field(description="How many there were when it came due.")
    due_at: datetime = strawberry.field(description="When they are lost, or sold at the earliest.")
    opens_at: datetime
    closes_at: datetime | None = strawberry.field(description="A delivery counts from opensAt to before then.")
    delivered_at: datetime | None
    reports: list[NoticeReport]
    row: strawberry.Private[model.Notice]

    @strawberry.field(description="The points.")
    def currency(self, info: Info) -> PointsCurrency:
        """From the catalogue."""
        return PointsCurrency.of(info.context.runtime.catalogue.currencies[self.row.currency])

    @classmethod
    def of(cls, told: Told) -> Self:
        """From the database."""
        row = told.notice
        return cls(
            id=strawberry.ID(ids.encode("Notice", row.holder_id, row.id)),
            kind=NoticeKind(row.kind),
            points=Points(row.points),
            due_at=row.due_at,
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            delivered_at=told.delivered_at,
            reports=[NoticeReport.of(one) for one in told.reports],
            row=row,
        )


@strawberry.type(description="What became of a notice was kept.")
class NoticeRecorded:
    """A later report may follow."""

    notice: Notice

    @classmethod
    def of(cls, told: Told) -> Self:
        """As it stands now."""
        return cls(notice=Notice.of(told))
