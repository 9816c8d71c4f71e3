"""Caps for the sample alliance, and where its merchants stand."""

from importlib import resources
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy import select

from alliance.exposure.model import Exposure, ExposureAlert
from alliance.file import apply, parse
from domain.money import MICRO, unscaled
from tests.alliance.file.alliances import written
from tests.alliance.support import NOON, House

POINT = 9_000
"""What a GRO point granted or spent at fuel makes owed, in millionths; an exchanged one makes 8,000."""


async def limits(house: House, **settlement: dict[str, str]) -> None:
    """Give merchants these terms of settlement, by code, by applying the sample again."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(sample)
    for merchant in document["merchants"]:
        if merchant["code"] in settlement:
            merchant["settlement"] = settlement[merchant["code"]]
    async with house.runtime.database.transaction() as session:
        plan = await apply(session, parse(written(document), "caps.yaml"), NOON)
        assert not plan.refused, plan.lines()
    await house.runtime.refresh()


def cap(amount: str, **more: str) -> dict[str, str]:
    """Terms of settlement with this cap."""
    return {"creditLimit": amount} | more


async def stand(house: House, code: str) -> tuple[str, str]:
    """What a merchant owes and has reserved."""
    async with house.runtime.database.session() as session:
        row = await session.get_one(Exposure, house.id(code))
        return unscaled(row.owed, 6), unscaled(row.reserved, 6)


async def used(house: House, code: str) -> float:
    """A merchant's position in dollars, for figures that are short."""
    async with house.runtime.database.session() as session:
        return (await session.get_one(Exposure, house.id(code))).used / MICRO


async def alerts(house: House, code: str) -> list[tuple[int, str]]:
    """Levels that a merchant reached, and at which position, oldest first."""
    async with house.runtime.database.session() as session:
        rows = await session.scalars(
            select(ExposureAlert).where(ExposureAlert.merchant_id == house.id(code)).order_by(ExposureAlert.id)
        )
        return [(row.level, unscaled(row.used, 6)) for row in rows]
