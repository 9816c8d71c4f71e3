"""What a call knows: who asks, as of when, in which language, and how rows are loaded for it."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID, uuid4

from alliance.exchange.model import Quote
from alliance.exchange.queries import read_quotes
from alliance.passcodes import Passcodes
from alliance.runtime import Runtime
from alliance.statements import queries as statements
from alliance.statements.rules import Pseudonyms
from domain.errors import LANGUAGES, Refusal
from domain.ledger import queries as ledger
from domain.ledger.queries import WalletFigures, WalletKey
from domain.ledger.statements import By
from domain.members import queries as members
from domain.members.model import MemberRef, Resolved
from resolvers.loaders import Loaders
from resolvers.loading import Gatherer
from resolvers.policy import Denied
from resolvers.viewer import Viewer
from resolvers.waking import Waking

MemberAsk = tuple[str, MemberRef]


class House:
    """What all calls of a process share: the runtime, the secret of fingerprints, and the loaders of the hot path."""

    def __init__(self, runtime: Runtime, fingerprint_secret: bytes, *, webhook_private: bool = False) -> None:
        self.runtime = runtime
        self.webhook_private = webhook_private
        self.passcodes: Passcodes | None = None
        self.fingerprint_secret = fingerprint_secret
        self.resolve: Gatherer[MemberAsk, Resolved] = Gatherer(self._resolve)
        self.wallets: Gatherer[WalletKey, list[WalletFigures]] = Gatherer(self._wallets)
        self.quotes: Gatherer[tuple[UUID, UUID], Quote | None] = Gatherer(self._quotes)
        self._offers = runtime.database.standing()
        self._members = runtime.database.standing()
        self._ledger = runtime.database.standing()
        self._pseudonyms: Pseudonyms | None = None
        self.waking = Waking(runtime.database)

    async def pseudonyms(self) -> Pseudonyms:
        """The names that merchants share; their key is read once."""
        if self._pseudonyms is None:
            self._pseudonyms = await statements.pseudonyms(self.runtime.database)
        return self._pseudonyms

    async def _resolve(self, asks: list[MemberAsk]) -> Sequence[Resolved | Refusal]:
        catalogue = self.runtime.catalogue
        return await self._members.run(lambda connection: members.resolve(connection, catalogue, asks))

    async def _quotes(self, keys: list[tuple[UUID, UUID]]) -> Sequence[Quote | None]:
        return await self._offers.run(lambda connection: read_quotes(connection, keys))

    async def _wallets(self, keys: list[WalletKey]) -> Sequence[list[WalletFigures]]:
        once = list(dict.fromkeys(keys))
        found = await self._ledger.run(lambda connection: ledger.wallets(connection, once))
        return [found[key] for key in keys]


class Context:
    """One call. `viewer` is None for who has not signed in.

    `past` is by which time the past is told: where the caller sets the clock, by the clock that earlier calls set.
    """

    def __init__(
        self,
        house: House,
        viewer: Viewer | None,
        as_of: datetime,
        language: str = "en",
        request_id: str | None = None,
        past: By = "booked_at",
    ) -> None:
        self.house = house
        self.past = past
        self.runtime = house.runtime
        self.viewer = viewer
        self.as_of = as_of
        self.language = language
        self._request_id = request_id
        self._loaders: Loaders | None = None

    @property
    def request_id(self) -> str:
        """Names this call in the log, and to a client that must be told of a fault."""
        if self._request_id is None:
            self._request_id = uuid4().hex
        return self._request_id

    @property
    def signed_in(self) -> Viewer:
        """The viewer. Raises Denied where nobody signed in."""
        if self.viewer is None:
            raise Denied("UNAUTHENTICATED", "sign in first")
        return self.viewer

    @property
    def loaders(self) -> Loaders:
        """Loaders that remember what they loaded, for this call."""
        if self._loaders is None:
            self._loaders = Loaders(self.runtime, self.signed_in, self.as_of)
        return self._loaders

    def forget(self) -> None:
        """Load anew from here on: a mutation comes, and what was read before may change."""
        self._loaders = None

    def anew(self, now: datetime) -> None:
        """Go on with a call that lasts: all is loaded again, as of now, unless the caller set the clock."""
        self.forget()
        if self.past == "booked_at":
            self.as_of = now

    @property
    def own_merchant_id(self) -> UUID | None:
        """The merchant that a merchant's viewer is limited to; None for all other kinds."""
        return self.signed_in.merchant_id if self.signed_in.kind == "merchant" else None


@lru_cache(maxsize=256)
def language_of(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header; English where none fits."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:200].split(",")):
        tag, _, parameters = part.strip().partition(";")
        try:
            quality = float(parameters.partition("=")[2]) if parameters else 1.0
        except ValueError:
            quality = 0.0
        match = next((ours for ours in LANGUAGES if _fits(tag, ours)), None)
        if match is not None and quality > 0:
            ranked.append((-quality, place, match))
    return min(ranked)[2] if ranked else LANGUAGES[0]


def _fits(tag: str, ours: str) -> bool:
    return tag == "*" or tag.lower().split("-")[0] == ours.lower().split("-")[0]
