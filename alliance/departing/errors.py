"""How leaving is refused."""

from domain.errors import Refusal


class AlreadyLeaving(Refusal):
    """`merchant` gave notice before."""

    code = "ALREADY_LEAVING"
    text = {"en": "{merchant} has given notice already", "zh-CN": "{merchant} 已提交退出通知"}


class NotLeaving(Refusal):
    """`merchant` gave no notice, or its agreements are over."""

    code = "NOT_LEAVING"
    text = {"en": "{merchant} has no notice to withdraw", "zh-CN": "{merchant} 没有可撤回的退出通知"}
