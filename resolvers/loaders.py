"""DataLoaders of one call: each level of a query is a constant number of statements, however long its lists.

Each batch opens a session of its own, because sibling fields are resolved at the same time.
"""

from collections.abc import Awaitable, Callable, Hashable
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from alliance.clearing import queries as clearing
from alliance.clearing.model import Obligation
from alliance.clearing.queries import Deciding
from alliance.disputes import queries as disputes
from alliance.disputes.model import Objection
from alliance.proofs import queries as log
from alliance.proofs.model import Inclusion
from alliance.runtime import Runtime
from alliance.settlement import queries as settlement
from alliance.settlement.model import CycleTransition, Payment, SettlementCycle
from alliance.settlement.queries import MerchantStatement, Position
from alliance.settlement.rules import Report
from domain.ledger import queries as ledger
from domain.ledger.aliases import survivors
from domain.ledger.model import Hold
from domain.ledger.queries import ActivityKey, EntryRow, LotRow, OperationRow, Totals, WalletFigures, WalletKey
from domain.members import queries as members
from domain.members.model import Identifier, Member, Membership
from domain.notices import queries as notices
from domain.notices.queries import Told
from domain.pools import queries as pools
from domain.pools.model import PoolRow
from domain.programs.tiering import TierProgramme
from domain.tiers.queries import TierStanding, standings
from resolvers.pages import Page, Window, page
from resolvers.reach import members_of, seen_entries, sees_currency, sees_holder
from resolvers.viewer import Viewer

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
OperationKey = tuple[UUID, UUID]


