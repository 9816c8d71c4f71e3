"""A client of the GraphQL endpoint, in the same process: real HTTP messages, no socket."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from alliance.runtime import Runtime
from resolvers.context import House
from resolvers.viewer import ALLOWED_SCOPES, InvalidToken, Viewer
from schema.build import build_schema
from schema.http import MODERN, GraphQLView

NOW = datetime(2017, 6, 1, 12, tzinfo=UTC)
SECRET = b"a secret of the tests"


class Tokens:
    """Bearer tokens of the tests: any text that was given out."""

    def __init__(self) -> None:
        self.known: dict[str, Viewer] = {}

    def give(self, viewer: Viewer) -> str:
        """A token that signs in `viewer`."""
        token = uuid.uuid4().hex
        self.known[token] = viewer
        return token

    def verify(self, bearer: str) -> Viewer:
        """As server.access.tokens.TokenVerifier."""
        if bearer not in self.known:
            raise InvalidToken("the token cannot be read")
        return self.known[bearer]


def viewer_of(
    kind: Any, *, merchant_id: uuid.UUID | None = None, member_id: uuid.UUID | None = None, scopes: Any = None
) -> Viewer:
    """A viewer of that kind with all scopes it may have, unless named."""
    client_id = uuid.uuid4()
    allowed = ALLOWED_SCOPES[kind] if scopes is None else frozenset(scopes)
    return Viewer(kind, client_id, member_id or client_id, merchant_id, member_id, allowed)


@dataclass(frozen=True)
class Client:
    """Calls as one viewer, at one moment."""

    http: httpx.AsyncClient
    tokens: Tokens
    house: House
    headers: Mapping[str, str] = field(default_factory=dict)

    def signed_in(self, viewer: Viewer, **headers: str) -> "Client":
        """This client, as that viewer."""
        return replace(self, headers={"authorization": f"Bearer {self.tokens.give(viewer)}", **headers})

    def at(self, moment: datetime) -> "Client":
        """This client with another clock; its viewer needs the scope for it."""
        return replace(self, headers={**self.headers, "tessera-clock": moment.isoformat()})

    def speaking(self, language: str) -> "Client":
        """This client in another language."""
        return replace(self, headers={**self.headers, "accept-language": language})

    async def post(self, query: str, variables: Any = None, **headers: str) -> httpx.Response:
        """One request."""
        body = {"query": query, "variables": variables}
        return await self.http.post("/graphql", json=body, headers={"accept": MODERN, **self.headers, **headers})

    async def run(self, query: str, **variables: Any) -> Any:
        """The data of a request that has no errors."""
        answer = (await self.post(query, variables)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The errors of a request that has some."""
        answer: dict[str, Any] = (await self.post(query, variables)).json()
        return list(answer["errors"])

    async def do(self, mutation: str, kind: str, want: str, /, **input: Any) -> Any:
        """The result of one mutation with one input; `want` is what to select of its success."""
        input.setdefault("idempotencyKey", uuid.uuid4().hex)
        document = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ __typename {want} "
            "... on UserError { code message path } } }"
        )
        return (await self.run(document, input=input))[mutation]


def by_card(card: str) -> dict[str, Any]:
    """A MemberRef by a card of the grocer's."""
    return {"identifier": {"type": "CARD", "issuer": "grocer", "value": card}}


def client_of(runtime: Runtime, **settings: Any) -> Client:
    """A client of a view on this runtime, not signed in."""
    tokens, house = Tokens(), House(runtime, SECRET)
    view = GraphQLView(build_schema(), house, tokens, **{"graphiql": True, "max_body_bytes": 100_000, **settings})
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=view), base_url="http://test")
    return Client(http, tokens, house)
