"""Values that nobody expects, put anywhere into a JSON, YAML or TOML value; and the text of such a file made strange."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from .contents import dumped

DEEP = 3000
# Stand for what json.dumps does not write; replaced in the text.
_HUGE, _TOO_LARGE, _DEEP, _DEEPEST = "@huge@", "@1e400@", "@deep@", "@deepest@"
_RAW = {
    _HUGE: "1" + "0" * 400,
    _TOO_LARGE: "1e400",
    _DEEP: "[" * DEEP + "]" * DEEP,
    _DEEPEST: '{"a":' * 100_000 + "1" + "}" * 100_000,
}

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 1e154, 5e-324, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64),
    *(float("nan"), float("inf"), float("-inf"), _HUGE, _TOO_LARGE, _DEEP, _DEEPEST),
    *("", " ", "a", "nan", "NaN", "inf", "1e999", "N/A", "None", "null", "true", "1", "1,5", "0x10", "1_000", "-", "2024-12-31", "2024-13-45", "12:30:45"),
    *("\ud800", "a\udc00b", "\x00", "\x1b[2J", "\u202e", "\ufeff", "e\u0301", "\U0001f600", "x" * 100_000, "\n", "=cmd()", "{prompt}", "{{ 7 * 7 }}"),
    *([], {}, [[]], [None], [1, "a", None], {"a": 1}, {"": ""}, [{"role": "user", "content": "x"}], [{"role": None, "content": 1}], [{"a": [1, {"b": None}]}]),
    *(list(range(1000)), ["a"] * 3, {"role": "user"}, "arena", "auto", "../..", "/dev/zero", "/dev/null", ".", "~", "*.parquet", "[a]", "hf:x"),
)  # fmt: skip

Change = Callable[[Any, Random], Any]


def value_replaced(value: Any, rng: Random) -> Any:
    return _at_a_place(value, rng, lambda _old: rng.choice(VALUES))


def value_wrapped(value: Any, rng: Random) -> Any:
    return _at_a_place(
        value, rng, lambda old: rng.choice([[old], {"value": old}, [old, old], str(old), [None, old]])
    )


def key_dropped(value: Any, rng: Random) -> Any:
    def change(parent: Any, key: Any) -> None:
        del parent[key]

    return _at_a_parent(value, rng, change)


def key_renamed(value: Any, rng: Random) -> Any:
    def change(parent: Any, key: Any) -> None:
        if isinstance(parent, dict):
            new = rng.choice(
                [
                    "",
                    " ",
                    key + "s",
                    key.upper(),
                    "x" * 5000,
                    "\ud800",
                    "\x00",
                    "__class__",
                    "0",
                    "policy",
                    "score",
                    "null",
                ]
            )
            parent[new] = parent.pop(key)
        else:
            parent.append(parent[key])

    return _at_a_parent(value, rng, change)


def key_added(value: Any, rng: Random) -> Any:
    def change(parent: Any, _key: Any) -> None:
        if isinstance(parent, dict):
            parent[
                rng.choice(["extra", "score", "rating", "margin", "date", "games", "policy", "a" * 300])
            ] = rng.choice(VALUES)
        else:
            parent.insert(0, rng.choice(VALUES))

    return _at_a_parent(value, rng, change)


def column_mixed(value: Any, rng: Random) -> Any:
    """One key of many rows with values of many kinds."""
    rows = value if isinstance(value, list) else None
    if not rows or not all(isinstance(r, dict) and r for r in rows):
        return value_replaced(value, rng)
    key = rng.choice(list(rows[0]))
    few = rng.sample(VALUES, rng.choice([1, 2, 3]))
    share = rng.choice([0.03, 0.3, 1.0])
    return [{**r, key: rng.choice(few) if rng.random() < share else r.get(key)} for r in rows]


def rows_changed(value: Any, rng: Random) -> Any:
    if not isinstance(value, list):
        return rng.choice([[value], {"rows": value}, [], {}, None, 3, "text", [value, value]])
    kinds = [
        list, lambda: value[:1], lambda: value[:2], lambda: value + value, lambda: [*value, rng.choice(VALUES)],
        lambda: [rng.choice(VALUES), *value], lambda: {"data": value}, lambda: {str(i): v for i, v in enumerate(value)},
        lambda: [list(v.values()) if isinstance(v, dict) else v for v in value], lambda: rng.choice(VALUES), lambda: [None] * 5,
        lambda: [{}] * 5, lambda: rng.sample(value, len(value)),
    ]  # fmt: skip
    return rng.choice(kinds)()


TREE: tuple[Change, ...] = (
    *[value_replaced] * 5,
    value_wrapped,
    key_dropped,
    key_renamed,
    key_added,
    *[column_mixed] * 4,
    rows_changed,
)


# --- text -----------------------------------------------------------------------------------------


def as_text(value: Any, suffix: str) -> str:
    """The value as a file of this kind, with what the writers refuse put into the text itself."""
    text = dumped(value, suffix)
    for mark, raw in _RAW.items():
        if mark in text:
            bare = f'"{mark}"' if f'"{mark}"' in text else f"'{mark}'" if f"'{mark}'" in text else mark
            text = text.replace(bare, raw)
    return text


def json_text(text: str, rng: Random) -> str:
    return rng.choice(
        [_key_twice, _comments, _trailing_commas, _single_quotes, _numbers_strange, _names_of_numbers]
    )(text, rng)


def yaml_text(text: str, rng: Random) -> str:
    """What YAML has and JSON has not: tags, anchors, dates, merges, documents, directives."""
    values = (
        "2024-12-31", "2024-13-45", "2024-12-31T10:00:00Z", "!!int x", "!!python/object/apply:os.system ['true']", "!!binary aGVsbG8=",
        "!!timestamp x", "!!set {a, b}", "!!omap [a: 1]", "!!float x", "!!null x", "!!bool x", "!!str 1", "!unknown 1", "!!binary x", "!!pairs [a: 1]",
        "&a [*a]", "&a {b: *a}", "*missing", "{? [a]: 1}", "{? {a: b}: 1}", "~", "[1, 2", "{a: 1", "'open", "|\n  a\n b", "12:30:45", "0o17", "0x1F", "1_000",
        ".nan", ".inf", "-.inf", "1e400", "1" + "0" * 400, "[" * 40 + "]" * 40, "[" * 4000, "- a", "a: b: c", "@x", "`x`", "%x", "yes", "off", "\t1", "=", "<<",
    )  # fmt: skip
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind < 3:
        lines[at] = re.sub(r":.*", lambda _: f": {rng.choice(values)}", lines[at], count=1)
    elif kind == 3:
        extra = [
            "<<: *x",
            "---",
            "...",
            "%YAML 9.9",
            "%TAG ! x",
            "? a\n? b",
            "x: &x {a: 1}\n<<: [*x, *x]",
            "name: again",
            "[a, b]: 1",
            "1: 2",
            "2024-12-31: 1",
            "? [1, 2]\n: 3",
            "null: 1",
            "true: 1",
        ]
        lines.insert(at, rng.choice(extra))
    elif kind == 4:
        lines[at] = rng.choice(["\t", "  ", "      ", "\x00", "\x85", "\u2028", "#", "- "]) + lines[at]
    else:
        del lines[at : at + rng.randint(1, 6)]
    return "\n".join(lines) + "\n"


def toml_text(text: str, rng: Random) -> str:
    values = (
        "2024-12-31", "2024-13-45", "12:30:45", "nan", "inf", "1" + "0" * 400, "0x1F", "true", "[]", "{}", '""', "''", "1", "-1", "0.5", "1e400",
        "[" * 2000 + "]" * 2000, "[1, 'a', []]", "{a = {b = {c = 1}}}", '"""open', '"\\ud800"', "'" + "x" * 100_000 + "'", '"{prompt} {nothing} {first.__class__}"', '"\\u0000"',
    )  # fmt: skip
    lines = text.splitlines()
    at = rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind < 2 and "=" in lines[at]:
        lines[at] = lines[at].split("=", 1)[0] + "= " + rng.choice(values)
    elif kind == 2:
        lines.insert(
            at,
            rng.choice(
                [
                    lines[at],
                    "[tokens]",
                    "[[tokens]]",
                    "a.b.c = 1",
                    "[a]\n[a]",
                    "= 1",
                    "x",
                    "[verdict.labels]",
                    '"" = 1',
                    "[" + "a." * 3000 + "a]",
                ]
            ),
        )
    else:
        del lines[at]
    return "\n".join(lines) + "\n"


