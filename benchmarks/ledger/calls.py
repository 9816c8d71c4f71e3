"""Over GraphQL: an earn against a mutation that does nothing, a redemption against an earn, one member against all."""

from contextlib import AsyncExitStack
from statistics import median

from benchmarks import load
from benchmarks.ledger.filling import fill
from benchmarks.ledger.site import Site, connected
from benchmarks.outcome import Outcome, Result, middle, ratio
from benchmarks.requests import earn_body, redeem_body
from benchmarks.serving import loaded, operator_token, serving

CONNECTIONS = 64
LOTS = 60
"""Open lots of those who redeem: two members in five."""
REDEEMED = 40
"""Points of a redemption; a lot has 50."""


async def measure(site: Site) -> Outcome:
    """In turn, so that what disturbs the machine disturbs them all."""
    database_url = await site.database()
    members, savers = site.plan.few, site.plan.few * 2 // 5
    async with connected(database_url) as connection:
        await fill(connection, "GRO", lots=LOTS, members=savers)
    bodies = {
        "noop": (earn_body("noop"), "Earned", members),
        "earn": (earn_body("earn"), "Earned", members),
        "redeem": (redeem_body("redeem", REDEEMED), "Redeemed", savers),
        "hot": (earn_body("hot"), "Earned", 1),
    }
    rounds: dict[str, list[Result]] = {name: [] for name in bodies}
    token = operator_token(site.settings)
    async with AsyncExitStack() as stack:
        ports = {
            name: (await stack.enter_async_context(serving(name, site.settings, database_url)))[0]
            for name in ("noop", "earn")
        }
        for turn in range(site.plan.rounds):
            for name, (body, answer, cards) in bodies.items():
                plan = load.Plan(
                    host="127.0.0.1",
                    port=ports["noop" if name == "noop" else "earn"],
                    path="/graphql",
                    body=body,
                    expect=f'"__typename":"{answer}"',
                    connections=CONNECTIONS,
                    seconds=site.plan.seconds,
                    token=token,
                    members=cards,
                    first=turn * 1_000_000,
                )
                rounds[name].append(await loaded(name, plan))
    slower = median(
        a.p99_ms / b.p99_ms for a, b in zip(rounds["earn"], rounds["noop"], strict=True) if a.p99_ms and b.p99_ms
    )
    return Outcome(
        [middle(found) for found in rounds.values()],
        {
            "earn_vs_noop": ratio(rounds, "earn", "noop"),
            "earn_p99_vs_noop_p99": slower,
            "redeem_vs_earn": ratio(rounds, "redeem", "earn"),
            "hot_vs_earn": ratio(rounds, "hot", "earn"),
        },
    )
