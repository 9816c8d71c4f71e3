"""The sample alliance, whose merchants say something of invoices."""

from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from alliance.file import apply, parse
from tests.alliance.file.alliances import written
from tests.alliance.support import NOON, House


async def invoicing(house: House, interest: dict[str, Any] | None = None, **merchants: dict[str, Any]) -> None:
    """Give merchants (and `operator`) these terms, by code, and late payment a price, by applying the sample again."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(sample)
    for merchant in document["merchants"]:
        merchant["invoice"] = merchants.get(merchant["code"])
    document["alliance"]["invoice"] = merchants.get("operator")
    document["alliance"]["cycle"]["interest"] = interest
    async with house.runtime.database.transaction() as session:
        plan = await apply(session, parse(written(document), "invoices.yaml"), NOON)
        assert not plan.refused, plan.lines()
    await house.runtime.refresh()