class Loaders:
    """Loads for one viewer, as of one moment; what is out of the viewer's reach is not found."""

    def __init__(self, runtime: Runtime, viewer: Viewer, as_of: datetime) -> None:
        self.runtime = runtime
        self.viewer = viewer
        self.as_of = as_of
        self._named: dict[Hashable, DataLoader[Any, Any]] = {}

    def _loader(self, load: Callable[[AsyncSession, list[Key]], Awaitable[list[Value]]]) -> DataLoader[Key, Value]:
        async def batch(keys: list[Key]) -> list[Value]:
            async with self.runtime.database.reader() as session:
                return await load(session, keys)

        return DataLoader(batch, max_batch_size=1000)

    def one_of(
        self, name: Hashable, load: Callable[[AsyncSession, list[Key]], Awaitable[list[Value]]]
    ) -> DataLoader[Key, Value]:
        """The loader of this name: one for each set of arguments that all keys of a batch must share."""
        if name not in self._named:
            self._named[name] = self._loader(load)
        return self._named[name]

    # members

    @cached_property
    def members(self) -> DataLoader[UUID, Member | None]:
        """Members in reach, by id; who was merged is whom they are now."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[Member | None]:
            found = await members.by_ids(session, ids, members_of(self.viewer))
            near = {id_: row for id_, row in found.items() if sees_holder(self.viewer, row.id)}
            return [near.get(id_) for id_ in ids]

        return self._loader(load)

    @cached_property
    def pools(self) -> DataLoader[UUID, PoolRow | None]:
        """Pools in reach: a member's own, a merchant's own."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[PoolRow | None]:
            member_id = self.viewer.member_id if self.viewer.kind == "member" else None
            found = await pools.pools(session, ids, merchant_id=members_of(self.viewer), member_id=member_id)
            return [found.get(id_) for id_ in ids]

        return self._loader(load)

    @cached_property
    def memberships(self) -> DataLoader[UUID, list[Membership]]:
        """Where members have joined; a merchant is told of its own alone."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[Membership]]:
            found = await members.memberships(session, ids, members_of(self.viewer))
            return [found[id_] for id_ in ids]

        return self._loader(load)

    @cached_property
    def tiers(self) -> DataLoader[tuple[UUID, TierProgramme], TierStanding]:
        """Where members stand in programmes."""

        async def load(session: AsyncSession, places: list[tuple[UUID, TierProgramme]]) -> list[TierStanding]:
            return await standings(session, places, self.as_of)

        return self._loader(load)

    @cached_property
    def identifiers(self) -> DataLoader[UUID, list[Identifier]]:
        """What members are recognised by, in full; whoever shows them masks them."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[Identifier]]:
            found = await members.identifiers(session, ids)
            return [found[id_] for id_ in ids]

        return self._loader(load)

    # wallets

    @cached_property
    def wallets(self) -> DataLoader[UUID, list[WalletFigures]]:
        """The wallets of holders, of currencies in reach."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[WalletFigures]]:
            found = await ledger.wallets(session, keys := [WalletKey(id_, "", self.as_of) for id_ in ids])
            catalogue = self.runtime.catalogue
            return [[w for w in found[key] if sees_currency(self.viewer, catalogue, w.currency)] for key in keys]

        return self._loader(load)

    @cached_property
    def totals(self) -> DataLoader[WalletKey, Totals]:
        """What has gone through wallets."""

        async def load(session: AsyncSession, keys: list[WalletKey]) -> list[Totals]:
            found = await ledger.lifetime(session, keys)
            return [found[key] for key in keys]

        return self._loader(load)

    def expiries(self, size: int) -> DataLoader[WalletKey, list[tuple[date, int]]]:
        """The next dates on which points of wallets expire, each in its merchant's time zone."""

        async def load(session: AsyncSession, keys: list[WalletKey]) -> list[list[tuple[date, int]]]:
            zones = [self.runtime.catalogue.issuer_of(key.currency).timezone.key for key in keys]
            found = await ledger.expiries(session, keys, zones, size)
            return [found[key] for key in keys]

        return self.one_of(("expiries", size), load)

    def notices(self, size: int) -> DataLoader[WalletKey, list[Told]]:
        """The newest notices about wallets."""

        async def load(session: AsyncSession, keys: list[WalletKey]) -> list[list[Told]]:
            places = [(key.holder_id, key.currency) for key in keys]
            found = await notices.newest(session, places, size)
            return [found[place] for place in places]

        return self.one_of(("notices", size), load)

    def lots(self, asked: Window) -> DataLoader[WalletKey, Page[LotRow]]:
        """A page of each wallet's live lots, in the order they are spent."""

        async def load(session: AsyncSession, keys: list[WalletKey]) -> list[Page[LotRow]]:
            start, end = (asked.before, asked.after) if asked.backward else (asked.after, asked.before)
            found = await ledger.lots_page(
                session, keys, asked.size + 1, lot_bound(start), lot_bound(end), backward=asked.backward
            )
            return [page(asked, found[key], lot_cursor, later(self.lot_counts, key)) for key in keys]

        return self.one_of(("lots", asked), load)

    @cached_property
    def lot_counts(self) -> DataLoader[WalletKey, int]:
        """How many live lots wallets have."""

        async def load(session: AsyncSession, keys: list[WalletKey]) -> list[int]:
            found = await ledger.lot_counts(session, keys)
            return [found[key] for key in keys]

        return self._loader(load)

    # operations

    @cached_property
    def operations(self) -> DataLoader[OperationKey, OperationRow | None]:
        """Operations in reach: at a merchant's own till, or on its own points."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[OperationRow | None]:
            near = await self._near(session, keys)
            found = await ledger.operations(session, near) if near else {}
            foreign = [key for key, row in found.items() if self.viewer.kind == "merchant" and not self._is_at_own(row)]
            if foreign:
                for key, rows in (await ledger.entries(session, foreign)).items():
                    if not seen_entries(self.viewer, self.runtime.catalogue, found[key], rows):
                        del found[key]
            return [found.get(key) for key in keys]

        return self._loader(load)

    def _is_at_own(self, row: OperationRow) -> bool:
        return row.merchant_id == self.viewer.merchant_id

    @cached_property
    def entries(self) -> DataLoader[OperationKey, list[EntryRow]]:
        """The entries of operations, unfiltered: see reach.seen_entries."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[list[EntryRow]]:
            found = await ledger.entries(session, keys)
            return [found[key] for key in keys]

        return self._loader(load)

    async def _near(self, session: AsyncSession, keys: list[OperationKey]) -> list[OperationKey]:
        """What lies under holders in reach: a member's own, that of who was merged into them, and pools they are in."""
        near = [key for key in keys if sees_holder(self.viewer, key[0])]
        if len(near) < len(keys):
            others = list({key[0] for key in keys})
            pooled = await pools.pools(session, others, member_id=self.viewer.member_id)
            now = await survivors(session, others)
            near += [key for key in keys if key[0] in pooled or now.get(key[0]) == self.viewer.member_id]
        return near

    @cached_property
    def holds(self) -> DataLoader[OperationKey, Hold | None]:
        """Holds in reach, as operations are: for a merchant, or of its own points."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[Hold | None]:
            near = await self._near(session, keys)
            found = await ledger.holds(session, near) if near else {}
            own = members_of(self.viewer)
            return [
                None if hold is None or own not in (None, hold.merchant_id, hold.issuer_id) else hold
                for hold in map(found.get, keys)
            ]

        return self._loader(load)

    @cached_property
    def deciding(self) -> DataLoader[OperationKey, list[Deciding]]:
        """The agreements that decided operations, unfiltered: see resolvers.operations."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[list[Deciding]]:
            found = await clearing.deciding(session, keys)
            return [found[key] for key in keys]

        return self._loader(load)

    @cached_property
    def paid_with(self) -> DataLoader[OperationKey, list[UUID]]:
        """The redemptions that paid for orders."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[list[UUID]]:
            found = await clearing.paid_with(session, keys)
            return [found[key] for key in keys]

        return self._loader(load)

    @cached_property
    def inclusions(self) -> DataLoader[OperationKey, Inclusion | None]:
        """Proofs of operations, unfiltered: see resolvers.proofs."""

        async def load(session: AsyncSession, keys: list[OperationKey]) -> list[Inclusion | None]:
            found = await log.inclusions(session, keys)
            return [found.get(key) for key in keys]

        return self._loader(load)

    @cached_property
    def log_keys(self) -> DataLoader[tuple[()], tuple[str, ...]]:
        """The public keys of the log."""

        async def load(session: AsyncSession, keys: list[tuple[()]]) -> list[tuple[str, ...]]:
            found = tuple(await log.public_keys(session))
            return [found] * len(keys)

        return self._loader(load)

    def activity(self, asked: Window, currency: str, kinds: tuple[str, ...]) -> DataLoader[UUID, Page[OperationRow]]:
        """A page of each holder's operations, newest first."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[Page[OperationRow]]:
            keys = [self._activity_key(id_, currency, kinds) for id_ in ids]
            found = await ledger.activity_page(
                session,
                keys,
                asked.size + 1,
                older_than=None if asked.after is None else asked.after[0],
                newer_than=None if asked.before is None else asked.before[0],
                backward=asked.backward,
            )
            counts = self.activity_counts(currency, kinds)
            return [page(asked, found[key], _operation_cursor, later(counts, key.holder_id)) for key in keys]

        return self.one_of(("activity", asked, currency, kinds), load)

    def activity_counts(self, currency: str, kinds: tuple[str, ...]) -> DataLoader[UUID, int]:
        """How many operations holders have."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[int]:
            keys = [self._activity_key(id_, currency, kinds) for id_ in ids]
            found = await ledger.activity_counts(session, keys)
            return [found[key] for key in keys]

        return self.one_of(("activity_counts", currency, kinds), load)

    def _activity_key(self, holder_id: UUID, currency: str, kinds: tuple[str, ...]) -> ActivityKey:
        return ActivityKey(holder_id, currency, kinds, members_of(self.viewer))

    # cycles

    @property
    def _money(self) -> str:
        return self.runtime.catalogue.alliance.settlement_currency

    @cached_property
    def cycles(self) -> DataLoader[UUID, SettlementCycle | None]:
        """Cycles by id."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[SettlementCycle | None]:
            found = await settlement.by_ids(session, ids)
            return [found.get(id_) for id_ in ids]

        return self._loader(load)

    @cached_property
    def reports(self) -> DataLoader[SettlementCycle, Report]:
        """Gross and nets of cycles; a merchant's own pairs alone."""

        async def load(session: AsyncSession, cycles: list[SettlementCycle]) -> list[Report]:
            found = await settlement.reports(session, cycles, self._money, party=members_of(self.viewer))
            return [found[cycle.id] for cycle in cycles]

        return self._loader(load)

    @cached_property
    def positions(self) -> DataLoader[SettlementCycle, list[Position]]:
        """Net positions of cycles; a merchant's own alone."""

        async def load(session: AsyncSession, cycles: list[SettlementCycle]) -> list[list[Position]]:
            found = await settlement.net_positions(session, cycles, self._money, party=members_of(self.viewer))
            return [found[cycle.id] for cycle in cycles]

        return self._loader(load)

    @cached_property
    def payments(self) -> DataLoader[UUID, list[Payment]]:
        """Payments of cycles; those a merchant makes or receives alone."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[Payment]]:
            found = await settlement.payments(session, ids, party=members_of(self.viewer))
            return [found[id_] for id_ in ids]

        return self._loader(load)

    @cached_property
    def objections(self) -> DataLoader[UUID, list[tuple[Objection, Obligation]]]:
        """Objections to lines of cycles, with the lines; those to a merchant's own alone."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[tuple[Objection, Obligation]]]:
            found = await disputes.of_cycles(session, ids, party=members_of(self.viewer))
            return [found[id_] for id_ in ids]

        return self._loader(load)

    @cached_property
    def transitions(self) -> DataLoader[UUID, list[CycleTransition]]:
        """The steps that cycles took."""

        async def load(session: AsyncSession, ids: list[UUID]) -> list[list[CycleTransition]]:
            found = await settlement.transitions(session, ids)
            return [found[id_] for id_ in ids]

        return self._loader(load)

    @cached_property
    def statements(self) -> DataLoader[tuple[SettlementCycle, UUID], MerchantStatement | None]:
        """Statements by (cycle, merchant)."""

        async def load(
            session: AsyncSession, keys: list[tuple[SettlementCycle, UUID]]
        ) -> list[MerchantStatement | None]:
            found = await settlement.statements(session, keys, self._money)
            return [found.get((cycle.id, merchant_id)) for cycle, merchant_id in keys]

        return self._loader(load)


def later(loader: DataLoader[Key, int], key: Key) -> Callable[[], Awaitable[int]]:
    """The total of a page, loaded when it is asked for."""

    async def total() -> int:
        return await loader.load(key)

    return total


def lot_bound(cursor: tuple[Any, ...] | None) -> tuple[datetime, UUID] | None:
    """A cursor of a list of lots, as the ledger's queries take it."""
    return None if cursor is None else (cursor[0], cursor[1])


def lot_cursor(lot: LotRow) -> tuple[datetime, UUID]:
    """Where a lot lies in the order in which lots are spent."""
    return lot.expires_at or ledger.FOREVER, lot.id


def _operation_cursor(row: OperationRow) -> tuple[UUID]:
    return (row.id,)
