"""``charm train`` as a person runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import store
from charm_rm.splits import Split
from models.tiny_models import simple_preferences, tiny_bert
from models.training.anchor_fakes import some_ratings, some_responses

pytestmark = pytest.mark.models
Charm = Callable[..., Result]
QUICK = ("--lr", "1e-3", "--batch-size", "8", "--eval-fraction", "0.25")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return store.save(simple_preferences(40), tmp_path / "pairs.parquet")


@pytest.fixture
def rm(tmp_path: Path, minilm_dir: Path) -> Path:
    pytest.importorskip("trl", reason="needs the [hf] extra")
    return tiny_bert(tmp_path / "rm", minilm_dir)


def test_it_trains_and_prints_json_alone(charm: Charm, pairs: Path, rm: Path, tmp_path: Path) -> None:
    done = charm("train", pairs, "--rm", rm, "-o", tmp_path / "out", *QUICK, "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["after"]["n"] == 10
    assert printed["provenance"]["settings"]["learning_rate"] == 1e-3
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert printed == json.loads((tmp_path / "out" / "training.json").read_text(encoding="utf-8"))


def test_it_prints_a_table_for_people(charm: Charm, pairs: Path, rm: Path, tmp_path: Path) -> None:
    done = charm("train", pairs, "--rm", rm, "-o", tmp_path / "out", *QUICK, "--max-steps", 1)
    assert done.exit_code == 0, done.output
    assert "Held-out accuracy (10 pairs" in done.stdout
    assert "1 step on 30 pairs" in done.stderr


def test_an_existing_output_is_refused_before_any_work(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    done = charm("train", pairs, "--rm", "nowhere/at-all", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "already exists" in done.stderr


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--new-head",), "has a reward head already"),
        (("--lr", "0"), "learning_rate must be above 0"),
        (("--margin-loss",), "needs 'margin'"),
        (("--responses", "r.parquet"), "go together"),
        (
            ("--anchor", "r.parquet", "--anchor-weight", "1"),
            "--responses or --anchor, and --ratings, go together",
        ),
        (("--anchor", "r.parquet", "--ratings", "arena"), "--anchor and --anchor-weight go together"),
        (("--anchor-weight", "1"), "--anchor and --anchor-weight go together"),
        (("--split", "train"), "--prompts and --split choose prompts of --anchor"),
        (("--new-head", "--anchor-weight", "1"), "a fresh head has no old scores"),
    ],
)
def test_misuse_is_explained(
    charm: Charm, pairs: Path, rm: Path, tmp_path: Path, extra: tuple[str, ...], message: str
) -> None:
    done = charm("train", pairs, "--rm", rm, "-o", tmp_path / "out", *extra)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_card_shows_mismatch_before_and_after(
    charm: Charm, pairs: Path, rm: Path, tmp_path: Path
) -> None:
    words = {"x": "good fine", "y": "bad long", "z": "short poor"}
    rows = [
        {
            "prompt_id": str(i),
            "prompt": f"why {'alpha ' * i}",
            "policy": p,
            "response": f"{w} {'beta ' * (i % 3)}",
        }
        for i in range(12)
        for p, w in words.items()
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "responses.parquet")
    pl.DataFrame({"policy": list(words), "rating": [1000.0, 1100, 1050], "std_err": [5.0] * 3}).write_csv(
        tmp_path / "ratings.csv"
    )
    audited = ("--responses", tmp_path / "responses.parquet", "--ratings", tmp_path / "ratings.csv")
    done = charm(
        "train", pairs, "--rm", rm, "-o", tmp_path / "out", *QUICK, *audited, "--reference", "y", "--json"
    )
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert {r["reference"] for r in printed["mismatch_before"]} == {"y"}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "## Mismatch with human ratings" in card
    assert "3 policies of responses.parquet against the ratings ratings.csv" in card
    assert str(tmp_path) not in card


def test_an_anchored_training_is_audited_on_the_other_side(
    charm: Charm, pairs: Path, rm: Path, tmp_path: Path
) -> None:
    """What it was anchored on is in the file, the card and, for an audit on these prompts, in its words."""
    responses = store.save(some_responses(40), tmp_path / "responses.parquet")
    some_ratings().frame.select("policy", "rating").write_csv(tmp_path / "ratings.csv")
    arguments = ("train", pairs, "--rm", rm, "--anchor", responses, "--split", "train", "--ratings",
                 tmp_path / "ratings.csv", "--anchor-weight", 5, "--anchor-policies", 3)  # fmt: skip
    dry = charm(*arguments, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert re.search(r"anchor: \d+ responses of 4 rated policies to \d+ prompts", dry.stderr)
    done = charm(*arguments, "-o", tmp_path / "out", *QUICK, "--responses", responses, "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    prompts = {row["prompt_id"] for row in some_responses(40).frame.iter_rows(named=True)}
    train, test = (Split(side).of(sorted(prompts)) for side in ("train", "test"))
    (kept,) = printed["provenance"]["anchored_on"]
    assert printed["anchor"]["prompts"] == kept["n_prompts"] == len(train)
    assert kept["split"] == {"side": "train", "fraction": 0.5, "seed": 0}
    assert {row["n"] for row in printed["mismatch_after"]} == {len(test)}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"4 policies x {len(train)} prompts, weight 5" in card
    assert "The audit after training is" not in card
    assert (
        charm("score", responses, "--rm", tmp_path / "out", "-o", tmp_path / "scores.parquet").exit_code == 0
    )
    audited = ("audit", tmp_path / "scores.parquet", "--ratings", tmp_path / "ratings.csv", "--draws", 0)
    assert f"in-sample: {len(train)} of the 40 prompts" in re.sub(r"\s+", " ", charm(*audited).output)
    assert "in-sample" not in charm(*audited, "--split", "test").output


def test_a_dry_run_prints_pairs_as_the_model_reads_them(charm: Charm, rm: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [("why", "good", "bad"), ("how", "x " * 600 + "good", "x " * 600 + "bad"), ("who", "me", "you")]
    pairs.write_text("\n".join(
        json.dumps({"prompt": f"\n\nHuman: {p}\n\nAssistant:", "chosen": f" {c}", "rejected": f" {r}"}) for p, c, r in rows
    ))  # fmt: skip
    done = charm("train", pairs, "--rm", rm, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "Row 0, chosen (5 tokens)\n[CLS] why [SEP] good [SEP]\n" in done.stdout
    assert "Row 0, rejected (5 tokens)\n[CLS] why [SEP] bad [SEP]\n" in done.stdout
    assert re.search(r"Row 1, rejected \(\d+ tokens, shortened, the same as chosen\)", done.stdout)
    assert "3 times empty closing assistant turn left out" in done.stderr
    assert (
        "2 of 3 pairs would be read (layout pair, at most 128 tokens): 0 shortened, 1 dropped" in done.stderr
    )
    assert [p.name for p in tmp_path.iterdir() if "pairs" not in p.name] == ["rm"]
    printed = json.loads(charm("train", pairs, "--rm", rm, "--dry-run", "--json").stdout)
    assert printed["counts"] == {"pairs": 3, "read": 2, "dropped": 1, "truncated": 0}
    assert printed["file"]["canonicalised"] == {"empty closing assistant turn left out": 3}


def test_without_a_dry_run_an_output_is_needed(charm: Charm, pairs: Path, rm: Path) -> None:
    done = charm("train", pairs, "--rm", rm)
    assert done.exit_code == 2
    assert "Missing option '-o' / '--output'" in done.stderr
