"""What a generative judge is asked, as a file: the words, how the verdict is read, how long an answer may be.

A template is TOML. Its texts hold the placeholders ``{prompt}``, ``{first}``, ``{second}`` (the responses in the order
shown) and ``{mark}`` (digits that depend on the texts, which therefore no response can know and imitate). They are
filled in one pass over the template alone: what a response contains is never looked at again.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ..conversations import prompt_text
from ..errors import ConfigError, UnreadableFile, did_you_mean, listing
from ..memo import content_key
from ..protocols import Prompt
from ..reading.files import read_text

DEFAULT_TEMPLATE = "alpaca-eval-like"
_FOLDER = "judge_prompts"
_LONGEST = 2**20
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_KNOWN = ("prompt", "first", "second", "mark")


@dataclass(frozen=True)
class TokenReading:
    """Which first tokens name the first response and which the second; ``strip`` is taken off a token's ends."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    top: int = 20
    strip: str = ""
    ignore_case: bool = False


@dataclass(frozen=True)
class LabelReading:
    """Labels in the text of an answer, between ``open`` and ``close``, and the P(first is better) that each stands for."""

    labels: Mapping[str, float]
    open: str = ""
    close: str = ""
    ignore_case: bool = False


@dataclass(frozen=True)
class Template:
    """A judge's prompt and how its answer is read. ``tokens`` or ``verdict`` may be None, not both."""

    name: str
    description: str
    system: str
    user: str
    max_tokens: int
    tokens: TokenReading | None
    verdict: LabelReading | None

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a verdict: not of name and description."""
        readings = [None if r is None else vars(r) for r in (self.tokens, self.verdict)]
        return content_key("template", self.system, self.user, self.max_tokens, *readings)

    @property
    def top_logprobs(self) -> int:
        """How many candidates for the first token to ask for; 0: the answer is read from its text alone."""
        return 0 if self.tokens is None else self.tokens.top

    def fill(self, prompt: Prompt, first: str, second: str) -> list[dict[str, str]]:
        """The conversation that asks about two responses, in the order given."""
        text = prompt_text(prompt)
        values = {"prompt": text, "first": first, "second": second, "mark": _mark(text, first, second)}
        roles = (("system", self.system), ("user", self.user))
        return [
            {"role": role, "content": _PLACEHOLDER.sub(lambda found: values[found[1]], words)}
            for role, words in roles
            if words
        ]


def load_template(name_or_path: str | Path) -> Template:
    """A shipped template by its name (:func:`shipped_templates`), or one's own file.

    Raises:
        ConfigError: no such name, or a key or placeholder is missing, unknown or of the wrong kind.
        UnreadableFile: the file is missing or no TOML.
    """
    name = str(name_or_path)
    if name in shipped_templates():
        text = (resources.files("charm_rm") / "data" / _FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        return read_template(text, where=name)
    path = Path(name_or_path)
    if path.suffix != ".toml" and path.name == name and not path.exists():
        raise ConfigError(
            f"no judge prompt {name!r}.{did_you_mean(name, shipped_templates())}",
            fix=f"use one of {listing(shipped_templates())}, or the path of your own file",
        )
    return read_template(read_text(path, most=_LONGEST), where=name)


def shipped_templates() -> list[str]:
    """Names of the templates that come with the package."""
    folder = resources.files("charm_rm") / "data" / _FOLDER
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def read_template(text: str, *, where: str) -> Template:
    """A template of its TOML text; ``where`` is what messages call it."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UnreadableFile(
            f"is not TOML: {reason}", where=where, fix="see docs/judging.md for the format"
        ) from error
    keys = _Keys(table, where)
    template = Template(
        name=keys.text("name"),
        description=keys.text("description", default=""),
        system=keys.text("system", default="").strip(),
        user=keys.text("user").strip(),
        max_tokens=keys.whole("max_tokens", low=1),
        tokens=_token_reading(keys.table("tokens")),
        verdict=_label_reading(keys.table("verdict")),
    )
    keys.refuse_others()
    if template.tokens is None and template.verdict is None:
        raise ConfigError(
            "neither [tokens] nor [verdict] says how to read an answer", where=where, fix="add one"
        )
    _check_placeholders(template, where)
    return template


# --- details ------------------------------------------------------------------------------------


