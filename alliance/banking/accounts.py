"""Who pays whom, through whose hands and at which banks, as the alliance file has it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alliance.banking.errors import AccountMissing
from alliance.banking.model import Account, Mode
from alliance.file.banking import BankCsv
from alliance.settlement.rules import minor_unit
from domain.programs.model import AllianceRow, MerchantRow


@dataclass(frozen=True, slots=True)
class Banking:
    """`accounts` are by party; under the alliance's id lies the operator's own, or that which all pay into."""

    alliance_id: uuid.UUID
    name: str
    currency: str
    zone: ZoneInfo
    mode: Mode
    accounts: Mapping[uuid.UUID, Account]
    codes: Mapping[uuid.UUID, str]
    csv: BankCsv

    def account(self, party_id: uuid.UUID) -> Account:
        """Raises AccountMissing."""
        found = self.accounts.get(party_id)
        if found is None:
            raise AccountMissing(party=self.codes.get(party_id, str(party_id)))
        return found

    @property
    def is_direct(self) -> bool:
        """Whether merchants pay each other, and not into one account and out of it."""
        return self.mode == Mode.DIRECT

    @property
    def unit(self) -> int:
        """Millionths in the minor unit of the settlement currency."""
        return minor_unit(self.currency)

    @property
    def code(self) -> str:
        """The alliance's."""
        return self.codes[self.alliance_id]


async def banking_of(session: AsyncSession) -> Banking:
    """What the alliance file says of money at banks. There is an alliance."""
    alliance = (await session.scalars(select(AllianceRow))).one()
    said = alliance.terms.get("settlement", {})
    accounts = {alliance.id: said.get("account")}
    codes = {alliance.id: alliance.code}
    for id_, code, settlement in await session.execute(
        select(MerchantRow.id, MerchantRow.code, MerchantRow.settlement)
    ):
        codes[id_], accounts[id_] = code, settlement.get("account")
    return Banking(
        alliance_id=alliance.id,
        name=alliance.name,
        currency=alliance.settlement_currency,
        zone=ZoneInfo(alliance.timezone),
        mode=Mode(said.get("mode", Mode.DIRECT)),
        accounts={party: _account(account) for party, account in accounts.items() if account is not None},
        codes=codes,
        csv=BankCsv.model_validate(said.get("csv", {})),
    )


def _account(said: Mapping[str, Any]) -> Account:
    return Account(said["name"], said.get("iban"), said.get("other"), said.get("bic"))
