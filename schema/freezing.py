"""How caps refuse (A5); freezing a merchant and restoring it, by hand (A12, A16): what is sent and answered."""

from typing import Annotated, Any, cast

import strawberry

from resolvers import defaults
from schema.answering import Shared, answer
from schema.approvals import Approval
from schema.defaults import DefaultNotRepaid
from schema.inputs import KEY, passed_as_sent
from schema.merchants import Merchant
from schema.node import Info
from schema.refusals import TYPES, UserError


@strawberry.type(description="A merchant would come to owe the others more than the alliance lets it, for now.")
class MerchantAtCap(UserError):
    """Figures are for the merchant alone: see `exposure`."""

    merchant: str
    own = ("merchant",)


@strawberry.type(description="The merchant is frozen: it issues, grants and exchanges nothing new.")
class MerchantFrozen(UserError):
    """What members have stays theirs, and can be spent."""

    merchant: str
    own = ("merchant",)


@strawberry.type(description="The merchant is not frozen.")
class MerchantNotFrozen(UserError):
    """There is nothing to restore."""

    merchant: str
    own = ("merchant",)


TYPES |= {kind.__name__: kind for kind in (MerchantAtCap, MerchantFrozen, MerchantNotFrozen)}


@passed_as_sent
@strawberry.input
class FreezeMerchantInput:
    """A merchant, and why."""

    idempotency_key: str = strawberry.field(description=KEY)
    merchant: str = strawberry.field(description="Its code.")
    reason: str = strawberry.field(description="Kept, for the merchant to read.")


@strawberry.type(description="The merchant is frozen from now on.")
class Frozen:
    """In every process; if it waits for `approval`, not yet."""

    merchant: Merchant
    approval: Approval | None


@strawberry.type(description="The merchant takes part again.")
class Restored:
    """Claims on it give headroom again; if it waits for `approval`, not yet."""

    merchant: Merchant
    approval: Approval | None


FreezeMerchantResult = Annotated[Frozen | Shared | MerchantFrozen, strawberry.union("FreezeMerchantResult")]
RestoreMerchantResult = Annotated[
    Restored | Shared | MerchantNotFrozen | DefaultNotRepaid, strawberry.union("RestoreMerchantResult")
]


@strawberry.type
class FreezingMutations:
    """The operator's."""

    @strawberry.mutation(description="Have a merchant issue and exchange nothing new until it is restored.")
    async def freeze_merchant(self, info: Info, input: FreezeMerchantInput) -> FreezeMerchantResult | None:
        """What was promised goes through (A5)."""
        return cast("Any", _told(Frozen, await answer(info, input, defaults.freeze)))

    @strawberry.mutation(description="Let a frozen merchant take part again: a second person approves it.")
    async def restore_merchant(self, info: Info, input: FreezeMerchantInput) -> RestoreMerchantResult | None:
        """With a reason, too; one in default once it has repaid what others lost."""
        return cast("Any", _told(Restored, await answer(info, input, defaults.restore)))


def _told(kind: type[Frozen] | type[Restored], found: defaults.Outcome | UserError) -> Frozen | Restored | UserError:
    if isinstance(found, UserError):
        return found
    assert found.merchant is not None
    return kind(
        merchant=Merchant.of(found.merchant), approval=None if found.approval is None else Approval.of(found.approval)
    )
