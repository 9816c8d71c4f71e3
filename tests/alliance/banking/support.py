"""The sample alliance with accounts at banks."""

from typing import Any

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB

from domain.programs.model import AllianceRow, MerchantRow
from tests.alliance.support import House

IBANS = {
    "grocer": "DE89370400440532013000",
    "fuel": "GB29NWBK60161331926819",
    "operator": "FR1420041010050500013M02606",
}


async def give_accounts(house: House, mode: str = "direct", **csv: Any) -> None:
    """Let the alliance settle so, everybody with an account."""
    async with house.runtime.database.transaction() as session:
        terms = (await session.scalars(select(AllianceRow.terms))).one()
        said = {"mode": mode, "account": account("operator"), "csv": csv}
        await session.execute(update(AllianceRow).values(terms=terms | {"settlement": said}))
        for code in ("grocer", "fuel"):
            account_of = func.jsonb_build_object("account", cast(account(code), JSONB))
            settlement = MerchantRow.settlement.op("||")(account_of)
            await session.execute(update(MerchantRow).where(MerchantRow.code == code).values(settlement=settlement))


def account(code: str) -> dict[str, str]:
    """A party's account, as the alliance file has it."""
    return {"iban": IBANS[code], "name": code.title()}


async def allow_alone(house: House, *acts: str) -> None:
    """Let one person do these acts, up to a thousand."""
    async with house.runtime.database.transaction() as session:
        terms = (await session.scalars(select(AllianceRow.terms))).one()
        by_hand = {"limits": dict.fromkeys(acts, "1000.00"), "alone": []}
        revision = AllianceRow.revision + 1
        await session.execute(update(AllianceRow).values(terms=terms | {"byHand": by_hand}, revision=revision))
    await house.runtime.refresh()
