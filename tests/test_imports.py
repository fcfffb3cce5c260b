"""What importing costs: nothing heavy for the package and its help, torch only for models."""

from __future__ import annotations

import subprocess
import sys

import pytest

import charm_rm

HEAVY = {"torch", "transformers", "trl", "peft", "datasets"}
NUMERIC = {"numpy", "scipy", "polars"}


def modules(statement: str) -> set[str]:
    """All modules loaded by a statement in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint('loaded:', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("loaded:")[2].split())


def loaded(statement: str) -> set[str]:
    """Top-level modules loaded by a statement in a fresh interpreter."""
    return {name.partition(".")[0] for name in modules(statement)}


def test_the_package_and_its_help_load_nothing_heavy() -> None:
    assert not loaded("import charm_rm") & (HEAVY | NUMERIC)
    help_text = "from charm_rm.cli import main; main(['--help'], standalone_mode=False)"
    assert not loaded(help_text) & (HEAVY | NUMERIC)


def test_an_audit_loads_nothing_that_it_does_not_use() -> None:
    """Each of these costs 10 to 500 ms, where the audit of published figures takes 400 in all."""
    example = "from charm_rm.cli import main; main(['audit', '--example'], standalone_mode=False)"
    found = modules(example)
    unused = {"scipy", "pydantic", "jinja2", "yaml", "vl_convert", "asyncio", "pyarrow", "pandas", "httpx"}
    ours = {
        f"charm_rm.{name}"
        for name in (
            "features",
            "judgements",
            "offsets",
            "report",
            "pipeline.config",
            "pipeline.graph",
            "pipeline.load",
            "evaluate",
            "models",
        )
    }
    assert not found & (unused | ours | HEAVY)
    assert found >= {"charm_rm.mismatch", "charm_rm.cli.layout"}


def test_the_numeric_core_loads_no_torch() -> None:
    core = (
        "import charm_rm as c; c.audit, c.fit_ratings, c.solve_offsets, c.relabel_preferences, c.write_report"
    )
    found = loaded(core)
    assert not found & HEAVY
    assert found >= NUMERIC


@pytest.mark.models
def test_the_check_itself_sees_torch() -> None:
    """By a module of ours that needs little else: all of transformers and TRL would take three times as long."""
    assert "torch" in loaded("import charm_rm.models.training.losses")


@pytest.mark.models
@pytest.mark.parametrize("name", charm_rm.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(charm_rm, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rate'"):
        _ = charm_rm.rate
