"""What is done about defaults and deposits by hand, as acts that may take a second person (A16).

Amounts are minor units, as strings of digits; parties are ids.
"""

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.approvals.commands import ACTS, About
from alliance.defaults import commands, deposits, recovering
from alliance.defaults.deposits import Deposit
from alliance.exposure import freezing
from alliance.runtime import Runtime
from domain.errors import NotFound
from domain.programs.catalogue import Merchant

Args = dict[str, Any]


def _merchant(runtime: Runtime, args: Args) -> Merchant:
    found = runtime.catalogue.merchants_by_id.get(uuid.UUID(args["merchant"]))
    if found is None:
        raise NotFound(what="merchant", path=("merchant",))
    return found


async def _declare(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    merchant, cycle_id = _merchant(runtime, args), uuid.UUID(args["cycle"])
    alliance = runtime.catalogue.alliance
    again = bool(args.get("netAgain"))
    declared = await commands.declare(session, alliance, merchant.id, cycle_id, about, again)
    return {"default": str(declared.id)}


async def _recover(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    default_id, amount = uuid.UUID(args["default"]), int(args["amount"])
    found = await recovering.recover(session, runtime.catalogue.alliance, default_id, amount, about)
    return {"default": str(default_id), "recovery": str(found.id)}


async def _freeze(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    merchant = _merchant(runtime, args)
    await freezing.freeze(session, merchant.id, who=about.who, why=about.why, as_of=about.as_of)
    return {"merchant": merchant.code}


async def _restore(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    merchant, alliance = _merchant(runtime, args), runtime.catalogue.alliance
    await recovering.restore(session, alliance, merchant.id, who=about.who, why=about.why, as_of=about.as_of)
    return {"merchant": merchant.code}


async def _post(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    account, merchant = Deposit(args["account"]), _merchant(runtime, args)
    await deposits.deposit(session, runtime.catalogue.alliance, merchant, account, int(args["amount"]), about)
    return {"merchant": merchant.code, "account": account.value}


async def _release(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    account, merchant = Deposit(args["account"]), _merchant(runtime, args)
    await deposits.release(session, runtime.catalogue.alliance, merchant, account, int(args["amount"]), about)
    return {"merchant": merchant.code, "account": account.value}


async def _draw(session: AsyncSession, runtime: Runtime, args: Args, about: About) -> Args:
    merchant, cycle_id, amount = _merchant(runtime, args), uuid.UUID(args["cycle"]), int(args["amount"])
    await deposits.draw(session, runtime.catalogue.alliance, merchant, cycle_id, amount, about)
    return {"merchant": merchant.code, "account": Deposit.COLLATERAL.value}


ACTS |= {"DECLARE_DEFAULT": _declare, "RECOVER": _recover, "FREEZE": _freeze, "RESTORE": _restore}
ACTS |= {f"{account}_POST": _post for account in Deposit}
ACTS |= {f"{account}_RELEASE": _release for account in Deposit}
ACTS |= {"COLLATERAL_DRAW": _draw}
