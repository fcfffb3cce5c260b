"""A calibrator's file: read back as it was written, refused where anything in it is off, and never evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmError, ConfigError, OutputExists, SchemaError
from charm_rm.style import Calibrator, FeatureWeight, load_calibrator, save_calibrator
from charm_rm.style.calibrator_file import read_calibrator

finite = st.floats(-1e6, 1e6)


def calibrator() -> Calibrator:
    features = (
        FeatureWeight("words", 1, 5.0, 0.8, -0.25, 0.1, -0.45, -0.05, -0.3),
        FeatureWeight("column:mine", "column", 0.0, 2.0, 0.5),
    )
    held_out = ({"metric": "spearman", "before": 0.5, "after": None},)
    return Calibrator(
        "score", features, 1.2, 0.9, 0.8, 1e-3, 0.7, 4.0, {"oak": 0.1}, None, held_out, {"seed": 0}
    )


def told() -> dict[str, Any]:
    return json.loads(json.dumps({"format": "charm-calibrator", "version": 1, **calibrator().to_json()}))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    path = save_calibrator(calibrator(), tmp_path / "c.json")
    again = load_calibrator(path)
    assert again.features == calibrator().features
    assert again.fingerprint == calibrator().fingerprint
    assert (again.offsets, again.held_out) == ({"oak": 0.1}, calibrator().held_out)
    with pytest.raises(OutputExists):
        save_calibrator(calibrator(), path)


@given(weight=finite, centre=finite, scale=st.floats(1e-6, 1e6), values=st.lists(finite, min_size=1))
def test_what_it_adds_is_the_weighted_standardised_feature(
    weight: float, centre: float, scale: float, values: list[float]
) -> None:
    one = Calibrator("score", (FeatureWeight("x", 1, centre, scale, weight),), 1.0, 1.0, 1.0, 1e-3, 1.0)
    found = one.adjust(np.array(values)[:, None])
    slow = [weight * max(-4.0, min(4.0, (v - centre) / scale)) for v in values]
    np.testing.assert_allclose(found, slow, rtol=1e-12, atol=1e-12)
    again = read_calibrator(
        json.loads(json.dumps({"format": "charm-calibrator", "version": 1, **one.to_json()}))
    )
    assert again.fingerprint == one.fingerprint


@pytest.mark.parametrize("name", [k for k in told() if k not in ("format", "version")])
def test_every_field_has_to_be_there(name: str) -> None:
    values = told()
    del values[name]
    with pytest.raises(SchemaError, match=f"'{name}' is missing"):
        read_calibrator(values)


@pytest.mark.parametrize(
    "name", ["name", "version", "centre", "scale", "weight", "std_err", "ci_low", "estimate"]
)
def test_every_field_of_a_feature_has_to_be_there(name: str) -> None:
    values = told()
    del values["features"][1][name]
    with pytest.raises(SchemaError, match=rf"features\[1\]: field '{name}' is missing"):
        read_calibrator(values)


WRONG: list[tuple[str, Any]] = [
    *((name, bad) for name in ("spread", "temperature", "fit_temperature", "limit") for bad in (0, -1.0)),
    *(
        (name, bad)
        for name in ("spread", "temperature", "fit_temperature", "penalty", "kept", "limit")
        for bad in ("1", None, True, float("nan"), float("inf"), [1.0])
    ),
    ("unit", "points"),
    ("features", {"words": 1}),
    ("features", ["words"]),
    ("offsets", {"oak": "1"}),
    ("offsets", [1]),
    ("held_out", {"a": 1}),
    ("solved_on", "all"),
    ("provenance", None),
    ("format", "other"),
    ("version", 2),
    ("version", "1"),
    ("version", True),
]


@pytest.mark.parametrize(("name", "bad"), WRONG)
def test_a_field_of_the_wrong_kind_is_refused(name: str, bad: Any) -> None:
    with pytest.raises(SchemaError):
        read_calibrator(told() | {name: bad})


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *(
            (n, b)
            for n in ("centre", "scale", "weight")
            for b in ("1", None, True, float("nan"), float("inf"))
        ),
        *((n, b) for n in ("std_err", "ci_low", "ci_high", "estimate") for b in ("1", True, float("nan"))),
        ("scale", 0),
        ("name", 3),
        ("version", None),
        ("version", [1]),
    ],
)
def test_a_feature_of_the_wrong_kind_is_refused(name: str, bad: Any) -> None:
    values = told()
    values["features"][0][name] = bad
    with pytest.raises(SchemaError, match=r"features\[0\]"):
        read_calibrator(values)


@pytest.mark.parametrize("values", [None, 3, [], "x", {}, {"format": "charm-calibrator"}])
def test_what_is_no_calibrator_is_refused(values: Any) -> None:
    with pytest.raises(SchemaError):
        read_calibrator(values)


def test_unknown_fields_and_features_named_twice_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"unknown field 'penalti'.*penalty"):
        read_calibrator(told() | {"penalti": 1.0})
    values = told()
    values["features"][1]["name"] = "words"
    with pytest.raises(SchemaError, match="stands twice"):
        read_calibrator(values)


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2", "nonsense", "__import__('os').system('touch boom')", "\x00"]
)
def test_a_file_that_is_no_json_is_refused_and_never_evaluated(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CharmError, match=r"c\.json"):
        load_calibrator("c.json")
    assert not (tmp_path / "boom").exists()


def test_the_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(told() | {"kept": None}))
    with pytest.raises(SchemaError, match=r"c\.json.*'?kept'? should hold a finite number"):
        load_calibrator(tmp_path / "c.json")


def test_features_of_another_definition_or_of_a_table_are_refused() -> None:
    def of(name: str, version: int | str) -> Calibrator:
        return Calibrator("score", (FeatureWeight(name, version, 0.0, 1.0, 1.0),), 1.0, 1.0, 1.0, 1e-3, 1.0)

    assert of("words", 1).adjust_texts(["a"], ["one two"])[0] == pytest.approx(np.log(3))
    with pytest.raises(ConfigError, match="version 1 here, and the calibrator was solved with version 99"):
        of("words", 99).adjust_texts(["a"], ["b"])
    with pytest.raises(ConfigError, match="not known"):
        of("no_such", 1).adjust_texts(["a"], ["b"])
    with pytest.raises(ConfigError, match="not measured from texts alone"):
        of("column:x", "column").adjust_texts(["a"], ["b"])
