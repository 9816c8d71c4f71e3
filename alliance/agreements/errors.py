"""How agreements refuse."""

from domain.errors import Refusal


class UnsoundAgreement(Refusal):
    """Terms that would let someone gain from nothing (A3): `reasons`, each as far as the caller may know it."""

    code = "UNSOUND_AGREEMENT"
    text = {"en": "these terms are refused: {reason}", "zh-CN": "条款被拒绝：{reason}"}


class NoticeTooShort(Refusal):
    """Less notice than was agreed: `earliest` is the first day on which it may be, in the alliance's time zone."""

    code = "NOTICE_TOO_SHORT"
    text = {"en": "with the notice agreed on, not before {earliest}", "zh-CN": "按约定的通知期，不得早于 {earliest}"}


class WrongAgreementStatus(Refusal):
    """The step asks for another status of version `number` of the agreement."""

    code = "WRONG_AGREEMENT_STATUS"
    text = {
        "en": "version {number} is {status}; the step needs {needed}",
        "zh-CN": "第 {number} 版状态为 {status}，此步骤要求 {needed}",
    }
