"""One hostile policy name through every command that prints names: nothing in it reaches the terminal as an instruction."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import store
from charm_rm.cli.common import echo

Charm = Callable[..., Result]
NAME = "evil\x1b]0;owned\x07\x9b2J\u202ecod\u2066.[red]\x7f"
BAD = set("\x1b\x07\x9b\u202e\u2066\x7f\x00")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    names = [NAME, "one", "two", "three"]
    rows = [
        {"prompt_id": f"q{q}", "prompt": f"Q{q}?", "policy": p, "response": f"{p}{q}", "score": (q * 7 + 3 * i) % 11 + i * 1.5}
        for q in range(40)
        for i, p in enumerate(names)
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    battles = [
        {"model_a": a, "model_b": b, "winner": w}
        for a in names for b in names if a < b for w in ("model_a", "model_b", "model_a", "tie")
    ]  # fmt: skip
    ratings = pl.DataFrame({"policy": names, "rating": [1000.0, 1040.0, 1090.0, 1150.0]})
    folder = tmp_path / "in\x1b31m"
    folder.mkdir()
    return {
        "scores": store.write_frame(frame.select("prompt_id", "policy", "score"), folder / "scores.parquet"),
        "responses": store.write_frame(frame.drop("score"), folder / "responses.parquet"),
        "ratings": store.write_frame(ratings, folder / "ratings.parquet"),
        "battles": store.write_frame(pl.DataFrame(battles), folder / "battles.parquet"),
    }


def clean(result: Result) -> bool:
    return not BAD & set(result.output)


def test_every_command_that_prints_names(charm: Charm, files: dict[str, Path], tmp_path: Path) -> None:
    scores, responses, ratings = files["scores"], files["responses"], files["ratings"]
    offsets, out = tmp_path / "offsets.parquet", tmp_path / "out\x1b2J"
    known = ("--ratings", ratings)
    for command in (
        ("ratings", "fit", files["battles"], "-o", tmp_path / "fit.parquet"),
        ("features", responses, "-o", tmp_path / "features.parquet"),
        ("features", responses, "--policy", NAME),
        ("audit", scores, *known, "-o", out),
        ("audit", scores, *known, "--reference", NAME),
        ("compare", scores, scores, *known),
        ("influence", scores, *known, "--policy", NAME),
        ("calibrate", scores, *known, "--over", NAME, "--ref", "one", "-o", offsets),
        ("apply", scores, offsets, "-o", tmp_path / "calibrated.parquet"),
        ("relabel", scores, responses, offsets, "-o", tmp_path / "prefs"),
        ("evaluate", "--scores", scores, *known),
        ("report", out),
    ):
        for more in (
            ((), ("--json",)) if command[0] not in ("report", "relabel", "apply", "ratings") else ((),)
        ):
            again = ("--force",) if more and "-o" in command else ()
            result = charm(*command, *more, *again)
            assert result.exit_code == 0, (command, result.output)
            assert clean(result), (command, result.output)
            if more:
                json.loads(result.stdout)


def test_errors(charm: Charm, files: dict[str, Path], tmp_path: Path) -> None:
    for command in (
        ("audit", files["scores"], "--ratings", files["ratings"], "--reference", f"{NAME}x"),
        ("audit", tmp_path / f"absent{NAME}.csv".replace("/", ""), "--ratings", files["ratings"]),
        ("score", files["responses"], "--rm", f"no/such/{NAME}", "-o", tmp_path / "s.parquet"),
        (f"no-such-command{NAME}",),
        ("audit", f"--no-such-option{NAME}"),
    ):
        result = charm(*command)
        assert result.exit_code == 2, (command, result.output)
        assert clean(result), (command, result.output)


def test_what_it_looks_like(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a\x1b[2J\nb", label="note\x1b:")
    assert capsys.readouterr().out == "note\\x1b: a\\x1b[2J\nb\n"
