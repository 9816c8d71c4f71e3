"""Names of accounts and commodities: legal in beancount, the same in every export, and no two things share one.

The codes of the alliance file are of small letters, digits, `-` and `_`; those of points of capitals, digits and `_`.
"""

import re
from collections.abc import Mapping
from uuid import UUID

from alliance.liability.queries import Account
from alliance.treasury.commands import OWED_TO_PARTY
from domain.ledger.kinds import AccountKind
from domain.programs.catalogue import Catalogue

_LEGAL = re.compile(r"[A-Z][A-Z0-9_]*[A-Z0-9]")

_KINDS = {"points": "Points", "tier_credits": "TierCredits", "stored_value": "StoredValue", "stamps": "Stamps"}

MERCHANTS, TREASURY = "Assets:Merchants:", "Treasury"

PAYABLE = "Liabilities:Payable:"
"""What agents will pay for points that were used: kept nowhere else than in what moved."""

LIABILITIES = {
    AccountKind.POINTS.value: "Active",
    AccountKind.PENDING.value: "Pending",
    AccountKind.RIGHTS.value: "Active",
}
"""What members have, by the kind of account; all else of a currency is its merchant's equity."""


def component(code: str) -> str:
    """A part of an account's name: the code with its first letter large, and `-U-` for what is no letter, digit or -.

    In no code is a capital after a small letter, or a `-` among capitals: so no two codes become one name.
    """
    named = re.sub(r"[^A-Za-z0-9-]", "-U-", code)
    return named[0].upper() + named[1:] if named[0].isalnum() else f"X{named}"


def commodity(code: str, money: str) -> str:
    """What a currency is counted in: its code, where that is legal and not the code of `money`."""
    if _LEGAL.fullmatch(code) and code != money:
        return code
    named = re.sub(r"[^A-Z0-9_-]", ".", f"X.{code.upper()}")
    return named if named[-1].isalnum() else f"{named}.0"


class Names:
    """Names of one alliance; whoever is not in its catalogue is called by id."""

    def __init__(self, catalogue: Catalogue) -> None:
        alliance = catalogue.alliance
        self.money, self.zone = alliance.settlement_currency, alliance.timezone.key
        self._catalogue = catalogue
        self._parties: Mapping[UUID, str] = {
            id_: component(merchant.code) for id_, merchant in catalogue.merchants_by_id.items()
        }
        taken = alliance.code in catalogue.merchants
        self._parties |= {alliance.id: component(alliance.code) + ("-U-" if taken else "")}

    def party(self, id_: UUID) -> str:
        """A merchant, or the operator."""
        return self._parties.get(id_) or component(str(id_))

    def place(self, id_: UUID | None) -> str | None:
        """Where something happened, by its code."""
        merchant = None if id_ is None else self._catalogue.merchants_by_id.get(id_)
        return None if merchant is None else merchant.code

    def of_currency(self, currency: str, kind: str) -> tuple[str, str, int]:
        """The account, the commodity and its decimal places of a ledger's account of this kind and currency.

        Rights are counted in uses, as `grocer/car_wash`; what they may cost, `grocer/car_wash:budget`, in money.
        """
        known = self._catalogue.currencies.get(currency)
        if known is not None:
            group, merchant, name = _KINDS.get(known.kind, component(known.kind)), known.merchant_id, currency
            counted = commodity(currency, self.money), known.scale
            owner = self.party(merchant)
        else:
            name, _, budget = currency.partition(":")
            owner, _, name = name.partition("/")
            group, owner, name = "Rights", component(owner), name or owner
            counted = (self.money, 6) if budget else (commodity(currency, self.money), 0)
        root, leaf = ("Liabilities", LIABILITIES[kind]) if kind in LIABILITIES else ("Equity", kind.capitalize())
        return f"{root}:{group}:{owner}:{component(name)}:{leaf}", *counted

    def pair(self, of: UUID, other: UUID) -> str:
        """A merchant's account with another: above zero is to be received."""
        return f"{self.merchant(of)}:Pairs:{self.party(other)}"

    def suspense(self, of: UUID, other: UUID) -> str:
        """What of a merchant's account with another waits for a decision."""
        return f"{self.merchant(of)}:Suspense:{self.party(other)}"

    def position(self, of: UUID) -> str:
        """What was netted and is still to be paid."""
        return f"{self.merchant(of)}:Netted"

    def merchant(self, of: UUID) -> str:
        """All that others owe a merchant, less what it owes them."""
        return f"{MERCHANTS}{self.party(of)}"

    def bank(self, of: UUID) -> str:
        """Money that a merchant received for settled cycles, less what it paid."""
        return f"Assets:Bank:{self.party(of)}"

    def treasury(self, account: str, of: UUID) -> str:
        """Money that lies with the alliance: an asset, or owed to the party whose it is."""
        root = "Liabilities" if account in OWED_TO_PARTY else "Assets"
        return f"{root}:{TREASURY}:{account.capitalize()}:{self.party(of)}"

    def deferred(self, of: UUID, currency: str, account: Account = Account.DEFERRED) -> str:
        """What of a merchant's points is deferred, and where it came from and went."""
        name = f"{self.party(of)}:{component(currency)}"
        match account:
            case Account.DEFERRED:
                return f"Liabilities:Deferred:{name}"
            case Account.PAYABLE:
                return f"{PAYABLE}{name}"
            case _:
                return f"Income:Deferred:{name}:{account.capitalize()}"

    def result(self, of: UUID, kind: str, *, received: bool) -> str:
        """What a merchant earned, or what it cost, by kinds of obligations."""
        return f"{'Income' if received else 'Expenses'}:Merchants:{self.party(of)}:{kind.capitalize()}"
