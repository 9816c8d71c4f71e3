"""The API process: one ASGI application of GraphQL, tokens, feeds, health and metrics, and the server that runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from alliance.passcodes import Passcodes
from alliance.proofs.queries import public_keys
from alliance.runtime import Runtime, collect_rarely
from schema.app import graphql_app
from server.access import one_time, wechat
from server.access.codes import CodeKeys
from server.access.endpoint import SignInGrant, TokenEndpoint
from server.access.revocations import Revocations
from server.access.tokens import TokenVerifier
from server.accruals import Refusals
from server.attachments import Attachments
from server.bank_statements import BankStatements
from server.cycle_statements import CycleStatements
from server.events import Events
from server.ingest import ingest_app, members_app
from server.ingest.claims import ClaimsIngest
from server.ingest.objections import ObjectionsIngest
from server.invoices import Invoices
from server.journal import MEDIA, Journal
from server.metrics import Metrics
from server.middleware import RequestMiddleware
from server.migrate import is_current
from server.notifiers import code_notifiers_of
from server.obligations import Obligations
from server.partner_files import PartnerFiles
from server.payment_files import PaymentFiles
from server.settings import Settings
from server.statements import Statements

READY_SECONDS = 2.0
BACKLOG = 2048

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises SystemExit if the address cannot be had."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        backlog=BACKLOG,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.max_body_bytes,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    uvicorn.Server(config).run()


def create_app(settings: Settings) -> Starlette:
    """The application. It opens its runtime when the server starts it: the database must be there by then."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Runtime.open(settings.database_url or "", keys=settings.keys()) as runtime:
            runtime.codes = settings.codes()
            metrics.watch(runtime.engine)
            verifier = TokenVerifier(settings.secret("token"))
            revocations = Revocations(runtime.database, verifier)
            await revocations.refresh()
            tencent = wechat.WeChat(settings.wechat_url, settings.wechat_seconds)
            app.router.routes[:] = _routes(runtime, metrics, settings, verifier, tencent)
            watch = asyncio.create_task(revocations.watch(), name="revocations")
            collect_rarely()
            log.info("the API serves", address=f"http://{settings.host}:{settings.port}")
            try:
                yield
            finally:
                watch.cancel()
                await asyncio.gather(watch, tencent.close(), return_exceptions=True)

    middleware = Middleware(RequestMiddleware, metrics=metrics, traced=settings.otlp_endpoint is not None)
    return Starlette(lifespan=lifespan, middleware=[middleware])


def _routes(
    runtime: Runtime, metrics: Metrics, settings: Settings, verifier: TokenVerifier, tencent: wechat.WeChat
) -> list[BaseRoute]:
    """The busiest first."""
    passcodes = Passcodes(runtime, code_notifiers_of(settings), metrics.attempt)
    grants: dict[str, SignInGrant] = {
        one_time.GRANT: one_time.OneTimeGrant(passcodes),
        wechat.GRANT: wechat.WeChatGrant(runtime, tencent, settings.apps_of_wechat(), metrics.attempt),
    }
    secret = settings.secret("token")
    tokens = TokenEndpoint(
        runtime.database, lambda: runtime.catalogue, secret, verifier, grants=grants, told=metrics.attempt
    )
    graphql = graphql_app(runtime, verifier, settings)
    graphql.house.passcodes = passcodes
    partner_files = PartnerFiles(graphql.house, verifier, settings.partner_file_bytes)
    return [
        Route("/graphql", graphql),
        WebSocketRoute("/graphql", graphql.socket),
        Route("/ingest/purchases", ingest_app(runtime, verifier, settings.secret("fingerprint"))),
        Route("/ingest/members", members_app(runtime, verifier, settings.secret("fingerprint"))),
        Route("/ingest/claims", ClaimsIngest(graphql.house, verifier)),
        Route("/ingest/objections", ObjectionsIngest(graphql.house, verifier)),
        Route("/ingest/attachment", Attachments(graphql.house, verifier).post, methods=["POST"]),
        Route("/attachments/{id}", Attachments(graphql.house, verifier).get),
        Route("/ingest/partner-file", partner_files.post, methods=["POST"]),
        Route("/oauth/token", tokens.post, methods=["POST"]),
        Route("/oauth/code", tokens.code, methods=["POST"]),
        Route("/oauth/revoke", tokens.revoke, methods=["POST"]),
        Route("/wallets/{id}/statement.csv", Statements(graphql.house, verifier).get),
        Route("/statements/{cycle:int}/{file}", CycleStatements(graphql.house, verifier).get),
        Route("/ingest/bank-statement", BankStatements(graphql.house, verifier).post, methods=["POST"]),
        Route("/payments/{cycle:int}/{file}", PaymentFiles(graphql.house, verifier).get),
        Route("/accruals/{run}/refusals", Refusals(graphql.house, verifier).get),
        Route("/obligations.csv", Obligations(graphql.house, verifier).get),
        Route("/invoices/{file}", Invoices(graphql.house, verifier).get),
        *(Route(f"/journal.{kind}", Journal(graphql.house, verifier).get) for kind in MEDIA),
        Route("/events", Events(graphql.house, verifier).get),
        Route("/log/keys", _LogKeys(runtime).get),
        Route("/.well-known/jwks.json", CodeKeys(runtime).get),
        Route("/healthz", _healthz),
        Route("/readyz", _Readiness(runtime).get),
        Route("/metrics", metrics.page),
    ]


async def _healthz(_: Request) -> Response:
    """Alive: the process answers."""
    return JSONResponse({"alive": True})


class _LogKeys:
    """The public keys of the log, for anybody."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def get(self, _: Request) -> Response:
        """GET /log/keys: one a line, `name+hash+base64`, the newest last."""
        async with self._runtime.database.reader() as session:
            keys = await public_keys(session)
        return PlainTextResponse("".join(f"{key}\n" for key in keys))


class _Readiness:
    """Ready: the database answers and has all migrations. The broker is none of the API's business."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def get(self, _: Request) -> Response:
        """GET /readyz: 200 or 503, and what is missing."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                current = await is_current(self._runtime.database.engine)
        except Exception as error:
            log.warning("not ready", reason=type(error).__name__)
            return JSONResponse({"ready": False, "database": "unreachable"}, 503)
        return JSONResponse(
            {"ready": current, "database": "ready" if current else "lacks migrations"}, 200 if current else 503
        )
