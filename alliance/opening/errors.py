"""How a table of opening balances is refused."""

from domain.errors import Refusal


class RepeatedReference(Refusal):
    """Two rows of a table have one reference."""

    code = "REPEATED_REFERENCE"
    text = {"en": "reference {reference!r} stands in an earlier row", "zh-CN": "编号 {reference!r} 与前面的行重复"}
    remembered = False


class BalanceExpired(Refusal):
    """The points were dead before they came."""

    code = "BALANCE_EXPIRED"
    text = {"en": "these points expired at {expired}", "zh-CN": "这些积分已于 {expired} 到期"}
    remembered = False


class BrokenRow(Refusal):
    """The row has another number of fields than the header."""

    code = "BROKEN_ROW"
    text = {"en": "{found} fields, and the header has {expected}", "zh-CN": "该行有 {found} 列，表头有 {expected} 列"}
    remembered = False