TEXT = {".json": json_text, ".jsonl": json_text, ".yaml": yaml_text, ".toml": toml_text}


# --- details --------------------------------------------------------------------------------------


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += _places(part, (*path, key))
    return found


def _chosen(places: list[tuple[Any, ...]], rng: Random) -> tuple[Any, ...]:
    """Each depth as likely: else nearly all changes were made in the leaves."""
    depth = rng.choice(sorted({len(p) for p in places}))
    return rng.choice([p for p in places if len(p) == depth])


def _at_a_place(value: Any, rng: Random, change: Callable[[Any], Any]) -> Any:
    value = copy.deepcopy(value)
    path = _chosen(_places(value), rng)
    if not path:
        return change(value)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = change(parent[path[-1]])
    return value


def _at_a_parent(value: Any, rng: Random, change: Callable[[Any, Any], None]) -> Any:
    value = copy.deepcopy(value)
    places = [p for p in _places(value) if p]
    if places:
        path = _chosen(places, rng)
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        change(parent, path[-1])
    return value


def _key_twice(text: str, rng: Random) -> str:
    return re.sub(r'("\w+": )("[^"]*"|[\d.]+)', r"\1\2, \1\2", text, count=rng.choice([1, 0]))


def _comments(text: str, _rng: Random) -> str:
    return text.replace("{", "{ /* note */", 1)


def _trailing_commas(text: str, _rng: Random) -> str:
    return text.replace("}", ",}", 1)


def _single_quotes(text: str, _rng: Random) -> str:
    return text.replace('"', "'")


def _numbers_strange(text: str, rng: Random) -> str:
    new = rng.choice(
        [
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "01",
            "+1",
            ".5",
            "5.",
            "1" + "0" * 400,
            "-1" + "0" * 5000,
            "0x1",
            "1_0",
            "１",
            "1e-999",
            "-0",
        ]
    )
    numbers = list(re.finditer(r"(?<=: )-?\d[\d.e+-]*", text))
    if not numbers:
        return json.dumps(new)
    found = rng.choice(numbers)
    return text[: found.start()] + new + text[found.end() :]


def _names_of_numbers(text: str, _rng: Random) -> str:
    return re.sub(r': "([^"]*)"', ": NaN", text, count=1)
