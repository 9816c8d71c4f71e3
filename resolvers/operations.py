"""Operations in reach, and what they did."""

from uuid import UUID

from alliance.archive.queries import is_archived
from domain.errors import NotFound
from domain.ledger.errors import OperationArchived
from domain.ledger.model import OperationKind
from domain.ledger.queries import EntryRow, OperationRow
from domain.ledger.statements import StatementRow
from resolvers import ids
from resolvers.context import Context
from resolvers.reach import seen_entries
from resolvers.wallets import in_reach

ACTIVITY_SHAPE = (UUID,)

RECEIVED = "RECEIVED"
"""The title of a gift for whom it was given to."""

TITLES: dict[str, dict[str, str]] = {
    "en": {
        OperationKind.EARN: "Points earned at {merchant}",
        OperationKind.REDEEM: "Points spent at {merchant}",
        OperationKind.EXCHANGE: "Points exchanged",
        OperationKind.EXPIRE: "Points of {merchant} expired",
        OperationKind.REVERSAL: "Reversal at {merchant}",
        OperationKind.ACTIVATE: "Points earned at {merchant} became active",
        OperationKind.GIFT: "Points of {merchant} given",
        OperationKind.ADJUST: "Adjustment by {merchant}",
        OperationKind.REINSTATE: "Points of {merchant} reinstated",
        OperationKind.OPENING: "Opening balance at {merchant}",
        OperationKind.TOP_UP: "Topped up at {merchant}",
        OperationKind.POOL_IN: "Points of {merchant} put into a pool",
        OperationKind.POOL_OUT: "Points of {merchant} taken out of a pool",
        OperationKind.REFUND: "Paid back by {merchant}",
        OperationKind.REPAIR: "Books with {merchant} put right",
        OperationKind.EXIT: "Points of {merchant} sold for change",
        OperationKind.EXTEND: "Points of {merchant} live longer",
        OperationKind.MERGE: "Points of {merchant} brought together",
        OperationKind.UNMERGE: "Points of {merchant} taken apart again",
        OperationKind.RIGHT_GRANT: "Right granted by {merchant}",
        OperationKind.RIGHT_USE: "Right used at {merchant}",
        OperationKind.RIGHT_NO_SHOW: "Booking at {merchant} missed",
        OperationKind.RIGHT_CANCEL: "Right taken back by {merchant}",
        OperationKind.RIGHT_EXPIRE: "Right of {merchant} expired",
        OperationKind.RIGHT_RESTORE: "Right restored at {merchant}",
        OperationKind.CORRECTION: "Line of {merchant} booked by hand",
        RECEIVED: "Points of {merchant} received",
    },
    "zh-CN": {
        OperationKind.EARN: "在{merchant}获得积分",
        OperationKind.REDEEM: "在{merchant}使用积分",
        OperationKind.EXCHANGE: "积分兑换",
        OperationKind.EXPIRE: "{merchant}积分到期",
        OperationKind.REVERSAL: "{merchant}的撤销",
        OperationKind.ACTIVATE: "在{merchant}获得的积分已生效",
        OperationKind.GIFT: "转赠{merchant}积分",
        OperationKind.ADJUST: "{merchant}的积分调整",
        OperationKind.REINSTATE: "{merchant}积分恢复",
        OperationKind.OPENING: "{merchant}期初积分",
        OperationKind.TOP_UP: "在{merchant}充值",
        OperationKind.POOL_IN: "{merchant}积分转入积分池",
        OperationKind.POOL_OUT: "{merchant}积分从积分池转出",
        OperationKind.REFUND: "{merchant}退款",
        OperationKind.REPAIR: "{merchant}账目更正",
        OperationKind.EXIT: "{merchant}积分折算为零钱",
        OperationKind.EXTEND: "{merchant}积分有效期延长",
        OperationKind.MERGE: "{merchant}积分已合并",
        OperationKind.UNMERGE: "{merchant}积分合并已撤销",
        OperationKind.RIGHT_GRANT: "{merchant}发放权益",
        OperationKind.RIGHT_USE: "在{merchant}使用权益",
        OperationKind.RIGHT_NO_SHOW: "未赴{merchant}的预约",
        OperationKind.RIGHT_CANCEL: "{merchant}收回权益",
        OperationKind.RIGHT_EXPIRE: "{merchant}权益到期",
        OperationKind.RIGHT_RESTORE: "在{merchant}恢复权益",
        OperationKind.CORRECTION: "{merchant}的手工结算分录",
        RECEIVED: "收到{merchant}积分转赠",
    },
}


async def load(context: Context, holder_id: UUID, operation_id: UUID) -> OperationRow | None:
    """An operation in reach, or None."""
    return await context.loaders.operations.load((holder_id, operation_id))


async def require(context: Context, holder_id: UUID, operation_id: UUID) -> OperationRow:
    """An operation that a call would change. Raises NotFound, OperationArchived."""
    row = await load(context, holder_id, operation_id)
    if row is not None:
        return row
    async with context.runtime.database.reader() as session:
        if await is_archived(session, holder_id, operation_id):
            raise OperationArchived(path=("operation",))
    raise NotFound(what="operation", path=("operation",))


async def by_global_id(context: Context, global_id: str) -> OperationRow | None:
    """The operation of a global id, or None.

    Raises NotFound for an id of something else, OperationArchived for what is no longer here, of a holder in reach.
    """
    place = ids.decode_as("Operation", global_id, 2)
    row = await load(context, *place)
    if row is None and await in_reach(context, place[0]):
        async with context.runtime.database.reader() as session:
            if await is_archived(session, *place):
                raise OperationArchived(path=("id",))
    return row


async def entries(context: Context, row: OperationRow) -> list[EntryRow]:
    """What the operation moved, as far as the viewer may see it."""
    found = await context.loaders.entries.load((row.holder_id, row.id))
    return seen_entries(context.signed_in, context.runtime.catalogue, row, found)


def title(context: Context, row: OperationRow | StatementRow) -> str:
    """What happened, in words, in the caller's language."""
    merchant = context.runtime.catalogue.merchants_by_id.get(row.merchant_id)
    what = RECEIVED if row.received and row.kind == OperationKind.GIFT else row.kind
    return TITLES[context.language][what].format(merchant=merchant.name if merchant else "")


async def agreements(context: Context, row: OperationRow) -> list[tuple[str, int, int]]:
    """By which agreements something came to be owed for it: the merchants of each, its version, and how many points.

    For those merchants, the operator and auditors (A14).
    """
    viewer, catalogue = context.signed_in, context.runtime.catalogue
    if viewer.kind == "member":
        return []
    found = await context.loaders.deciding.load((row.holder_id, row.id))
    return [
        ("+".join(sorted(catalogue.merchants_by_id[party].code for party in one.parties)), one.version, one.points)
        for one in found
        if context.own_merchant_id is None or context.own_merchant_id in one.parties
    ]
