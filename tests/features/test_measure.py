"""Measuring: shapes, forms of prompts, empty and odd texts, chunks, and what is refused."""

from __future__ import annotations

import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.conversations import uniform_prompts
from charm_rm.errors import ConfigError, ModelError, SchemaError
from charm_rm.features import DEFAULT_FEATURES, FEATURES, StyleFeatures, measure, measure_features
from charm_rm.features.texts import asked, asked_column
from charm_rm.tables import Responses

TEXTS = st.lists(st.text(st.characters() | st.sampled_from("\n `~*#-|>!.\"'(_"), max_size=60), max_size=8)


@settings(max_examples=40)
@given(TEXTS)
def test_every_text_gives_finite_numbers_and_each_by_itself(texts: list[str]) -> None:
    together = measure(texts, texts, features=list(FEATURES))
    assert together.shape == (len(texts), len(FEATURES))
    assert np.isfinite(together).all()
    assert (together >= 0).all()
    alone = [measure([text], [text], features=list(FEATURES))[0] for text in texts]
    assert np.array_equal(together, np.reshape(alone, together.shape))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a b c", "", "x" * 50, "```\n- a\n```", "é 你 👍"] * 3
    whole = measure(texts, texts)
    module = __import__("charm_rm.features.measure", fromlist=["chunks"])
    monkeypatch.setattr(module, "_CHUNK_BYTES", 8)
    monkeypatch.setattr(module, "_CHUNK_ROWS", 2)
    assert np.array_equal(measure(texts, texts), whole)


def test_messages_are_what_the_user_said() -> None:
    messages = [
        {"role": "system", "content": "zebra"},
        {"role": "user", "content": "red"},
        {"role": "assistant", "content": "green"},
        {"role": "user", "content": "blue"},
    ]
    responses = ["red", "blue", "green", "zebra"]
    found = measure([messages] * 4, responses, features=["prompt_overlap"])
    assert found[:, 0].tolist() == [1, 1, 0, 0]


def test_the_same_text_in_other_code_points_or_line_ends_is_the_same() -> None:
    texts = ["Café naïve\n\n- a\n- b", "Cafe\u0301 nai\u0308ve\r\n\r\n- a\r\n- b"]
    one, other = measure(texts, texts, features=list(FEATURES))
    assert one.tolist() == other.tolist()


@given(TEXTS)
def test_canonically_equal_texts_are_measured_as_equal(texts: list[str]) -> None:
    forms = [[unicodedata.normalize(form, text) for text in texts] for form in ("NFC", "NFD")]
    one, other = (measure(form, form, features=list(FEATURES)) for form in forms)
    assert np.array_equal(one, other)


ROLES = st.sampled_from(["system", "user", "assistant"])
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": ROLES, "content": st.text(max_size=9)}), min_size=1, max_size=5
)


@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_the_prompts_of_a_table_are_read_as_one_by_one(prompts: list[list[dict[str, str]]]) -> None:
    assert asked_column(uniform_prompts(prompts)).to_list() == [asked(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (["hedgs"], "unknown feature 'hedgs'. Did you mean 'hedges'"),
        (["bold", "bold"], "'bold' is named twice"),
    ],
)
def test_names_that_lead_nowhere(features: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        measure(["a"], ["b"], features=features)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"row 1.*found None"):
        measure(["a", "b"], ["c", None])  # type: ignore[list-item]
    with pytest.raises(SchemaError, match="2 prompts and 1 response"):
        measure(["a", "b"], ["c"])


def test_halves_of_characters_are_measured_as_replaced() -> None:
    assert np.array_equal(measure(["\ud83d"], ["a \ud83d b"]), measure(["\ufffd"], ["a \ufffd b"]))


# --- tables ---------------------------------------------------------------------------------------


