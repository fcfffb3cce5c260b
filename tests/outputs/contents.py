"""What a file holds, as text to search: Parquet unpacked (metadata and columns), a study's tables, all else as it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl

import study_tables


def contents(path: Path) -> bytes:
    """The bytes of a file, and with a Parquet file or a study all of its texts, unpacked."""
    raw = path.read_bytes()
    if path.suffix == ".db":
        return raw + _unescaped(study_tables.searchable(raw))
    if path.suffix != ".parquet":
        return raw + _unescaped(raw)
    frame = pl.read_parquet(path)
    metadata = pl.read_parquet_metadata(path)
    columns = json.dumps(frame.to_dict(as_series=False), default=str, ensure_ascii=False)
    told = "\n".join(f"{key} {value}" for key, value in metadata.items())
    return raw + columns.encode() + _unescaped(told.encode())


def _unescaped(raw: bytes) -> bytes:
    """As slashes, quotes and spaces may be written in JSON, HTML and addresses."""
    plain = raw
    for written, meant in (
        (b"\\/", b"/"),
        (b"&#x2F;", b"/"),
        (b"&#47;", b"/"),
        (b"%2F", b"/"),
        (b"\\\\", b"\\"),
    ):
        plain = plain.replace(written, meant)
    return b"\n" + raw + b"\n" + plain


def files(folder: Path) -> dict[str, Path]:
    """Every file of a folder, by its path from there."""
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files(folder).items()}
