"""Payments, banks' statements and receipts over the endpoint; who sees what of them (A14)."""

from alliance.runtime import Runtime
from tests.alliance.banking.support import give_accounts
from tests.alliance.support import House
from tests.schema.support import Client

FILES = """query { alliance { cycles(first: 2) { edges { node {
  number paymentFiles { messageId kind payer { code } payments total { amount currency } path } } } } } }"""


async def files_of(client: Client) -> list[dict[str, object]]:
    (_, first) = (await client.run(FILES))["alliance"]["cycles"]["edges"]
    files: list[dict[str, object]] = first["node"]["paymentFiles"]
    return files


async def test_a14_a_payer_and_the_operator_see_the_file_and_a_payee_does_not(
    runtime: Runtime, operator: Client, grocer: Client, fuel: Client
) -> None:
    house = House(runtime)
    await give_accounts(house)
    await house.earn(await house.member(), "fuel", 10_000)
    await house.through(await house.close(), "settle_cycle")
    (file,) = await files_of(fuel)
    assert (file["kind"], file["payer"], file["payments"]) == ("PAYMENTS", {"code": "fuel"}, [1])
    assert file["total"] == {"amount": "90.00", "currency": "USD"}
    assert await files_of(operator) == [file]
    assert await files_of(grocer) == []
