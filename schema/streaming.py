"""Subscriptions over GraphQL: as server-sent events (graphql-sse, a connection each), and by graphql-transport-ws.

A token that expires ends what was subscribed with it. Queries and mutations are not answered here.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import ExecutionResult
from strawberry.types.unset import UNSET

from resolvers.context import Context
from resolvers.viewer import InvalidToken, Viewer
from schema.build import TesseraSchema
from schema.errors import present, problem

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 10.0
"""Between two looks at whether a token is still good; no result is given out without one."""
INIT_SECONDS = 10
MOST_OF_A_CONNECTION = 20

Check = Callable[[], Viewer]
"""Whom the token of a subscription signs in, still; raises InvalidToken."""


class _Presented(GraphQLError):
    """An error in the words that clients are told."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__(shown["message"])
        self.shown = shown

    @property
    def formatted(self) -> Any:
        """As a member of `errors`."""
        return self.shown


async def subscribed(
    schema: TesseraSchema,
    context: Context,
    check: Check | None,
    query: str | None,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
) -> AsyncIterator[ExecutionResult]:
    """The results of a subscription, their errors as clients see them."""
    try:
        results = await schema.subscribe(
            query,
            variable_values=dict(variables or {}),
            context_value=context,
            operation_name=operation_name,
        )
        async with aclosing(results), aclosing(_while_signed_in(results, check)) as going:
            async for result in going:
                if result.errors:
                    result.errors = [_presented(error, context) for error in result.errors]
                yield result
    except InvalidToken as reason:
        yield ExecutionResult(data=None, errors=[_Presented(problem("UNAUTHENTICATED", str(reason)))])
    except Exception as fault:
        error = fault if isinstance(fault, GraphQLError) else GraphQLError(str(fault), original_error=fault)
        yield ExecutionResult(data=None, errors=[_presented(error, context)])


async def _while_signed_in(
    results: AsyncIterator[ExecutionResult], check: Check | None
) -> AsyncGenerator[ExecutionResult, None]:
    """Results for as long as the token is good, however seldom they come. Raises InvalidToken."""
    following: asyncio.Future[ExecutionResult] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(results))
            done, _ = await asyncio.wait([following], timeout=CHECK_SECONDS)
            if check is not None:
                check()
            if done:
                try:
                    result = following.result()
                except StopAsyncIteration:
                    return
                following = None
                yield result
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def _presented(error: GraphQLError, context: Context) -> _Presented:
    if isinstance(error.original_error, CannotGetOperationTypeError | InvalidOperationTypeError):
        return _Presented(problem("BAD_USER_INPUT", "only subscriptions are answered here, one at a time"))
    return _Presented(present(error, context))


def events(results: AsyncIterator[ExecutionResult]) -> StreamingResponse:
    """Results as server-sent events: `next` each, `complete` at the end."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(results), headers=headers, media_type="text/event-stream")


async def _events(results: AsyncIterator[ExecutionResult]) -> AsyncIterator[bytes]:
    """A comment now and then keeps the connection open, and finds out that nobody reads any more."""
    following: asyncio.Future[ExecutionResult] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(results))
            done, _ = await asyncio.wait([following], timeout=HEARTBEAT_SECONDS)
            if not done:
                yield b":\n\n"
                continue
            try:
                result = following.result()
            except StopAsyncIteration:
                break
            following = None
            yield b"event: next\ndata: " + orjson.dumps(_body(result)) + b"\n\n"
        yield b"event: complete\ndata:\n\n"
    finally:
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def _body(result: ExecutionResult) -> dict[str, Any]:
    errors = {"errors": [error.formatted for error in result.errors]} if result.errors else {}
    return {"data": result.data} | errors


class Connection:
    """A web socket: who it signed in by the payload of `connection_init`, and a context for each subscription."""

    def __init__(
        self, schema: TesseraSchema, context_of: Callable[[str | None], Context], check_of: Callable[[str], Check]
    ) -> None:
        self.connection_params: dict[str, Any] = {}
        self._schema = schema
        self._context_of = context_of
        self._check_of = check_of

    @property
    def _authorization(self) -> str | None:
        found = self.connection_params.get("authorization") or self.connection_params.get("Authorization")
        return found if isinstance(found, str) else None

    def admit(self) -> None:
        """Raises ConnectionRejectionError for who is nobody."""
        try:
            if self._authorization is None:
                raise InvalidToken("sign in first")
            self._check_of(self._authorization)()
        except InvalidToken:
            raise ConnectionRejectionError from None

    async def stream(self, query: str | None, **asked: Any) -> AsyncIterator[ExecutionResult]:
        """What the handler of the protocol asks a schema for."""
        assert self._authorization is not None
        check = self._check_of(self._authorization)
        context = self._context_of(self._authorization)
        return subscribed(
            self._schema, context, check, query, asked.get("variable_values"), asked.get("operation_name")
        )


class _View:
    """As much of the framework's view as its handler uses."""

    async def on_ws_connect(self, connection: Connection) -> Any:
        """See `Connection.admit`."""
        connection.admit()
        return UNSET

    def decode_json(self, text: str) -> Any:
        """Raises JSONDecodeError."""
        return orjson.loads(text)

    def encode_json(self, message: Any) -> str:
        """As text: the protocol has no binary messages."""
        return orjson.dumps(message).decode()


async def serve_socket(socket: WebSocket, connection: Connection) -> None:
    """Speak graphql-transport-ws until either side hangs up."""
    if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope.get("subprotocols", []):
        await socket.close(code=4406)
        return
    await socket.accept(subprotocol=GRAPHQL_TRANSPORT_WS_PROTOCOL)
    view: Any = _View()
    handler: BaseGraphQLTransportWSHandler[Any, None] = BaseGraphQLTransportWSHandler(
        view=view,
        websocket=ASGIWebSocketAdapter(view, socket, socket),
        context=connection,
        root_value=None,
        schema=connection,  # type: ignore[arg-type]
        connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
        max_subscriptions_per_connection=MOST_OF_A_CONNECTION,
    )
    await handler.handle()
