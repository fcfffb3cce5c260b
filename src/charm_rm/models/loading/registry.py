"""What well-known reward models need, as data: ``charm_rm/data/reward_models.toml``, one small entry each.

An entry says how to read a model that transformers alone would read wrongly or not at all: where its head
lies in the checkpoint, which output is the reward and with which sign, which template its authors scored with.
Every fact has its source; what could not be verified is left out and said in ``notes``.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...errors import ConfigError, did_you_mean
from ...policy_names import near_policies
from .reduction import parse_reward

_DATA = "reward_models.toml"
Kind = Literal["sequence-classifier", "linear-head", "gated", "remote-code", "first-token", "pair-ranker"]
_Url = Annotated[str, Field(pattern=r"^https://\S+$")]


class Entry(BaseModel):
    """One family of reward models and how it is read; see ``docs/models.md`` for the fields in words."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    # Hub ids as glob patterns, matched without regard to case.
    ids: list[str] = Field(min_length=1)
    source: list[_Url] = Field(min_length=1)
    kind: Kind
    # Class names in config.json that belong to this family alone, and what else config.json must say.
    architectures: list[str] = []
    config: dict[str, str] = {}
    # A model_type to read config.json as, where transformers does not know its own.
    model_type: str | None = None
    # Where configuration and tokenizer come from, if the model's own repository has none.
    base: str | None = None
    # The head's layers as they are called in the checkpoint, with "relu" or "tanh" between them.
    head: list[str] = []
    # The token whose hidden state the head reads; "config": config.json's own ``pooling`` says it.
    pooling: Literal["last", "first", "mean", "config"] = "last"
    # Gated: the token ids that end the prompt, at which the gate reads it.
    gate_pattern: list[int] = []
    # Name under which the checkpoint keeps mean and variance that scores are normalised with, if config.json says so.
    normaliser: str | None = None
    # Remote code: the auto class that loads it, and the field of its output that holds the reward.
    auto_class: Literal["AutoModel", "AutoModelForSequenceClassification"] | None = None
    output: str | None = None
    trust_remote_code: bool = False
    # What is taken as the reward, in the words of the option ``reward``; and -1 where lower is better.
    reward: str | None = None
    sign: Literal[1, -1] = 1
    # Jinja chat template that replaces the tokenizer's, and the key in config.json of a token that must end the text.
    template: str | None = None
    end_token: str | None = None
    # Whether the text that the model sees begins with a BOS.
    bos: bool | None = None
    max_length: int | None = Field(default=None, gt=0)
    padding_side: Literal["left", "right"] | None = None
    notes: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Entry:
        """Each kind has the fields that it is read by."""
        needed: dict[str, bool] = {
            "linear-head": bool(self.head),
            "gated": bool(self.gate_pattern),
            "remote-code": bool(self.auto_class and self.output and self.trust_remote_code),
            "first-token": (self.reward or "").startswith("token:"),
        }
        if not needed.get(self.kind, True):
            raise ValueError(f"an entry of kind {self.kind} lacks a field that it is read by")
        if self.kind != "linear-head" and self.head:
            raise ValueError("only a linear-head has a head")
        if self.reward is not None:
            parse_reward(self.reward)
        return self

    def __str__(self) -> str:
        return self.name

    def reading(self) -> dict[str, Any]:
        """What of the entry decides a score: part of a model's fingerprint."""
        parts = {
            "head",
            "gate_pattern",
            "pooling",
            "normaliser",
            "output",
            "reward",
            "sign",
            "template",
            "end_token",
        }
        return self.model_dump(include=parts, exclude_defaults=True)


@functools.cache
def list_entries() -> tuple[Entry, ...]:
    """All entries of the shipped registry, in the order of the file.

    Raises:
        ConfigError: the file is not as it should be; the message names entry and field.
    """
    text = (resources.files("charm_rm") / "data" / _DATA).read_text(encoding="utf-8")
    return read_entries(text, where=_DATA)


def read_entries(text: str, *, where: str) -> tuple[Entry, ...]:
    """Read and check a registry: TOML with one table per entry, its name the table's."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=where, fix="correct the file there") from error
    return tuple(_entry(name, table, where) for name, table in tables.items())


def entry_named(name: str) -> Entry:
    """The entry of this name.

    Raises:
        ConfigError: there is none.
    """
    known = {e.name: e for e in list_entries()}
    if name not in known:
        raise ConfigError(
            f"the registry of reward models has no entry {name!r}.{near_policies(name, known)}",
            fix="docs/models.md lists the entries",
        )
    return known[name]


def find_entry(path_or_id: str | os.PathLike[str], config: Any = None) -> Entry | None:
    """The entry that a model belongs to, or None.

    Looked for by hub id (also as the last parts of a local path, and in the hub's cache folders), then by the
    architecture in ``config`` (config.json as a mapping, or a transformers configuration), then by the id that
    ``config`` says it was saved from, if its architecture agrees: a model trained further is another model.
    """
    names = list(_names(path_or_id))
    architectures = set(_get(config, "architectures") or ())
    origin = list(_names(str(_get(config, "_name_or_path") or "")))
    entries = list_entries()
    by_id = [e for e in entries if _has_id(e, names)]
    by_architecture = [e for e in entries if _is_built_like(e, architectures, config)]
    by_origin = [e for e in entries if _has_id(e, origin) and architectures & set(e.architectures)]
    for found in (by_id, by_architecture, by_origin):
        if len(found) == 1:
            return found[0]
    return None


# --- details ------------------------------------------------------------------------------------


def _entry(name: str, table: Any, where: str) -> Entry:
    if not isinstance(table, dict):
        raise ConfigError(f"{name!r} is not a table", where=where, fix=f"write it under [{name}]")
    try:
        return Entry(name=name, **table)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        hint = did_you_mean(field, Entry.model_fields) if first["type"] == "extra_forbidden" else ""
        raise ConfigError(
            f"[{name}] {field}: {first['msg']}.{hint}", where=where, fix="correct the entry (docs/models.md)"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"[{name}] {error.what}", where=where, fix=error.fix) from error


def _names(path_or_id: str | os.PathLike[str]) -> Iterator[str]:
    """The hub ids that a path or id may stand for: ``owner/name``, and ``name`` alone for a folder."""
    parts = [p for p in Path(path_or_id).parts if p not in (os.sep, ".", "..")]
    for part in parts:  # the hub's cache: models--owner--name/snapshots/HASH
        if cached := re.fullmatch(r"models--([^/]+?)--(.+)", part):
            yield f"{cached[1]}/{cached[2]}".lower()
    if parts:
        yield "/".join(parts[-2:]).lower()
        yield parts[-1].lower()


def _has_id(entry: Entry, names: list[str]) -> bool:
    patterns = [i.lower() for i in entry.ids]
    patterns += [i.rsplit("/", 1)[-1] for i in patterns]
    return any(fnmatch.fnmatchcase(n, p) for n in names for p in patterns if n.count("/") == p.count("/"))


def _is_built_like(entry: Entry, architectures: set[str], config: Any) -> bool:
    """True where the architecture is this family's alone; transformers' own classes name no family."""
    own = architectures & {a for a in entry.architectures if "ForSequenceClassification" not in a}
    own -= {a for a in own if a.endswith("ForCausalLM")}
    return bool(own) and all(_get(config, key) == value for key, value in entry.config.items())


def _get(config: Any, key: str) -> Any:
    return config.get(key) if isinstance(config, Mapping) else getattr(config, key, None)
