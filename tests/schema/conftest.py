"""The GraphQL endpoint on the sample alliance, and those who call it."""

import uuid
from collections.abc import AsyncIterator

import pytest

from alliance.runtime import Runtime
from tests.schema.support import NOW, Client, client_of, viewer_of


@pytest.fixture
async def anonymous(runtime: Runtime) -> AsyncIterator[Client]:
    """Who has not signed in."""
    client = client_of(runtime)
    yield client
    await client.http.aclose()


@pytest.fixture
def operator(anonymous: Client) -> Client:
    """The operator, who may set the clock: it is June 2017."""
    return anonymous.signed_in(viewer_of("operator")).at(NOW)


@pytest.fixture
def grocer(anonymous: Client, runtime: Runtime) -> Client:
    """The grocer's till."""
    return anonymous.signed_in(viewer_of("merchant", merchant_id=runtime.catalogue.merchants["grocer"].id))


@pytest.fixture
def fuel(anonymous: Client, runtime: Runtime) -> Client:
    """The filling station's till."""
    return anonymous.signed_in(viewer_of("merchant", merchant_id=runtime.catalogue.merchants["fuel"].id))


@pytest.fixture
async def card(operator: Client) -> str:
    """The card of a member who joined the grocer."""
    value = uuid.uuid4().hex[:12]
    identifiers = [{"type": "CARD", "issuer": "grocer", "value": value}]
    enrolled = await operator.do(
        "enrolMember",
        "EnrolMemberInput",
        "... on Enrolled { created }",
        merchant="grocer",
        channel="STORE",
        identifiers=identifiers,
    )
    assert enrolled["created"]
    return value
