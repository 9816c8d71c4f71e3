"""How the house refuses. A refusal is an answer, not a fault: it has a stable code, data, and words for people."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

LANGUAGES = ("en", "zh-CN")


class Refusal(Exception):
    """What a caller can cause. Each room's `errors.py` has its own, one class a way.

    `data` is JSON; a subclass names its keys in `text`, which is formatted with them. `remembered` says whether the
    same key gets the same refusal again (a rule said no) or may be tried anew (bad input, not found, not allowed).
    """

    code: ClassVar[str]
    text: ClassVar[dict[str, str]]
    remembered: ClassVar[bool] = True
    kinds: ClassVar[dict[str, type["Refusal"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Refusal.kinds[cls.__name__] = cls

    def __init__(self, *, path: Sequence[str] = (), **data: Any) -> None:
        self.path = tuple(path)
        self.data = data
        super().__init__(self.message())

    def message(self, language: str = "en") -> str:
        """What went wrong, in `language` (en where there is no translation)."""
        return self.text.get(language, self.text["en"]).format(**self.data)

    def to_json(self) -> dict[str, Any]:
        """What is stored under the key that was refused."""
        return {"kind": type(self).__name__, "path": list(self.path), "data": self.data}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Refusal":
        """The refusal that `to_json` stored."""
        return Refusal.kinds[stored["kind"]](path=stored["path"], **stored["data"])

    def at(self, *prefix: str) -> Self:
        """This refusal, with its path under `prefix`."""
        self.path = (*prefix, *self.path)
        return self


class InvalidInput(Refusal):
    """A value that a rule does not take; `reason` says why, in English words for developers."""

    code = "INVALID_INPUT"
    text = {"en": "{reason}", "zh-CN": "输入无效：{reason}"}
    remembered = False


class NotFound(Refusal):
    """What the caller named is not there, or is not theirs to see."""

    code = "NOT_FOUND"
    text = {"en": "{what} was not found", "zh-CN": "未找到 {what}"}
    remembered = False


class NotAllowed(Refusal):
    """The caller may not do this, here."""

    code = "NOT_ALLOWED"
    text = {"en": "not allowed: {reason}", "zh-CN": "无权操作：{reason}"}
    remembered = False


class IdempotencyConflict(Refusal):
    """The key was used before, with other content."""

    code = "IDEMPOTENCY_CONFLICT"
    text = {
        "en": "this idempotency key was used before with other content",
        "zh-CN": "该幂等键已用于其他内容",
    }
    remembered = False
