"""No command ends in a fault of charm, whatever its inputs; and the fuzzer would see one.

``CHARM_FUZZ`` is how many cases (2,000), ``CHARM_FUZZ_SEED`` the seed (0); ``python -m fuzz`` in ``tests/`` runs them by hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuzz import library
from fuzz.case import Case, judge, prepare
from fuzz.commands import LINES, choose_line
from fuzz.fleet import numbers, run_cases
from fuzz.options import random_options

CASES = int(os.environ.get("CHARM_FUZZ", "2000"))
SEED = int(os.environ.get("CHARM_FUZZ_SEED", "0"))


@pytest.mark.slow
def test_no_command_ends_in_a_fault(tell: Callable[[str], None]) -> None:
    tally = run_cases(SEED, numbers(CASES), processes=os.cpu_count() or 2)
    tell(f"fuzzer, seed {SEED}: {tally}")
    assert tally.cases == CASES
    told = [
        f"{v.number}: {v.fault}\n  {v.line[:300]}\n  {v.changes}\n{v.trace[-1500:]}" for v in tally.faults
    ]
    assert not told, (
        "\n".join(told) + f"\nrun one again: python -m fuzz --seed {SEED} --only NUMBER (in tests/)"
    )
    # Were nearly all refused, nothing behind the readers would be tried; were nearly none, nothing would be changed.
    assert 0.1 < tally.exits[0] / tally.cases < 0.6
    assert tally.exits[1] < 0.1 * tally.cases


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    library.make(folder)
    return folder


@pytest.fixture
def inside(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(made))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_valid_inputs_are_accepted(
    made: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Else their changes would tell nothing."""
    if not library.has_models() and ("@model" in line or "@causal" in line):
        pytest.skip("needs the [hf] extra")
    from fuzz import case as cases

    monkeypatch.setattr(
        cases, "choose_line", lambda rng, **_: choose_line(rng, models=True, line=line, options=False)
    )
    monkeypatch.setattr(cases, "CHANGED", 0.0)
    arguments, changes = prepare(Case(0, 1, models=True), made, inside)
    assert changes == []
    verdict = judge(Case(0, 1), arguments, changes, inside)
    assert (verdict.exit_code, verdict.fault) == (0, None), verdict


def test_a_case_is_its_seed_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        told = prepare(Case(3, 7, models=False), tmp_path, folder)
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        seen.append((told, files))
    assert seen[0] == seen[1]


def test_options_are_read_from_the_commands() -> None:
    from random import Random

    for words in (("audit",), ("ratings", "fit"), ("train",), ("run",)):
        given = [
            o
            for seed in range(200)
            for o in random_options(words, Random(seed), ["a.csv"])
            if o.startswith("--")
        ]
        assert len(set(given)) >= 3, words
    assert "--base-url" not in [o for s in range(300) for o in random_options(("judge",), Random(s), [])]


# --- what the fuzzer would see --------------------------------------------------------------------


def planted(error: BaseException) -> Callable[..., Any]:
    def raises(*_: object, **__: object) -> Any:
        raise error

    return raises


SHOW = ["ratings", "show", "arena", "--top", "1"]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("x"), "fault: unexpected KeyError"),
        (RecursionError(), "fault: unexpected RecursionError"),
        (MemoryError(), "exit code 1: "),
        (SystemError("native"), "fault: unexpected SystemError"),
        (type("PanicException", (BaseException,), {})("panic"), "let through PanicException"),
    ],
)
def test_an_error_that_is_not_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, fault: str
) -> None:
    monkeypatch.setattr("charm_rm.ratings.load_ratings", planted(error))
    verdict = judge(Case(0, 0), SHOW, [], tmp_path)
    assert str(verdict.fault).startswith(fault)


def test_a_typed_error_without_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from charm_rm.errors import ConfigError

    monkeypatch.setattr("charm_rm.ratings.load_ratings", planted(ConfigError("no")))
    assert judge(Case(0, 0), SHOW, [], tmp_path).fault == "no way out in the message"
    monkeypatch.setattr("charm_rm.ratings.load_ratings", planted(ConfigError("no", fix="yes")))
    assert judge(Case(0, 0), SHOW, [], tmp_path).fault is None


@pytest.mark.parametrize(
    ("name", "code", "fault"),
    [
        ("out/.t.parquet.0-1-a.part", 0, "litter"),
        ("out/t.parquet", 2, "left behind"),
        ("out/t.parquet", 0, "output cannot be read"),
        ("in.csv", 2, "input changed"),
    ],
)
def test_disorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int, fault: str) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    (tmp_path / "out").mkdir()

    def writes(*_: object, **__: object) -> Any:
        (tmp_path / name).write_text("half")
        raise SystemExit(code)

    monkeypatch.setattr("charm_rm.ratings.load_ratings", writes)
    monkeypatch.setattr("fuzz.case._fault", lambda *_: None)
    assert str(judge(Case(0, 0), SHOW, [], tmp_path).fault).startswith(fault)
