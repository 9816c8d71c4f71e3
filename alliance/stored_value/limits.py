"""How much a card may hold, by the issuer's jurisdiction (L4)."""

import uuid
from datetime import datetime

from alliance.stored_value.riders import KnownBy, WithinCardLimit
from domain.ledger.request import Rider
from domain.programs.catalogue import Catalogue, Currency, Merchant
from domain.programs.prepaid import card_limits


def within_limit(
    catalogue: Catalogue,
    issuer: Merchant,
    kind: Currency,
    member_id: uuid.UUID,
    as_of: datetime,
    path: str = "paid",
) -> tuple[Rider, ...]:
    """What the issuer's jurisdiction lets the wallet hold; who is known by a verified identifier is registered.

    `path` is the field that a refusal is about.
    """
    limits = card_limits(issuer.jurisdiction)
    if limits is None:
        return ()
    verified = tuple(sorted(one.type for one in catalogue.identifier_types.values() if one.verify is not None))
    known_by = KnownBy(member_id, verified)
    return (WithinCardLimit(known_by, kind.code, limits.registered, limits.bearer, as_of, path),)
