"""Reading: the cards of 20 members, with wallets, lots and activity, against the same query answered by constants."""

from contextlib import AsyncExitStack

from benchmarks import load
from benchmarks.ledger.filling import fill
from benchmarks.ledger.site import Site, connected
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.requests import plain_body
from benchmarks.serving import loaded, operator_token, serving

CONNECTIONS = 8
LOTS = 5

CARDS = """{ members(first: 20) { edges { node { id number
  wallets { currency { code } balance available
            lots(first: 5) { edges { node { granted remaining expiresAt } } } }
  activity(first: 10) { edges { node { id kind status occurredAt title } } }
} } } }"""


async def measure(site: Site) -> Outcome:
    """Every member has two wallets of five lots, and ten operations."""
    database_url = await site.database()
    async with connected(database_url) as connection:
        for currency in ("GRO", "FUE"):
            await fill(connection, currency, lots=LOTS, members=min(1000, site.plan.few))
    rounds: dict[str, list[Result]] = {"constants": [], "card": []}
    async with AsyncExitStack() as stack:
        ports = {
            name: (await stack.enter_async_context(serving(server, site.settings, database_url)))[0]
            for name, server in (("constants", "constants"), ("card", "earn"))
        }
        for _ in range(site.plan.rounds):
            for name, port in ports.items():
                plan = load.Plan(
                    host="127.0.0.1",
                    port=port,
                    path="/graphql",
                    body=plain_body(CARDS),
                    expect='"balance":250',
                    connections=CONNECTIONS,
                    seconds=site.plan.seconds,
                    token=operator_token(site.settings),
                )
                rounds[name].append(await loaded(name, plan))
    return Outcome(
        [middle(found) for found in rounds.values()], {"card_vs_constants": ratio(rounds, "card", "constants")}
    )
