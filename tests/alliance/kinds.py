"""The sample's grocer with more kinds of points: GRO, tier credits VIP, stamps of which ten fill a card."""

from importlib import resources

from alliance.file import apply, parse
from alliance.runtime import Runtime
from tests.alliance.support import NOON

CURRENCIES = """\
      - {code: VIP, kind: tier_credits, name: Credits}
      - {code: STAMP, kind: stamps, name: Stamps, card: 10}
"""
RULES = """\
      - {code: credits, version: 1, from: 2017-01-01, of: VIP, points: 1, per: {amount: "1.00", currency: USD},
         round: {mode: floor, by: order}}
      - {code: stamp, version: 1, from: 2017-01-01, of: STAMP, bonus: 1, atLeast: {amount: "5.00", currency: USD}}
"""

LEVELS = "levels: [{code: silver, name: Silver, threshold: 100}, {code: gold, name: Gold, threshold: 300}]"
DOUBLE = """\
      - {code: gold-double, version: 1, from: 2017-01-01, multiplier: 2, stacks: true, when: {tier: [gold]}}
"""


def with_tiers(terms: str = "") -> str:
    """The grocer with silver from 100 credits and gold from 300, whose members earn twice the points."""
    return file_of(rules=RULES + DOUBLE, of_grocer=f"    tiers: {{credits: VIP, {terms}{LEVELS}}}\n")


def file_of(currencies: str = CURRENCIES, rules: str = RULES, of_grocer: str = "") -> str:
    """The sample alliance with these of the grocer's."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    head, grocer, fuel = sample.partition("  - code: grocer\n")[0], *_merchants(sample)
    grocer = grocer.replace("    earning:\n", f"{currencies}{of_grocer}    earning:\n{rules}")
    return head + grocer + fuel


def _merchants(sample: str) -> tuple[str, str]:
    _, sep, rest = sample.partition("  - code: grocer\n")
    grocer, more, fuel = rest.partition("  - code: fuel\n")
    return sep + grocer, more + fuel


async def put_in_force(runtime: Runtime, text: str) -> None:
    """Apply the file."""
    async with runtime.database.transaction() as session:
        plan = await apply(session, parse(text, "kinds.yaml"), NOON)
    assert not plan.refused, plan.lines()
    await runtime.refresh()
