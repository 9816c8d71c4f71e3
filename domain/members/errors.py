"""How members are refused."""

from domain.errors import Refusal


class MemberNotFrozen(Refusal):
    """The member is active already."""

    code = "MEMBER_NOT_FROZEN"
    text = {"en": "the member is not frozen", "zh-CN": "该会员未被冻结"}


class MemberNotLeaving(Refusal):
    """The member has not asked to leave, or has left."""

    code = "MEMBER_NOT_LEAVING"
    text = {"en": "the member is not about to leave", "zh-CN": "该会员未申请注销"}


class IdentifierTaken(Refusal):
    """The identifier at `path` belongs to another member than the one it was asked for, or named with: `type`."""

    code = "IDENTIFIER_TAKEN"
    text = {"en": "this {type} belongs to another member", "zh-CN": "该 {type} 已属于其他会员"}


class IdentifierNotVerified(Refusal):
    """None of what the member was named by identifies anybody yet: `type` has to be verified first."""

    code = "IDENTIFIER_NOT_VERIFIED"
    text = {
        "en": "this {type} identifies nobody before it is verified",
        "zh-CN": "该 {type} 须先验证才能识别会员",
    }
    remembered = False


class TooManyIdentifiers(Refusal):
    """A member has at most `most` identifiers of `type`."""

    code = "TOO_MANY_IDENTIFIERS"
    text = {"en": "a member has at most {most} of type {type}", "zh-CN": "每位会员最多可有 {most} 个 {type}"}


class LastIdentifier(Refusal):
    """Nothing but their number would be left to recognise the member by."""

    code = "LAST_IDENTIFIER"
    text = {
        "en": "this is the last by which the member is recognised, but for their number",
        "zh-CN": "这是除会员号外最后一个可识别该会员的标识",
    }


class MemberNumbersExhausted(Refusal):
    """The range of member numbers of `merchant` is at its end."""

    code = "MEMBER_NUMBERS_EXHAUSTED"
    text = {"en": "the member numbers of {merchant} are used up", "zh-CN": "{merchant} 的会员号段已用尽"}
    remembered = False
