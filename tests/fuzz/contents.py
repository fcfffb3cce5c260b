"""What a file of an input holds, before it is written: so that changes can be made at the level where people make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import yaml

TABLES = (".parquet", ".csv", ".jsonl", ".json")


@dataclass(frozen=True, eq=False)
class Rows:
    """A table, in any of the formats ``suffixes``; ``metadata`` goes with Parquet."""

    frame: pl.DataFrame
    suffixes: tuple[str, ...] = TABLES
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Document:
    """A JSON, JSONL (a list of rows), YAML or TOML document."""

    value: Any
    suffix: str


@dataclass(frozen=True, eq=False)
class Text:
    """Text of no structure that anything here knows."""

    text: str
    suffix: str


@dataclass(frozen=True, eq=False)
class Raw:
    """Bytes."""

    data: bytes
    suffix: str


Content = Rows | Document | Text | Raw
Folder = Mapping[str, Content]


def written(content: Content, suffix: str) -> bytes:
    """The bytes of the file, as a good tool would write it."""
    if isinstance(content, Raw):
        return content.data
    if isinstance(content, Text):
        return content.text.encode()
    if isinstance(content, Document):
        return dumped(content.value, suffix).encode("utf-8", "surrogatepass")
    if suffix == ".parquet":
        return parquet(content.frame, content.metadata)
    if suffix == ".csv":
        return content.frame.write_csv().encode()
    return dumped(content.frame.to_dicts(), suffix).encode()


def parquet(frame: pl.DataFrame, metadata: Mapping[str, str]) -> bytes:
    import io

    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata=dict(metadata))
    return buffer.getvalue()


def dumped(value: Any, suffix: str) -> str:
    """A value as JSON, JSONL, YAML or TOML text (what none of them can say, as text)."""
    if suffix == ".jsonl" and isinstance(value, list):
        return "".join(json.dumps(row, default=str) + "\n" for row in value)
    if suffix == ".yaml":
        return yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False)
    if suffix == ".toml":
        return _toml(value)
    return json.dumps(value, default=str)


def read_content(path: Path) -> Content:
    """A file that charm or a library has written, as content."""
    if path.suffix == ".parquet":
        return Rows(pl.read_parquet(path), (".parquet",), pl.read_parquet_metadata(path))
    if path.suffix == ".json":
        return Document(json.loads(path.read_text()), ".json")
    if path.suffix in (".jinja", ".md", ".txt"):
        return Text(path.read_text(), path.suffix)
    return Raw(path.read_bytes(), path.suffix)


def read_folder(folder: Path) -> dict[str, Content]:
    """Every file of a folder, by its path from there."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".svg", ".png"))
    return {p.relative_to(folder).as_posix(): read_content(p) for p in files}


def _toml(table: Any, name: str = "") -> str:
    if not isinstance(table, Mapping):
        return f"{json.dumps(table, default=str)}\n"
    lines = [f"[{name}]"] if name else []
    inner = []
    for key, value in table.items():
        path = f"{name}.{json.dumps(key)}" if name else json.dumps(key)
        if isinstance(value, Mapping):
            inner.append(_toml(value, path))
        elif value is not None:
            lines.append(f"{json.dumps(key)} = {json.dumps(value, default=str)}")
    return "\n".join([*lines, *inner]) + "\n"
