"""How members are refused."""

from domain.errors import Refusal


class MemberNotFrozen(Refusal):
    """The member is active already."""

    code = "MEMBER_NOT_FROZEN"
    text = {"en": "the member is not frozen", "zh-CN": "该会员未被冻结"}


class IdentifierTaken(Refusal):
    """The identifier at `path` belongs to another member than the one it was asked for, or named with: `type`."""

    code = "IDENTIFIER_TAKEN"
    text = {"en": "this {type} belongs to another member", "zh-CN": "该 {type} 已属于其他会员"}
