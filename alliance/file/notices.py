"""Points that may not end without their holder being told (L1, L2)."""

from collections.abc import Iterator, Mapping

from alliance.file.model import AllianceDocument
from alliance.file.source import Path
from domain.programs.prepaid import NOTICE_BEFORE_EXPIRY, is_told_in_time


def missing_notices(document: AllianceDocument, places: Mapping[int, Path]) -> Iterator[tuple[Path, str]]:
    """Policies by which points end without the notice that their merchant's jurisdiction asks for."""
    for merchant in document.merchants:
        asked = NOTICE_BEFORE_EXPIRY.get(merchant.jurisdiction)
        if asked is None:
            continue
        least, most, clause = asked
        for currency in merchant.currencies:
            for terms in (currency, *currency.policies):
                days = terms.notice.days if terms.notice is not None else None
                told = None if days is None else (days[0], days[1])
                if terms.expiry.policy == "never" or is_told_in_time(merchant.jurisdiction, told):
                    continue
                where = f"{merchant.jurisdiction} asks for a notice {least} to {most} days before ({clause})"
                yield (*places[id(terms)], "notice" if days else "expiry"), where