def _mark(prompt: str, first: str, second: str) -> str:
    """Eight hexadecimal digits that both orders of a pair share."""
    joined = "\0".join((prompt, *sorted((first, second))))
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _check_placeholders(template: Template, where: str) -> None:
    used = set(_PLACEHOLDER.findall(template.system + template.user))
    if unknown := sorted(used - set(_KNOWN)):
        raise ConfigError(
            f"unknown placeholder {{{unknown[0]}}}.{did_you_mean(unknown[0], _KNOWN)}",
            where=where,
            fix=f"use {', '.join(f'{{{k}}}' for k in _KNOWN)}; other words must not stand in single braces",
        )
    if missing := [k for k in ("prompt", "first", "second") if k not in used]:
        raise ConfigError(
            f"the texts lack the placeholder {{{missing[0]}}}",
            where=where,
            fix="the judge has to see it: add it",
        )


def _token_reading(keys: _Keys | None) -> TokenReading | None:
    if keys is None:
        return None
    reading = TokenReading(
        first=keys.words("first"),
        second=keys.words("second"),
        top=keys.whole("top", low=2, default=20),
        strip=keys.text("strip", default=""),
        ignore_case=keys.truth("ignore_case"),
    )
    keys.refuse_others()
    if both := _folded(reading.first, reading) & _folded(reading.second, reading):
        raise keys.error(
            f"{listing(sorted(both))} would mean either response", fix="give each its own tokens"
        )
    return reading


def _folded(names: Sequence[str], reading: TokenReading) -> set[str]:
    return {name.casefold() if reading.ignore_case else name for name in names}


def _label_reading(keys: _Keys | None) -> LabelReading | None:
    if keys is None:
        return None
    labels = keys.table("labels", required=True)
    reading = LabelReading(
        labels=labels.probabilities() if labels else {},
        open=keys.text("open", default=""),
        close=keys.text("close", default=""),
        ignore_case=keys.truth("ignore_case"),
    )
    keys.refuse_others()
    if reading.ignore_case and len({k.casefold() for k in reading.labels}) < len(reading.labels):
        raise keys.error("two labels differ in case alone", fix="set ignore_case = false, or rename one")
    return reading


class _Keys:
    """A TOML table read key by key, each checked; what was not asked for in the end is an error."""

    def __init__(self, table: Mapping[str, Any], where: str, prefix: str = "") -> None:
        self._table, self._where, self._prefix = table, where, prefix
        self._asked: list[str] = []

    def text(self, key: str, *, default: str | None = None) -> str:
        return str(self._get(key, str, default))

    def whole(self, key: str, *, low: int, default: int | None = None) -> int:
        value: int = self._get(key, int, default)
        if value < low:
            raise self.error(f"{self._prefix}{key} is {value}", fix=f"give at least {low}")
        return value

    def truth(self, key: str) -> bool:
        return bool(self._get(key, bool, False))

    def words(self, key: str) -> tuple[str, ...]:
        value = self._get(key, list, None)
        if not value or not all(isinstance(v, str) and v.strip() for v in value):
            raise self.error(f"{self._prefix}{key} should be a list of at least one text", fix="correct it")
        return tuple(v.strip() for v in value)

    def table(self, key: str, *, required: bool = False) -> _Keys | None:
        value = self._get(key, dict, None if required else {})
        return _Keys(value, self._where, f"{self._prefix}{key}.") if value or required else None

    def probabilities(self) -> dict[str, float]:
        for key, value in self._table.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= 1 or not key.strip():
                raise self.error(
                    f"label {key!r} stands for {value!r}",
                    fix="give each label the probability, in [0, 1], that A is better",
                )
        if len(self._table) < 2:
            raise self.error("fewer than two labels", fix="a verdict needs at least two to choose from")
        return {key: float(value) for key, value in self._table.items()}

    def refuse_others(self) -> None:
        if unknown := [k for k in self._table if k not in self._asked]:
            raise self.error(
                f"unknown key {self._prefix + unknown[0]!r}.{did_you_mean(unknown[0], self._asked)}",
                fix=f"known here: {listing(self._asked, limit=10)}",
            )

    def error(self, what: str, *, fix: str) -> ConfigError:
        return ConfigError(what, where=self._where, fix=fix)

    def _get(self, key: str, kind: type, default: Any) -> Any:
        self._asked.append(key)
        if key not in self._table and default is not None:
            return default
        value = self._table.get(key)
        if value is None:
            raise self.error(
                f"key {self._prefix + key!r} is missing", fix="add it; docs/judging.md has the format"
            )
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(
                f"{self._prefix + key} should be a {_KINDS[kind]}, found {value!r}", fix="correct it"
            )
        return value


_KINDS = {str: "text", int: "whole number", bool: "true/false", list: "list", dict: "table"}
