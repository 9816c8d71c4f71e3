"""What ours is measured against: the same mutation doing nothing, one that works the conventional way, a bare hello, a
query answered by constants.

Run as `python -m benchmarks.apps NAME PORT`, with the settings of the server in the environment.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

from alliance.runtime import Runtime, collect_rarely
from benchmarks import constants
from benchmarks.conventional import Shop
from domain.ledger.request import Posted
from resolvers.context import House
from schema.answers import Earned
from schema.build import assemble
from schema.http import GraphQLView
from schema.inputs import EarnInput
from schema.mutations import EarnResult
from schema.node import Info
from schema.queries import Query
from server.access.tokens import TokenVerifier
from server.asgi import BACKLOG
from server.settings import Settings, get_settings

NOTHING = Posted(UUID(int=1), UUID(int=2), "EARN", 10, [{"rule": "base", "version": 1, "points": 10}])


@strawberry.type
class NoopMutation:
    """Our schema's earn, with a resolver that does nothing."""

    @strawberry.mutation
    async def earn(self, info: Info, input: EarnInput) -> EarnResult | None:
        """Always the same answer."""
        return Earned.of(NOTHING, "GRO")


def conventional_mutation(shop: Shop) -> type:
    """Our schema's earn, by one ORM transaction a request."""

    @strawberry.type
    class ConventionalMutation:
        @strawberry.mutation
        async def earn(self, info: Info, input: EarnInput) -> EarnResult | None:
            """Row by row."""
            posted = await shop.earn(info.context.signed_in, cast("dict[str, Any]", input), info.context.as_of)
            return Earned.of(posted, "GRO")

    return ConventionalMutation


@strawberry.type
class Hello:
    """What a first example of the framework has."""

    @strawberry.field
    def hello(self) -> str:
        """A constant."""
        return "world"


def bare() -> Any:
    """The framework as it comes, with its two caches."""
    caches = [lambda: ParserCache(maxsize=128), lambda: ValidationCache(maxsize=128)]
    return GraphQL(strawberry.Schema(query=Hello, extensions=caches))


def _view(settings: Settings, runtime: Runtime, mutation: type, query: type = Query) -> GraphQLView:
    """Our GraphQL over HTTP, with our authentication."""
    house = House(runtime, settings.secret("fingerprint"))
    verifier = TokenVerifier(settings.secret("token"))
    limits = {"graphiql": False, "max_body_bytes": settings.max_body_bytes}
    return GraphQLView(assemble(query, mutation), house, verifier, **limits)  # type: ignore[arg-type]


def application(name: str, settings: Settings) -> Starlette:
    """The application of that name: bare, noop, conventional or constants."""
    mutations: dict[str, Callable[[Runtime], type]] = {
        "noop": lambda _: NoopMutation,
        "conventional": lambda runtime: conventional_mutation(
            Shop(settings.database_url or "", settings.keys(), runtime.catalogue)
        ),
    }

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Runtime.open(settings.database_url or "", keys=settings.keys()) as runtime:
            if name == "bare":
                graphql = bare()
            elif name == "constants":
                graphql = _view(settings, runtime, constants.Mutation, constants.Query)
            else:
                graphql = _view(settings, runtime, mutations[name](runtime))
            app.router.routes[:] = [Route("/graphql", graphql)]
            collect_rarely()
            yield

    return Starlette(lifespan=lifespan)


def main() -> None:
    """Serve until told to stop, as `tessera api` does."""
    name, port = sys.argv[1], int(sys.argv[2])
    uvicorn.run(
        application(name, get_settings()),
        port=port,
        backlog=BACKLOG,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
