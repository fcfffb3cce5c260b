"""Functions of one's own as rewards and judges: found, checked, told apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from charm_rm.callables import load_callable_judge, load_callable_reward
from charm_rm.errors import ConfigError, ModelError
from charm_rm.protocols import PairwisePreference, ScalarReward

MODULE = """
import math
LIMIT = 3

def length(prompts, responses):
    return [len(r) for r in responses]

def longer(prompts, first, second):
    return [0.9 if len(a) > len(b) else 0.1 for a, b in zip(first, second)]

def unsure(prompts, first, second):
    return [math.nan] * len(prompts)

def broken(*texts):
    return 1 / 0

def constant(value):
    return lambda *texts: value

one_number, words, short, beyond, endless = map(constant, (0.5, ["a", "b"], [0.5], [0.5, 1.1], [1.0, math.inf]))
"""
_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module into the current folder under a fresh name, as Python imports a name but once."""
    monkeypatch.chdir(tmp_path)

    def write(source: str = MODULE) -> str:
        name = f"own_judge_{next(_numbers)}"
        Path(f"{name}.py").write_text(source)
        return name

    return write


def test_a_reward_and_a_judge_of_the_current_folder(module: Callable[..., str]) -> None:
    name = module()
    reward, judge = load_callable_reward(f"{name}:length"), load_callable_judge(f"{name}:longer")
    assert isinstance(reward, ScalarReward)
    assert isinstance(judge, PairwisePreference)
    np.testing.assert_array_equal(reward(["p", "p"], ["abc", ""]), [3.0, 0.0])
    np.testing.assert_array_equal(judge(["p", "p"], ["abc", ""], ["a", "b"]), [0.9, 0.1])
    assert judge.source == f"python:{name}:longer"
    assert np.isnan(load_callable_judge(f"{name}:unsure")(["p"], ["a"], ["b"])).all()


def test_the_fingerprint_follows_source_and_name(module: Callable[..., str]) -> None:
    name = module()
    longer, unsure = (load_callable_judge(f"{name}:{f}").fingerprint for f in ("longer", "unsure"))
    assert longer != unsure
    assert load_callable_judge(f"{name}:longer").fingerprint == longer
    Path(f"{name}.py").write_text(MODULE + "\n# changed\n")
    assert load_callable_judge(f"{name}:longer").fingerprint != longer


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ("broken", "fails with ZeroDivisionError"),
        ("one_number", r"2 texts went in, an array of shape \(\) came out"),
        ("short", r"array of shape \(1,\)"),
        ("words", "list is no array of numbers"),
        ("beyond", "1.1 is not between 0 and 1"),
    ],
)
def test_a_wrong_answer_is_a_typed_error(module: Callable[..., str], function: str, complaint: str) -> None:
    judge = load_callable_judge(f"{module()}:{function}")
    with pytest.raises(ModelError, match=complaint) as caught:
        judge(["p", "q"], ["a", "b"], ["c", "d"])
    assert caught.value.where == judge.source


def test_rewards_must_be_finite(module: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match="1 of 2 scores are not finite"):
        load_callable_reward(f"{module()}:endless")(["p", "q"], ["a", "b"])


@pytest.mark.parametrize("spec", ["", "module", "module:", ":function", "module:a.b", "module:f()"])
def test_a_spec_that_names_no_function(spec: str) -> None:
    with pytest.raises(ConfigError, match="does not name a function"):
        load_callable_judge(spec)


def test_what_is_not_there_is_named(module: Callable[..., str]) -> None:
    name = module()
    with pytest.raises(ConfigError, match="no function 'longr'. Did you mean 'longer'"):
        load_callable_judge(f"{name}:longr")
    with pytest.raises(ConfigError, match="is a int, not a function"):
        load_callable_judge(f"{name}:LIMIT")
    with pytest.raises(ConfigError, match="no Python module 'no_such_module'"):
        load_callable_judge("no_such_module.inner:f")


def test_a_module_that_fails_says_why(module: Callable[..., str]) -> None:
    with pytest.raises(ModelError, match="fails with ModuleNotFoundError: No module named 'not_installed'"):
        load_callable_judge(f"{module('import not_installed')}:f")
    with pytest.raises(ModelError, match="fails with ValueError: bad key"):
        load_callable_judge(
            f"{module('raise ValueError(chr(98) + chr(97) + chr(100) + chr(32) + chr(107) + chr(101) + chr(121))')}:f"
        )


def test_a_function_of_other_arguments_is_told_which_it_is_given(module: Callable[..., str]) -> None:
    name = module()
    with pytest.raises(ModelError, match="does not take what it is given: .*length") as refused:
        load_callable_judge(f"{name}:length")(["p"], ["a"], ["b"])
    assert refused.value.fix == "write it as a function of three lists: (prompts, first, second)"


def test_the_name_of_a_file_is_no_modules() -> None:
    with pytest.raises(ConfigError, match="no Python module 'fn'") as refused:
        load_callable_reward("fn.py:words")
    assert refused.value.fix == "give the module's name, not its file's: python:fn:FUNCTION"