def responses(**extra: list[object]) -> Responses:
    """Two policies on two prompts."""
    table = {
        "prompt_id": ["p", "q", "p", "q"],
        "prompt": ["hi", "you", "hi", "you"],
        "policy": ["x", "x", "y", "y"],
        "response": ["**a** b", "", "- c\n- d", "e!"],
    }
    return Responses(pl.DataFrame(table | extra, strict=False))


def test_a_table_has_the_features_of_its_texts_in_order() -> None:
    table = responses()
    found = measure_features(table, features=["bold", "words"])
    assert isinstance(found, StyleFeatures)
    assert found.frame.columns == ["prompt_id", "policy", "bold", "words"]
    texts = table.frame
    assert np.array_equal(
        found.values,
        measure(texts["prompt"].to_list(), texts["response"].to_list(), features=["bold", "words"]),
    )
    assert found.provenance["features"] == {
        "bold": FEATURES["bold"].version,
        "words": FEATURES["words"].version,
    }
    assert measure_features(table).features == list(DEFAULT_FEATURES)


def test_columns_of_ones_own() -> None:
    found = measure_features(responses(toxic=[0, 1, 2, 3]), features=[], own=["column:toxic"])
    assert found.features == ["column:toxic"]
    assert found.values[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("gap", [None, float("nan"), float("inf")])
def test_a_gap_in_a_column_names_policy_and_prompt(gap: float | None) -> None:
    with pytest.raises(SchemaError, match=r"column:toxic.*policy 'y', prompt 'p' \(1 such rows\)"):
        measure_features(responses(toxic=[0.0, 1.0, gap, 3.0]), own=["column:toxic"])


@pytest.mark.parametrize(
    ("own", "error", "words"),
    [
        ("column:toxi", SchemaError, "column 'toxi' is missing. Did you mean 'toxic'"),
        ("column:response", SchemaError, "not numeric"),
        ("toxic", ConfigError, "write column:NAME"),
        ("python:no_such_module:f", ConfigError, "no Python module"),
    ],
)
def test_own_names_that_lead_nowhere(own: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        measure_features(responses(toxic=[0, 1, 2, 3]), own=[own])


FUNCTIONS = """
import numpy as np
def length(prompts, responses): return [len(r) for r in responses]
def both(prompts, responses): return np.array([[len(p), len(r)] for p, r in zip(prompts, responses)])
def gap(prompts, responses): return [float("nan") if r.endswith("!") else 0.0 for r in responses]
def short(prompts, responses): return [1.0]
def breaks(prompts, responses): raise KeyError("x")
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of functions in the current folder."""
    (tmp_path / "own_features.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    return "own_features"


def test_functions_of_ones_own(own_module: str) -> None:
    own = [f"python:{own_module}:length", f"python:{own_module}:both"]
    found = measure_features(responses(), features=["words"], own=own)
    assert found.features == ["words", own[0], f"{own[1]}[0]", f"{own[1]}[1]"]
    assert found.values[:, 1].tolist() == [7, 0, 7, 2]
    assert found.values[:, 2].tolist() == [2, 3, 2, 3]
    assert set(found.provenance["own"]) == set(own)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gap", SchemaError, "policy 'y', prompt 'q'"),
        ("short", ModelError, "4 responses went in"),
        ("breaks", ModelError, "KeyError"),
    ],
)
def test_functions_that_do_not_answer(own_module: str, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        measure_features(responses(), own=[f"python:{own_module}:{name}"])


def test_a_table_of_no_features_or_gaps_is_refused() -> None:
    keys = {"prompt_id": ["p"], "policy": ["x"]}
    with pytest.raises(SchemaError, match="no feature"):
        StyleFeatures(pl.DataFrame(keys))
    with pytest.raises(SchemaError, match="policy 'x', prompt 'p'"):
        StyleFeatures(pl.DataFrame(keys | {"bold": [float("nan")]}))
    with pytest.raises(SchemaError, match="holds no numbers"):
        StyleFeatures(pl.DataFrame(keys | {"bold": ["much"]}))
