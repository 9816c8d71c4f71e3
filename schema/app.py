"""The GraphQL application: what server/asgi.py mounts at /graphql."""

from typing import Protocol

from alliance.runtime import Runtime
from resolvers.context import House
from resolvers.viewer import Verifier
from schema.build import build_schema
from schema.http import GraphQLView


class Settings(Protocol):
    """The settings this application reads; see server/settings.py for what they mean."""

    graphiql: bool
    max_body_bytes: int
    webhook_private: bool

    def secret(self, name: str, /) -> bytes:
        """A secret by name."""
        ...


def graphql_app(runtime: Runtime, verifier: Verifier, settings: Settings) -> GraphQLView:
    """An ASGI application that answers GraphQL over HTTP."""
    return GraphQLView(
        build_schema(),
        House(runtime, settings.secret("fingerprint"), webhook_private=settings.webhook_private),
        verifier,
        graphiql=settings.graphiql,
        max_body_bytes=settings.max_body_bytes,
    )
