"""How profiles are refused."""

from domain.errors import Refusal


class UnknownAttribute(Refusal):
    """No attribute of this name is declared, or it is out of the caller's reach."""

    code = "UNKNOWN_ATTRIBUTE"
    text = {"en": "there is no attribute {attribute}", "zh-CN": "没有名为 {attribute} 的属性"}
    remembered = False


class UnfitAttribute(Refusal):
    """A value that its attribute does not take; `expected` says what it does, in English words for developers."""

    code = "UNFIT_ATTRIBUTE"
    text = {"en": "{attribute} must be {expected}", "zh-CN": "{attribute} 的值不符合要求：{expected}"}
    remembered = False


class TagByRule(Refusal):
    """A rule of the alliance file puts the tag, and takes it away: nobody does by hand."""

    code = "TAG_BY_RULE"
    text = {"en": "{tag} is put by a rule", "zh-CN": "{tag} 由规则自动设置"}
    remembered = False


class AttributeReadOnly(Refusal):
    """The caller may see the attribute and not set it."""

    code = "ATTRIBUTE_READ_ONLY"
    text = {"en": "{attribute} is set by others", "zh-CN": "{attribute} 不能由此方设置"}
    remembered = False
