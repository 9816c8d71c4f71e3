"""When points end, in words for people."""

from domain.programs.catalogue import ExpiryPolicy

_SPAN = {
    "en": {"months": "{} months", "days": "{} days"},
    "zh-CN": {"months": "{}个月", "days": "{}天"},
}
_ROUNDED = {
    "en": {"month": "month", "quarter": "quarter", "year": "year"},
    "zh-CN": {"month": "当月", "quarter": "当季", "year": "当年"},
}
_WORDS = {
    "en": {
        "rolling": "{span}",
        "rounded": "{span}, to the end of the {period}",
        "fixed": "until {on}",
        "end_of_year": "until the end of the year",
        "end_of_later_year": "until the end of the year + {years}",
        "anniversary": "until the anniversary of joining",
        "later_anniversary": "until the anniversary of joining + {years}",
        "inactivity": "{span} without activity",
        "never": "never",
    },
    "zh-CN": {
        "rolling": "{span}",
        "rounded": "{span}，至{period}末",
        "fixed": "至{on}",
        "end_of_year": "至当年年末",
        "end_of_later_year": "至{years}年后的年末",
        "anniversary": "至入会周年日",
        "later_anniversary": "至入会周年日后{years}年",
        "inactivity": "连续{span}无活动后失效",
        "never": "永不过期",
    },
}


def in_words(policy: ExpiryPolicy, language: str) -> str:
    """An expiry policy as a short text, in one of our languages."""
    spans, kind = _SPAN[language], policy.kind
    span = spans["months"].format(policy.months) if policy.months else spans["days"].format(policy.days)
    which = {
        "rolling": "rounded" if policy.round_up_to else "rolling",
        "end_of_year": "end_of_later_year" if policy.years else "end_of_year",
        "anniversary": "later_anniversary" if policy.years else "anniversary",
    }.get(kind, kind)
    period = _ROUNDED[language].get(policy.round_up_to or "", "")
    return _WORDS[language][which].format(span=span, period=period, on=policy.on, years=policy.years)
