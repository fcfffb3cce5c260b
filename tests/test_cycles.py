"""No circle of imports inside charm_rm, those for type checkers and those inside functions included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import charm_rm
from source_trees import nodes


def modules(root: Path, package: str) -> dict[str, Path]:
    """Dotted name -> file."""
    found = {}
    for file in root.rglob("*.py"):
        parts = [package, *file.relative_to(root).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(name: str, file: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a module names; `from . import x` is of x where x is a module."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    out: set[str] = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            full = {alias.name: f"{base}.{alias.name}" for alias in node.names}
            out |= {full[a] if full[a] in known else base for a in full}
    return (out & set(known)) - {name}


def circle(root: Path, package: str) -> list[str] | None:
    """Modules that import one another in turn; None where there are none."""
    known = modules(root, package)
    graph = {name: imported(name, file, known) for name, file in known.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return None


def test_there_is_no_circle() -> None:
    assert circle(Path(charm_rm.__file__).parent, "charm_rm") is None


def test_a_circle_would_be_found(tmp_path: Path) -> None:
    """Even where one side is for type checkers alone and the other inside a function."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "__init__.py").write_text("from .a import f\n")
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .deep.b import g\ndef f(): ...\n"
    )
    (tmp_path / "deep" / "b.py").write_text("def g():\n    from ..a import f\n")
    found = circle(tmp_path, "toy")
    assert found is not None
    assert {"toy.a", "toy.deep.b"} <= set(found)
    (tmp_path / "deep" / "b.py").write_text("def g(): ...\n")
    assert circle(tmp_path, "toy") is None
