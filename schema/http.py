"""GraphQL over HTTP: `application/graphql-response+json`, and `application/json` for clients of before.

With the former a request that cannot be executed has a 4xx status and no `data`. With the latter it has 200, unless not
even its form is right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLError, OperationDefinitionNode, parse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.exceptions import MissingQueryError
from strawberry.http.ides import get_graphql_ide_html
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from domain.ledger.statements import By
from resolvers import viewer as access
from resolvers.context import Context, House, language_of
from schema.build import CACHED_DOCUMENTS, TesseraSchema
from schema.errors import present, problem, variable_problems
from schema.limits import MAX_TOKENS
from schema.scalars import BadInput, parse_datetime
from schema.streaming import Connection, events, serve_socket, subscribed

MODERN = "application/graphql-response+json"
LEGACY = "application/json"
EVENTS = "text/event-stream"
CLOCK_HEADER = "tessera-clock"
BOOKED: By = "booked_at"
CLOCKED: By = "as_of"
_ALLOWED = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}


class Unfit(Exception):
    """A request that never reaches the executor."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class GraphQLView:
    """An ASGI application for one path."""

    def __init__(
        self, schema: TesseraSchema, house: House, verifier: access.Verifier, *, graphiql: bool, max_body_bytes: int
    ) -> None:
        self.schema = schema
        self.house = house
        self.verifier = verifier
        self.graphiql = graphiql
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        try:
            response = await self.respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The response to a request, whatever it is."""
        accept = request.headers.get("accept", "*/*")
        if self.graphiql and request.method == "GET" and "text/html" in accept and "query" not in request.query_params:
            return HTMLResponse(_graphiql())
        media = media_type(accept)
        try:
            if request.method not in _ALLOWED:
                raise Unfit(405, "BAD_USER_INPUT", "use GET or POST", {"allow": "GET, POST"})
            if accept.partition(";")[0].strip().lower() == EVENTS:
                return await self._events(request)
            if media is None:
                raise Unfit(406, "BAD_USER_INPUT", f"accept {MODERN} or {LEGACY}")
            asked = await self._asked(request)
            return await self._executed(asked, self._context(request), request.method, media)
        except Unfit as unfit:
            body = {"errors": [problem(unfit.code, unfit.message)]}
            return _json(body, unfit.status, media or MODERN, unfit.headers)

    async def _events(self, request: Request) -> Response:
        """A subscription, as events."""
        asked, context = await self._asked(request), self._context(request)
        authorization = request.headers.get("authorization")
        check = None if authorization is None else self._check_of(authorization)
        return events(subscribed(self.schema, context, check, asked.query, asked.variables, asked.operation_name))

    def _check_of(self, authorization: str) -> Callable[[], access.Viewer]:
        return lambda: self.verifier.verify(authorization.partition(" ")[2].strip())

    async def socket(self, socket: WebSocket) -> None:
        """Subscriptions over a web socket."""

        def context_of(authorization: str | None) -> Context:
            viewer = None if authorization is None else self._check_of(authorization)()
            return Context(
                self.house, viewer, datetime.now(UTC), language_of(socket.headers.get("accept-language", ""))
            )

        await serve_socket(socket, Connection(self.schema, context_of, self._check_of))

    async def _asked(self, request: Request) -> Asked:
        if request.method == "GET":
            sent: Any = dict(request.query_params)
            for name in ("variables", "extensions"):
                if sent.get(name):
                    sent[name] = _decoded(sent[name].encode(), name)
        else:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise Unfit(415, "BAD_USER_INPUT", "send Content-Type: application/json")
            sent = _decoded(await self._body(request), "the body")
        if not isinstance(sent, dict):
            raise Unfit(400, "BAD_USER_INPUT", "the body must be a JSON object")
        for name, kind, called in _PARAMETERS:
            if sent.get(name) is not None and not isinstance(sent[name], kind):
                raise Unfit(400, "BAD_USER_INPUT", f"{name} must be {called}")
        if not sent.get("query"):
            raise Unfit(400, "BAD_USER_INPUT", "query is missing")
        if not sent.get("operationName") and _has_many_operations(sent["query"]):
            raise Unfit(400, "BAD_USER_INPUT", "operationName is missing, and there is more than one operation")
        return Asked(sent["query"], sent.get("variables") or None, sent.get("operationName") or None)

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "0")
        chunks, length = [], 0
        if not declared.isdigit() or int(declared) <= self.max_body_bytes:
            async for chunk in request.stream():
                chunks.append(chunk)
                length += len(chunk)
                if length > self.max_body_bytes:
                    break
            else:
                return b"".join(chunks)
        raise Unfit(413, "BAD_USER_INPUT", f"the body may have at most {self.max_body_bytes} bytes")

    def _context(self, request: Request) -> Context:
        headers = request.headers
        viewer = None
        if authorization := headers.get("authorization"):
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise _unauthenticated("send Authorization: Bearer and a token")
            try:
                viewer = self.verifier.verify(token.strip())
            except access.InvalidToken as reason:
                raise _unauthenticated(str(reason)) from None
        as_of, past = datetime.now(UTC), BOOKED
        if (clock := headers.get(CLOCK_HEADER)) is not None:
            as_of, past = _clock(viewer, clock), CLOCKED
        language = language_of(headers.get("accept-language", ""))
        request_id = request.scope.get("state", {}).get("request_id")
        return Context(self.house, viewer, as_of, language, request_id, past)

    async def _executed(self, asked: Asked, context: Context, method: str, media: str) -> Response:
        try:
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
                allowed_operation_types=_ALLOWED[method],
            )
        except CannotGetOperationTypeError as reason:
            raise Unfit(400, "BAD_USER_INPUT", reason.as_http_error_reason()) from None
        except InvalidOperationTypeError as reason:
            raise Unfit(405, "BAD_USER_INPUT", reason.as_http_error_reason(method), {"allow": "POST"}) from None
        except MissingQueryError:
            raise Unfit(400, "BAD_USER_INPUT", "query is missing") from None
        if not result.errors:
            return _json({"data": result.data}, 200, media)
        if result.data is None and all(error.path is None for error in result.errors):
            return _json({"errors": self._request_errors(asked, context, result)}, _bad(media), media)
        return _json({"data": result.data, "errors": _presented(context, result)}, 200, media)

    def _request_errors(self, asked: Asked, context: Context, result: ExecutionResult) -> list[dict[str, Any]]:
        """Why a request was not executed: the document, or else the variables."""
        problems: list[dict[str, Any]] = []
        if not isinstance(result, PreExecutionError):
            schema, document = self.schema._schema, parse(asked.query)
            problems = variable_problems(schema, document, asked.operation_name, asked.variables or {})
        return problems or _presented(context, result)


@lru_cache(maxsize=CACHED_DOCUMENTS)
def _has_many_operations(query: str) -> bool:
    """Whether a document has more than one operation: the framework would run the first one, whatever was meant."""
    try:
        definitions = parse(query, max_tokens=MAX_TOKENS).definitions
    except GraphQLError:
        return False
    return sum(isinstance(definition, OperationDefinitionNode) for definition in definitions) > 1


_PARAMETERS = (
    ("query", str, "a string"),
    ("operationName", str, "a string"),
    ("variables", dict, "an object"),
    ("extensions", dict, "an object"),
)


def media_type(accept: str) -> str | None:
    """The media type to answer an Accept header with; None where neither will do.

    Who names the modern one gets it; who takes anything, or says nothing, gets the one that all clients read.
    """
    return _media_type(accept[:1000])


@lru_cache(maxsize=256)
def _media_type(accept: str) -> str | None:
    best: dict[str, float] = {}
    for part in accept.split(","):
        range_, *parameters = (piece.strip().lower() for piece in part.split(";"))
        best[range_] = _quality(parameters)
    modern = best.get(MODERN, 0.0)
    legacy = next((best[range_] for range_ in (LEGACY, "application/*", "*/*") if range_ in best), 0.0)
    if modern > 0 and modern >= legacy:
        return MODERN
    return LEGACY if legacy > 0 else None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _decoded(raw: bytes, what: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as reason:
        raise Unfit(400, "BAD_USER_INPUT", f"{what} is not JSON: {reason}") from None


def _clock(viewer: access.Viewer | None, text: str) -> datetime:
    if viewer is None or access.Scope.CLOCK not in viewer.scopes:
        raise Unfit(403, "FORBIDDEN", f"{CLOCK_HEADER} needs the scope clock")
    try:
        return parse_datetime(text)
    except BadInput as reason:
        raise Unfit(400, "BAD_USER_INPUT", f"{CLOCK_HEADER}: {reason.message}") from None


def _unauthenticated(reason: str) -> Unfit:
    return Unfit(401, "UNAUTHENTICATED", reason, {"www-authenticate": 'Bearer realm="tessera"'})


def _presented(context: Context, result: ExecutionResult) -> list[dict[str, Any]]:
    return [present(error, context) for error in result.errors or ()]


def _bad(media: str) -> int:
    return 400 if media == MODERN else 200


def _json(body: Mapping[str, Any], status: int, media: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, dict(headers or {}), f"{media}; charset=utf-8")


@lru_cache
def _graphiql() -> str:
    return get_graphql_ide_html("graphiql")
