"""How a re-rating is refused."""

from domain.errors import Refusal


class NothingToRerate(Refusal):
    """No line of these days is at another price."""

    code = "NOTHING_TO_RERATE"
    text = {"en": "no line of these days is at another price", "zh-CN": "该期间没有价格不同的明细"}
