"""Files of payments, as banks take them."""

from datetime import datetime
from typing import Self

import strawberry

from alliance.banking import orders
from schema.merchants import Merchant
from schema.money import Money
from schema.node import Info
from schema.refusals import TYPES, UserError

strawberry.enum(
    orders.FileKind,
    name="PaymentFileKind",
    description="PAYMENTS to the payees themselves; PAY_INS into the account that all pay into, PAY_OUTS from it.",
)


@strawberry.type(description="A bank's statement that is not what it says it is; nothing of it was taken.")
class StatementRefused(UserError):
    """The reason says where."""

    reason: str
    own = ("reason",)


@strawberry.type(description="The alliance file names no account of somebody who is paid or pays.")
class AccountMissing(UserError):
    """A merchant, or the operator by the alliance's code."""

    party: str
    own = ("party",)


TYPES |= {kind.__name__: kind for kind in (StatementRefused, AccountMissing)}


@strawberry.type(description="A file of payments for a bank: ISO 20022 pain.001.001.09.")
class PaymentFile:
    """Whoever pays by it sees it, and the operator."""

    message_id: str
    kind: orders.FileKind
    payer: Merchant | None = strawberry.field(description="Null: the operator, or who holds the money for all.")
    payments: list[int] = strawberry.field(description="The numbers of the payments in it.")
    total: Money
    released_at: datetime | None = strawberry.field(description="Null: it waits to be released, and is as of now.")
    path: str = strawberry.field(description="Where it is downloaded (GET, with the same bearer token).")

    @classmethod
    def of(cls, info: Info, cycle: int, file: orders.PaymentFile) -> Self:
        """From what the banking room wrote."""
        catalogue = info.context.runtime.catalogue
        merchant = catalogue.merchants_by_id.get(file.party_id)
        return cls(
            message_id=file.message_id,
            kind=file.kind,
            payer=None if merchant is None else Merchant.of(merchant),
            payments=list(file.numbers),
            total=Money.of_minor(file.total, catalogue.alliance.settlement_currency),
            released_at=file.released_at,
            path=f"/payments/{cycle}/{file.message_id}.xml",
        )
