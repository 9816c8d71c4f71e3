"""How money is refused to be moved."""

from domain.errors import Refusal


class NotEnoughMoney(Refusal):
    """An account holds less than is to be taken from it; amounts are of the settlement currency."""

    code = "NOT_ENOUGH_MONEY"
    text = {
        "en": "the account {account} holds {available}, not {requested}",
        "zh-CN": "账户 {account} 余额为 {available}，不足 {requested}",
    }
