"""Every example in docs/graphql.md runs, in order, and answers what the page says. `…` stands for anything."""

import re
from pathlib import Path
from typing import Any

import orjson

from tests.schema.support import Client

PAGE = Path(__file__).parents[2] / "docs" / "graphql.md"
EXAMPLE = re.compile(r"```graphql\n(.*?)```\n```json\n(.*?)```", re.DOTALL)


def fits(said: Any, found: Any) -> bool:
    """Whether what was found is what the page says."""
    if said == "…":
        return found is not None
    if isinstance(said, dict):
        return isinstance(found, dict) and said.keys() == found.keys() and all(fits(said[k], found[k]) for k in said)
    if isinstance(said, list):
        return isinstance(found, list) and len(said) == len(found) and all(map(fits, said, found))
    return bool(said == found)


async def test_the_page_says_what_happens(operator: Client) -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```graphql") > 10
    ids: dict[str, str] = {}
    for document, answer in examples:
        for name, value in ids.items():
            document = document.replace(name, value)
        found = await operator.run(document)
        assert fits(orjson.loads(answer), found), (document, found)
        if "quoteExchange" in found:
            ids["QUOTE_ID"] = found["quoteExchange"]["quote"]["id"]
        if "createPool" in found:
            ids["POOL_ID"] = found["createPool"]["pool"]["id"]
        if "holdPoints" in found:
            ids["HOLD_ID"] = found["holdPoints"]["hold"]["id"]
        if "redeem" in found and "operation" in found["redeem"]:
            ids["OPERATION_ID"] = found["redeem"]["operation"]["id"]
        if "agreement" in found:
            ids["AGREEMENT_ID"] = found["agreement"]["id"]
        if "earn" in found and found["earn"].get("operation"):
            ids["EARN_ID"] = found["earn"]["operation"]["id"]


async def test_titles_are_translated(operator: Client) -> None:
    enrol, earn = (document for document, _ in EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))[:2])
    await operator.run(enrol)
    await operator.run(earn)
    query = (
        '{ member(by: {identifier: {type: "PHONE", value: "+16145550100"}}) { activity { edges { node { title } } } } }'
    )
    member = (await operator.speaking("zh-CN").run(query))["member"]
    assert member["activity"]["edges"] == [{"node": {"title": "在Grocer获得积分"}}]
