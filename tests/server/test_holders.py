"""Whom a command is about, as people and programs name one."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from alliance.runtime import Runtime
from domain.members.commands import enrol_many
from domain.members.model import EnrolAsk, IdentifierRef
from resolvers import ids
from server.commands.common import Failure
from server.commands.holders import holder_of
from tests.ledger_support import rows


async def test_a_holder_is_named_by_id_number_or_code(runtime: Runtime) -> None:
    card = IdentifierRef("CARD", None, "330-1")
    async with runtime.database.transaction() as session:
        ask = EnrolAsk("grocer", "STORE", None, (card,), datetime.now(UTC))
        await enrol_many(session, runtime.catalogue, [ask])
    [[member, number]] = await rows(runtime.database, "SELECT id, number FROM member")
    grocer = runtime.catalogue.merchants["grocer"].id
    pool = uuid4()
    names: dict[str, UUID] = {str(member): member, number: member, "grocer": grocer}
    names |= {ids.encode("Member", member): member, ids.encode("Pool", pool): pool}
    names |= {ids.encode("Wallet", member, "GRO"): member}
    assert {name: await holder_of(runtime.database, name) for name in names} == names
    for name in ("grocery", number[:-1], ids.encode("Store", member), "", "x" * 300):
        with pytest.raises(Failure, match="names no member, pool or merchant"):
            await holder_of(runtime.database, name)
