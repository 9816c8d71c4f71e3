"""How work on duplicates refuses."""

from domain.errors import Refusal


class LibraryMissing(Refusal):
    """The libraries that score pairs are not installed here."""

    code = "LIBRARY_MISSING"
    text = {
        "en": "scoring needs the extra: pip install 'tessera-loyalty[duplicates]'",
        "zh-CN": "需要安装扩展：pip install 'tessera-loyalty[duplicates]'",
    }
    remembered = False


class NotLooking(Refusal):
    """The alliance file does not say by what duplicates are looked for."""

    code = "NOT_LOOKING"
    text = {
        "en": "the alliance file does not look for duplicates (members.duplicates)",
        "zh-CN": "联盟文件未启用重复会员查找（members.duplicates）",
    }
    remembered = False
