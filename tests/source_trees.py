"""The package's source as syntax trees: several tests look through all of it, and parsing takes seconds."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's tree, as ``ast.walk`` has them; nobody may change them."""
    return _nodes(path.read_text(encoding="utf-8"))


@cache
def _nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text)))
