"""What importing costs: nothing heavy for the package and its help, torch only for models."""

from __future__ import annotations

import subprocess
import sys

import pytest

import charm_rm

HEAVY = {"torch", "transformers", "trl", "peft", "datasets"}
NUMERIC = {"numpy", "scipy", "polars"}


def loaded(statement: str) -> set[str]:
    """Top-level modules loaded by a statement in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_package_and_its_help_load_nothing_heavy() -> None:
    assert not loaded("import charm_rm") & (HEAVY | NUMERIC)
    help_text = "from charm_rm.cli import main; main(['--help'], standalone_mode=False)"
    assert not loaded(help_text) & (HEAVY | NUMERIC)


def test_the_numeric_core_loads_no_torch() -> None:
    core = (
        "import charm_rm as c; c.audit, c.fit_ratings, c.solve_offsets, c.relabel_preferences, c.write_report"
    )
    found = loaded(core)
    assert not found & HEAVY
    assert found >= NUMERIC


@pytest.mark.models
def test_the_check_itself_sees_torch() -> None:
    assert "torch" in loaded("import charm_rm.models.training.trainer")


@pytest.mark.models
@pytest.mark.parametrize("name", charm_rm.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(charm_rm, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rate'"):
        _ = charm_rm.rate
