"""Reading notices: many keys in, many rows out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ledger.extensions import stands
from domain.notices.model import Notice, NoticeReport, Outcome

Wallet = tuple[UUID, str]
"""A holder, and a currency of theirs."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice, and what became of it, in the order in which that was reported."""

    notice: Notice
    reports: tuple[NoticeReport, ...]

    @property
    def delivered_at(self) -> datetime | None:
        """When it was first delivered by a channel that did not take it back later; None if it was not."""
        last = {report.channel: report for report in self.reports if report.channel is not None}
        stood = {channel for channel, report in last.items() if report.outcome == Outcome.DELIVERED}
        delivered = (report for report in self.reports if report.outcome == Outcome.DELIVERED)
        return min((report.happened_at for report in delivered if report.channel in stood), default=None)

    @property
    def failed_by(self) -> set[str]:
        """The channels by which it did not reach the member."""
        return {one.channel for one in self.reports if one.channel is not None and one.outcome == Outcome.FAILED}


async def by_ids(session: AsyncSession, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Told]:
    """The notices with these (holder, id); what is not there is left out."""
    rows = await session.scalars(select(Notice).where(tuple_(Notice.holder_id, Notice.id).in_(list(keys))))
    return await _told(session, rows.all())


_NEWEST = text("""
    SELECT n.* FROM unnest(CAST(:holders AS uuid[]), CAST(:currencies AS text[])) AS w (holder_id, currency)
    CROSS JOIN LATERAL (SELECT * FROM notice n WHERE n.holder_id = w.holder_id AND n.currency = w.currency
                        ORDER BY n.id DESC LIMIT :size) n
""")


async def newest(session: AsyncSession, keys: Sequence[Wallet], size: int) -> dict[Wallet, list[Told]]:
    """The `size` newest notices of each wallet."""
    values: dict[str, Any] = {"holders": [holder_id for holder_id, _ in keys], "size": size}
    values["currencies"] = [currency for _, currency in keys]
    rows = (await session.scalars(select(Notice).from_statement(_NEWEST), values)).all()
    found: dict[Wallet, list[Told]] = {key: [] for key in keys}
    told = await _told(session, rows)
    for notice in rows:
        found[notice.holder_id, notice.currency].append(told[notice.holder_id, notice.id])
    return found


_WAITING = text(f"""
    SELECT n.* FROM notice n
    WHERE n.opens_at <= :as_of AND (n.closes_at IS NULL OR n.closes_at > :as_of)
      AND NOT EXISTS (SELECT FROM notice_report r WHERE r.holder_id = n.holder_id AND r.notice_id = n.id
                      AND (r.outcome = 'NO_CHANNEL' OR {stands("r")}))
    ORDER BY n.id LIMIT :size
""")  # noqa: S608


async def waiting(session: AsyncSession, as_of: datetime, size: int) -> Sequence[Notice]:
    """At most `size` notices to be sent now, oldest first: not delivered yet, and somebody can be reached."""
    return (await session.scalars(select(Notice).from_statement(_WAITING), {"as_of": as_of, "size": size})).all()


async def _told(session: AsyncSession, notices: Sequence[Notice]) -> dict[tuple[UUID, UUID], Told]:
    keys = [(notice.holder_id, notice.id) for notice in notices]
    reports: dict[tuple[UUID, UUID], list[NoticeReport]] = {key: [] for key in keys}
    place = tuple_(NoticeReport.holder_id, NoticeReport.notice_id)
    for row in await session.scalars(select(NoticeReport).where(place.in_(keys)).order_by(NoticeReport.id)):
        reports[row.holder_id, row.notice_id].append(row)
    return {(one.holder_id, one.id): Told(one, tuple(reports[one.holder_id, one.id])) for one in notices}
