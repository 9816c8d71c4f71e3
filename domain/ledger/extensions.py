"""Dates that move because nobody could be told of them (L2, R7), as requests to the posting engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.base import Base, new_id
from domain.ledger.commands import effect_of
from domain.ledger.model import OperationKind
from domain.ledger.request import Books, Effect, Needs, Request
from domain.ledger.rules import LotState


class Extension(Base):
    """Points of a wallet that ended at `ended_at` and now end at `ends_at`, because nobody was told in time (L2)."""

    __tablename__ = "extension"
    __table_args__ = (CheckConstraint("points > 0 AND ends_at > ended_at", name="points"),)

    holder_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    points: Mapped[int]
    ended_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    why: Mapped[str]


_EXTENSION: Any = Extension.__table__

Wallet = tuple[UUID, str]
"""A holder, and a currency of theirs."""


def stands(report: str) -> str:
    """The condition that this alias of a notice's report is a delivery that no later one of its channel took back."""
    return f"""({report}.outcome = 'DELIVERED' AND NOT EXISTS (
        SELECT FROM notice_report bounce
        WHERE bounce.holder_id = {report}.holder_id AND bounce.notice_id = {report}.notice_id
          AND bounce.id > {report}.id AND bounce.channel = {report}.channel AND bounce.outcome <> 'DELIVERED'))"""


class _Delivered:
    """When the holder of a wallet was told that points end, by the date on which they do."""

    shared_lock: tuple[int, int] | None = None

    async def load(
        self, connection: asyncpg.Connection, keys: Sequence[Wallet]
    ) -> dict[Wallet, list[tuple[datetime, datetime]]]:
        rows = await connection.fetch(
            f"""SELECT asked.holder_id, asked.currency, n.due_at, r.happened_at
               FROM unnest($1::uuid[], $2::text[]) AS asked (holder_id, currency)
               JOIN notice n ON n.holder_id = asked.holder_id AND n.currency = asked.currency AND n.kind = 'EXPIRY'
               JOIN notice_report r ON r.holder_id = n.holder_id AND r.notice_id = n.id AND {stands("r")}""",  # noqa: S608
            *(list(column) for column in zip(*keys, strict=True)),
        )
        found: dict[Wallet, list[tuple[datetime, datetime]]] = {}
        for holder_id, currency, *told in rows:
            found.setdefault((holder_id, currency), []).append((told[0], told[1]))
        return found


DELIVERED = _Delivered()


class NoticeWindow(NamedTuple):
    """From how long to how long before points end their holder has to be told."""

    longest: timedelta
    shortest: timedelta

    def needs(self, needs: Needs, wallet: Wallet) -> None:
        """What was delivered about the wallet."""
        needs.other(DELIVERED, wallet)

    def was_told(self, books: Books, wallet: Wallet, ends: datetime) -> bool:
        """Whether the holder was told in time that points end then."""
        return any(
            due_at == ends and self.longest >= ends - told >= self.shortest
            for due_at, told in books.other(DELIVERED, wallet) or ()
        )

    def next_end(self, ends: datetime, as_of: datetime) -> datetime:
        """The date moved by the window, as often as it takes for there to be time left to tell."""
        length = self.longest - self.shortest
        times = max(1, -(-(as_of + self.shortest - ends) // length))
        moved = ends + times * length
        return moved if moved - self.shortest > as_of else moved + length


@dataclass(slots=True, kw_only=True)
class Extend(Request):
    """Let the lots of a wallet that end at `ends` live until `until`, unless their holder was told in the `window`.

    A lot that slides has its date moved; of another what is free becomes a new lot that names it. Points do not move.
    """

    currency: str
    issuer_id: UUID
    ends: datetime
    until: datetime
    why: str
    window: NoticeWindow
    version: int = 1

    @property
    def _wallet(self) -> Wallet:
        return (self.holder_id, self.currency)

    def needs(self, needs: Needs) -> None:
        """The wallet's open lots, and what was delivered."""
        needs.wallets.add(self._wallet)
        self.window.needs(needs, self._wallet)

    def decide(self, books: Books) -> Effect | None:
        """No entry: a row that says why, and the lots. None where nothing is left to live longer."""
        lots = [lot for lot in books.open_lots(*self._wallet) if lot.free and lot.expires_at == self.ends]
        if not lots or self.window.was_told(books, self._wallet, self.ends):
            return None
        points = sum(lot.free for lot in lots)
        decided = [{"rule": f"notice:{self.why}", "points": points, "version": self.version}]
        effect = effect_of(self, OperationKind.EXTEND, self.issuer_id, points, decisions=decided)
        slidings = {lot.sliding.id: lot.sliding for lot in lots if lot.sliding is not None}
        effect.slides.extend((sliding, self.until) for sliding in slidings.values())
        for lot in lots:
            if lot.sliding is None:
                effect.allocations.append((lot, -lot.free))
                effect.lots.append(self._longer(effect, lot))
        row = {"holder_id": self.holder_id, "operation_id": effect.operation["id"], "currency": self.currency}
        row |= {"points": points, "ended_at": self.ends, "ends_at": self.until, "why": self.why}
        effect.rows.append((_EXTENSION, row))
        return effect

    def _longer(self, effect: Effect, lot: LotState) -> LotState:
        terms = (lot.issuer_id, lot.funder_id, lot.price, lot.free, lot.free, lot.granted_at, self.until)
        return LotState(
            lot.holder_id,
            new_id(),
            lot.currency,
            effect.operation["id"],
            *terms,
            source_holder_id=lot.holder_id,
            source_lot_id=lot.id,
            depth=lot.depth,
            agreement_version=lot.agreement_version,
        )
