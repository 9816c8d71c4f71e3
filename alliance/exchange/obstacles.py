"""What stands in the way of even the smallest exchange between two currencies, whoever asks for it (A3, A5, A12)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from alliance.agreements.book import AgreementVersion, ExchangeTerms
from alliance.clearing.rules import obligations
from alliance.exposure import queries as exposure
from alliance.exposure.errors import MerchantAtCap
from alliance.exposure.frozen import barred
from alliance.exposure.positions import change
from alliance.exposure.riders import capped
from alliance.runtime import Runtime
from alliance.subsidies import queries as subsidies
from alliance.subsidies.errors import SubsidyExhausted

Codes = tuple[str, ...]


async def obstacles(
    session: AsyncSession, runtime: Runtime, found: Sequence[ExchangeTerms], moment: datetime
) -> list[Codes]:
    """The codes of what would refuse an exchange of the least points, of each of these terms that are in force."""
    catalogue, book = runtime.catalogue, runtime.agreements
    issuers = [(catalogue.issuer_of(terms.source), catalogue.issuer_of(terms.target)) for terms in found]
    versions = [book.between(giving.id, getting.id, moment) for giving, getting in issuers]
    caps = [
        () if version is None else capped(catalogue, "exchange", version, giving.id, giving.id)
        for version, (giving, _) in zip(versions, issuers, strict=True)
    ]
    standing = await exposure.by_merchants(session, {id_ for merchants in caps for id_, _ in merchants})
    keys = {(one.agreement_id, one.version) for one in versions if one is not None and one.subsidies}
    used = await subsidies.used(session, keys) if keys else {}
    made: list[Codes] = []
    for terms, sides, version, merchants in zip(found, issuers, versions, caps, strict=True):
        frozen = barred(sides, ())
        codes: Codes = () if frozen is None else (frozen.code,)
        if version is not None:
            moved = _moved(runtime, terms, version)
            for id_, _ in merchants:
                if (row := standing.get(id_)) is not None and (more := moved.get(id_, 0)) > 0:
                    codes += (MerchantAtCap.code,) if row.used + more > row.cap else ()
            drawn = used.get((version.agreement_id, version.version), {}).get(terms.target, 0)
            if (budget := version.subsidies.get(terms.target)) is not None:
                points = terms.block * terms.rate.numerator // terms.rate.denominator
                below = points * book.dearest(terms.target, moment) - terms.block * terms.owed
                codes += (SubsidyExhausted.code,) if below > 0 and drawn + below > budget else ()
        made.append(tuple(dict.fromkeys(codes)))
    return made


def _moved(runtime: Runtime, terms: ExchangeTerms, version: AgreementVersion) -> dict[UUID, int]:
    """What an exchange of the least points would change of positions."""
    giving, getting = (runtime.catalogue.issuer_of(code).id for code in (terms.source, terms.target))
    lines = obligations(
        "exchange",
        version,
        debtor_id=giving,
        creditor_id=getting,
        issuer_id=giving,
        operator_id=runtime.catalogue.alliance.id,
        currency=terms.source,
        points=terms.block,
        owed=terms.owed,
    )
    return change(lines)
