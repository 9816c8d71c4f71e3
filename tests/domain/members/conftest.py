"""An alliance of two merchants, without a file."""

import uuid
from zoneinfo import ZoneInfo

import pytest

from domain.programs.catalogue import NO_ALLIANCE, Catalogue, IdentifierType, Merchant


def _merchant(code: str, jurisdiction: str) -> Merchant:
    return Merchant(
        id=uuid.uuid5(uuid.NAMESPACE_DNS, code),
        code=code,
        name=code.title(),
        jurisdiction=jurisdiction,
        timezone=ZoneInfo("America/New_York"),
        enrol_on_purchase=True,
        clawback="never_below_zero",
        on_return="reevaluate",
        unique_orders=False,
        credit_limit=0,
        collateral=0,
        stores={"330": "Store 330"},
        currencies=(),
        default_currency=None,
        earning={},
    )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Grocer and fuel; cards by merchant, telephones and e-mail in the alliance, ids of apps by the app."""
    merchants = {code: _merchant(code, place) for code, place in [("grocer", "US-OH"), ("fuel", "CN")]}
    types = [
        IdentifierType("CARD", "merchant", None, "issuer", at_till=True, verify=None),
        IdentifierType("PHONE", None, "e164", "alliance", at_till=False, verify="code"),
        IdentifierType("EMAIL", None, "email", "alliance", at_till=False, verify="code"),
        IdentifierType("OPENID", None, None, "issuer", at_till=False, verify=None),
        IdentifierType("STATE_ID", "ohio", None, "issuer", at_till=False, verify=None),
        IdentifierType("UNIONID", None, None, "alliance", at_till=False, verify=None),
        IdentifierType("PARTNER", None, "card", "issuer", at_till=False, verify=None),
        IdentifierType("COUPON_BOOK", None, "digits", "alliance", at_till=False, verify=None),
        IdentifierType("TAG", None, "hex", "alliance", at_till=True, verify=None),
        IdentifierType("DEVICE", None, "fold", "alliance", at_till=False, verify=None, per_member=2),
    ]
    by_id = {merchant.id: merchant for merchant in merchants.values()}
    return Catalogue(NO_ALLIANCE, merchants, by_id, {}, {declared.type: declared for declared in types}, 1)
