"""Files of payments over HTTP, and banks' statements: who may have and send which."""

from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from alliance.banking.orders import drafts
from alliance.runtime import Runtime
from domain.base import new_id
from resolvers.context import House as Kept
from resolvers.viewer import Scope, Viewer
from server.access.tokens import TokenVerifier, issue_token
from server.bank_statements import BankStatements
from server.payment_files import PaymentFiles
from tests.alliance.banking.statements import Line, camt
from tests.alliance.banking.support import give_accounts
from tests.alliance.support import House

SECRET = b"a secret of at least thirty-two characters"


def signed_in(kind: str, merchant_id: Any = None) -> dict[str, str]:
    client = new_id()
    viewer = Viewer(kind, client, client, merchant_id, None, frozenset(Scope))  # type: ignore[arg-type]
    return {"authorization": f"Bearer {issue_token(SECRET, viewer)}"}


async def test_a14_a_file_is_given_to_who_pays_by_it_and_to_nobody_else(runtime: Runtime) -> None:
    house = House(runtime)
    await house.earn(await house.member(), "fuel", 10_000)
    cycle = await house.through(await house.close(), "settle_cycle")
    endpoint = PaymentFiles(Kept(runtime, SECRET), TokenVerifier(SECRET))
    served = Starlette(routes=[Route("/payments/{cycle:int}/{file}", endpoint.get)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as http:
        own = signed_in("merchant", house.id("fuel"))
        assert (await http.get("/payments/1/X.xml", headers=own)).status_code == 409  # there is no account yet
        await give_accounts(house)
        async with runtime.database.session() as session:
            (file,) = await drafts(session, cycle)
        url = f"/payments/1/{file.message_id}.xml"
        got = await http.get(url, headers=own)
        assert (got.status_code, got.content, got.headers["content-type"]) == (200, file.content, "application/xml")
        assert (await http.get(url, headers=signed_in("operator"))).content == file.content
        assert (await http.get(url, headers=signed_in("merchant", house.id("grocer")))).status_code == 404
        assert (await http.get(url)).status_code == 401
        assert (await http.get("/payments/9/X.xml", headers=own)).status_code == 404


async def test_a16_a_bank_s_statement_is_sent_once_by_whose_account_it_is(runtime: Runtime) -> None:
    house = House(runtime)
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    endpoint = BankStatements(Kept(runtime, SECRET), TokenVerifier(SECRET))
    served = Starlette(routes=[Route("/ingest/bank-statement", endpoint.post, methods=["POST"])])
    content = camt([Line("A", "90.00", reference="DEMO-C1-P1")])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=served), base_url="http://api") as http:
        own = signed_in("merchant", house.id("grocer"))
        sent = (await http.post("/ingest/bank-statement", content=content, headers=own)).json()
        assert (sent["again"], sent["applied"]) == (False, 1)
        again = (await http.post("/ingest/bank-statement", content=content, headers=own)).json()
        assert (again["id"], again["again"]) == (sent["id"], True)
        fuel = signed_in("merchant", house.id("fuel"))
        said = await http.post("/ingest/bank-statement", content=content, headers=fuel)
        assert (said.status_code, said.json()["error"]["code"]) == (422, "STATEMENT_REFUSED")
        assert (await http.post("/ingest/bank-statement", content=content)).status_code == 401
