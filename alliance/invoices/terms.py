"""Who invoices, and what late payment costs, as the alliance file says."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.money import scaled
from domain.programs.catalogue import MICRO_PLACES
from domain.programs.model import AllianceRow, MerchantRow


@dataclass(frozen=True, slots=True)
class InvoiceTerms:
    """What an issuer says on its invoices. `tax_rate` in millionths; None: there is no tax."""

    tax_rate: int | None
    tax_id: str | None
    address: str | None
    prefix: str


@dataclass(frozen=True, slots=True)
class InvoiceParty:
    """A merchant, or the operator; `terms` None: it writes its invoices itself."""

    id: uuid.UUID
    code: str
    name: str
    terms: InvoiceTerms | None

    def told(self) -> dict[str, Any]:
        """As an invoice has it."""
        said: dict[str, str | None] = {"code": self.code, "name": self.name}
        if self.terms is not None:
            said |= {"taxId": self.terms.tax_id, "address": self.terms.address}
        return {key: value for key, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class InterestTerms:
    """`rate` is millionths a year of `basis` days; none where a payment comes within `grace_days`."""

    rate: int
    basis: int
    grace_days: int


async def parties(session: AsyncSession) -> dict[uuid.UUID, InvoiceParty]:
    """All who may be on an invoice."""
    alliance = (await session.scalars(select(AllianceRow))).one()
    rows = [(alliance.id, alliance.code, alliance.name, alliance.terms.get("invoice"))]
    columns = (MerchantRow.id, MerchantRow.code, MerchantRow.name, MerchantRow.invoice)
    rows += [(id_, code, name, said) for id_, code, name, said in await session.execute(select(*columns))]
    return {id_: InvoiceParty(id_, code, name, _terms(said, code)) for id_, code, name, said in rows}


def _terms(said: Mapping[str, Any] | None, code: str) -> InvoiceTerms | None:
    if said is None:
        return None
    rate = said.get("taxRate")
    return InvoiceTerms(
        None if rate is None else scaled(rate, MICRO_PLACES),
        said.get("taxId"),
        said.get("address"),
        said.get("prefix", f"{code.upper()}-"),
    )


async def interest_terms(session: AsyncSession) -> InterestTerms | None:
    """None: late payment costs nothing."""
    terms = (await session.scalars(select(AllianceRow.terms))).one()
    said = terms["cycle"].get("interest")
    if said is None:
        return None
    return InterestTerms(scaled(said["rate"], MICRO_PLACES), said["basis"], said["graceDays"])
