"""Every example in docs/settlement.md runs, in order, as whom it says, and answers what the page says."""

from pathlib import Path
from typing import Any

import orjson

from alliance.runtime import Runtime
from resolvers.viewer import ALLOWED_SCOPES, Scope
from tests.alliance.support import House
from tests.schema.support import NOW, Client, viewer_of
from tests.schema.test_docs import EXAMPLE, fits

PAGE = Path(__file__).parents[2] / "docs" / "settlement.md"
NAMED = {"CYCLE_ID": ("closeCycle", "cycle", "id"), "APPROVAL_ID": ("extendDeadline", "approval", "id")}
NAMED |= {"CLAIM_ID": ("raiseClaim", "claim", "id")}
NAMED |= {"LINE_ID": ("settlementCycle", "obligations", "edges", 0, "node", "line")}  # type: ignore[dict-item]


def at(found: Any, path: tuple[Any, ...]) -> Any:
    """What lies there; None where nothing does."""
    for step in path:
        if isinstance(step, str) and not (isinstance(found, dict) and step in found):
            return None
        found = found[step]
    return found


async def test_the_week_of_a_clerk_is_as_the_page_says(runtime: Runtime, operator: Client) -> None:
    house = House(runtime)
    ann = await house.member()
    await house.earn(ann, "grocer", 2000, as_of=NOW)
    await house.spend(ann, "fuel", 2000, as_of=NOW)
    second = operator.signed_in(viewer_of("operator")).at(NOW)
    clients = {"# as a second person": second}
    scopes = ALLOWED_SCOPES["merchant"] | {Scope.CLOCK}
    for name, code in (("# as the grocer", "grocer"), ("# as fuel", "fuel")):
        viewer = viewer_of("merchant", merchant_id=house.id(code), scopes=scopes)
        clients[name] = operator.signed_in(viewer).at(NOW)
    page = PAGE.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```graphql") > 8
    ids: dict[str, str] = {}
    for document, answer in examples:
        for name, value in ids.items():
            document = document.replace(name, value)
        client = clients.get(document.partition("\n")[0], operator)
        found = await client.run(document)
        assert fits(orjson.loads(answer), found), (document, found)
        ids |= {name: value for name, path in NAMED.items() if (value := at(found, path)) is not None}
