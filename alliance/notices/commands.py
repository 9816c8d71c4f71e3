"""Windows in which holders are told, and dates that move, as requests for the posting engine (L2, R7)."""

from datetime import datetime, timedelta

from alliance.notices.queries import Ending
from domain.ledger.extensions import Extend, NoticeWindow
from domain.notices.commands import NewNotice
from domain.notices.model import NoticeKind
from domain.programs.catalogue import Catalogue, Currency


def window_of(catalogue: Catalogue, currency: str, as_of: datetime) -> NoticeWindow | None:
    """When holders of a currency have to be told, by the policy in force; None where they need not be."""
    kind = catalogue.currencies.get(currency)
    days = None if kind is None else kind.policy_at(as_of).notice
    return None if days is None else NoticeWindow(timedelta(days=days[1]), timedelta(days=days[0]))


def notice_of(currency: Currency, window: NoticeWindow, ending: Ending) -> NewNotice:
    """What a holder is to be told, while the window is open."""
    opens, closes = ending.ends - window.longest, ending.ends - window.shortest
    issuer_id = currency.merchant_id
    return NewNotice(
        ending.holder_id, NoticeKind.EXPIRY, currency.code, issuer_id, ending.points, ending.ends, opens, closes
    )


def extend_request(currency: Currency, window: NoticeWindow, ending: Ending, as_of: datetime) -> Extend:
    """Let points that nobody could be told of live longer, by the window."""
    return Extend(
        holder_id=ending.holder_id,
        key=None,
        client_id=None,
        as_of=as_of,
        occurred_at=as_of,
        currency=currency.code,
        issuer_id=currency.merchant_id,
        ends=ending.ends,
        until=window.next_end(ending.ends, as_of),
        why="NO_CHANNEL" if ending.no_channel else "NOT_DELIVERED",
        window=window,
        version=currency.policy_at(as_of).version,
    )
