"""How probable it is that two members are one person: the model of Fellegi and Sunter ("A Theory for Record Linkage",
1969), by the library splink on DuckDB, in memory.

For each way in which a field of two may compare, `m` is how often it does so among pairs that are one person and `u`
among pairs that are not; log2(m / u) is its weight. The weights add up to that of the pair, from that of two at random.
The figures are fixed, so that the same two members get the same score whoever else there is.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from math import log2
from typing import Any
from uuid import UUID

from domain.duplicates.errors import LibraryMissing
from domain.duplicates.model import Features, Scored
from domain.programs.duplicates import SURE

MEMORY = "512MB"
"""What DuckDB may take."""

AT_ONCE = 10_000
"""Members that are compared at once."""

AT_RANDOM = 1e-5
"""How probable it is of two members taken at random that they are one person."""

Level = tuple[str, str, float, float]
"""How two compare: its name, when it is so (SQL), m, u."""

_MONTH_LEFT, _MONTH_RIGHT = ("substr(birthday_l, 6, 2)", "substr(birthday_r, 6, 2)")
_DAY_LEFT, _DAY_RIGHT = ("substr(birthday_l, 9, 2)", "substr(birthday_r, 9, 2)")

_SAME_YEAR = "left(birthday_l, 4) = left(birthday_r, 4)"

LEVELS: Mapping[str, tuple[str, tuple[Level, ...]]] = {
    "name": (
        "name_l = '' OR name_r = ''",
        (
            ("same", "name_l = name_r", 0.75, 0.0005),
            ("alike", "jaro_winkler_similarity(name_l, name_r) >= 0.92", 0.17, 0.002),
            ("other", "ELSE", 0.08, 0.9975),
        ),
    ),
    "birthday": (
        "birthday_l = '' OR birthday_r = ''",
        (
            ("same", "birthday_l = birthday_r", 0.92, 0.00005),
            ("turned", f"{_MONTH_LEFT} = {_DAY_RIGHT} AND {_DAY_LEFT} = {_MONTH_RIGHT} AND {_SAME_YEAR}", 0.02, 0.0001),
            ("alike", "damerau_levenshtein(birthday_l, birthday_r) <= 1", 0.04, 0.002),
            ("other", "ELSE", 0.02, 0.99785),
        ),
    ),
    "phone": (
        "len(phones_l) = 0 OR len(phones_r) = 0",
        (
            ("same", "len(list_intersect(phones_l, phones_r)) > 0", 0.4, 0.00002),
            ("alike", "damerau_levenshtein(phone_l, phone_r) <= 1", 0.1, 0.0001),
            ("other", "ELSE", 0.5, 0.99988),
        ),
    ),
    "email": (
        "len(emails_l) = 0 OR len(emails_r) = 0",
        (
            ("same", "len(list_intersect(emails_l, emails_r)) > 0", 0.4, 0.00001),
            ("alike", "len(list_intersect(locals_l, locals_r)) > 0", 0.15, 0.0005),
            ("other", "ELSE", 0.45, 0.99949),
        ),
    ),
    "address": (
        "address_l = '' OR address_r = ''",
        (
            ("same", "address_l = address_r", 0.6, 0.0005),
            ("alike", "jaro_winkler_similarity(address_l, address_r) >= 0.92", 0.15, 0.005),
            ("other", "ELSE", 0.25, 0.9945),
        ),
    ),
    "stores": (
        "len(stores_l) = 0 OR len(stores_r) = 0",
        (
            ("shared", "len(list_intersect(stores_l, stores_r)) > 0", 0.7, 0.2),
            ("none", "ELSE", 0.3, 0.8),
        ),
    ),
}
"""By field: when nothing is known, and the ways in which two compare; the first that holds counts."""

_LABELS = {(name, round(100 * log2(m / u))): label for name, (_, levels) in LEVELS.items() for label, _, m, u in levels}
"""The name of a way in which two compare, by field and weight in hundredths of a bit."""

EXACT = frozenset({"phone", "email"})
"""Fields of which the same value alone is worth a look."""


def score(features: Sequence[Features], shared: Mapping[UUID, Sequence[str]], least: int) -> Iterator[Scored]:
    """The pairs among these members that share a key, and are one person with a probability of at least `least`
    (millionths), or have a telephone number or an e-mail address in common.

    Raises LibraryMissing where the extra `duplicates` is not installed.
    """
    try:
        import duckdb
        import pyarrow
        from splink import DuckDBAPI, Linker, SettingsCreator
    except ImportError:
        raise LibraryMissing from None
    rows = [_row(one, shared.get(one.holder_id, ())) for one in features]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(name, *levels) for name, levels in LEVELS.items()],
        blocking_rules_to_generate_predictions=[{"blocking_rule": "l.keys = r.keys", "arrays_to_explode": ["keys"]}],
        probability_two_random_records_match=AT_RANDOM,
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
        unique_id_column_name="id",
    )
    # Personal values are in there: nothing is spilled to disk.
    limits: dict[str, Any] = {"memory_limit": MEMORY, "threads": "2", "temp_directory": ""}
    with duckdb.connect(":memory:", config=limits) as connection:
        table = DuckDBAPI(connection).register(pyarrow.Table.from_pylist(rows, schema=_schema(pyarrow)))
        linker = Linker(table, settings, log_level=logging.ERROR, validate_settings=False)
        for row in linker.inference.predict().as_record_list():
            if (found := _scored(row)).exact or found.probability >= least:
                yield found


def _schema(pyarrow: Any) -> Any:
    text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
    single = [(name, text) for name in ("id", "name", "birthday", "address", "phone")]
    return pyarrow.schema(single + [(name, texts) for name in ("phones", "emails", "locals", "stores", "keys")])


def _row(one: Features, keys: Sequence[str]) -> dict[str, Any]:
    single = {"id": str(one.holder_id), "name": one.name, "birthday": one.birthday, "address": one.address}
    single["phone"] = one.phones[0] if one.phones else ""
    many = {"phones": one.phones, "emails": one.emails, "stores": one.stores, "keys": keys}
    many["locals"] = [email.partition("@")[0] for email in one.emails]
    return single | {name: list(values) for name, values in many.items()}


def _comparison(name: str, unknown: str, levels: Sequence[Level]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [{"sql_condition": unknown, "label_for_charts": "unknown", "is_null_level": True}]
    for label, condition, m, u in levels:
        figures = {"m_probability": m, "u_probability": u}
        found.append({"sql_condition": condition, "label_for_charts": label} | figures)
    return {"output_column_name": name, "comparison_levels": found}


def _scored(row: Mapping[str, Any]) -> Scored:
    weights = {name: round(100 * row[f"mw_{name}"]) for name in LEVELS}
    # What is not known weighs nothing, and nothing else does.
    features = {name: (_LABELS[name, weight], weight) for name, weight in weights.items() if weight}
    one, other = sorted((UUID(row["id_l"]), UUID(row["id_r"])))
    exact = any(features.get(name, ("",))[0] == "same" for name in EXACT)
    return Scored(one, other, round(SURE * row["match_probability"]), features, exact)
