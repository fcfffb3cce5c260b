"""``charm sample``: draws, says what became of the rows, writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

from charm_rm import load, store
from charm_rm.tables import Prompts

Charm = Callable[..., Result]
EXACT = ("--near-duplicates", 1)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A preference set, every prompt in two pairs."""
    rows = [
        {"prompt": f"Why is number {i} so large?", "chosen": f"So {k}.", "rejected": f"No {k}.", "topic": "ab"[i % 2]}
        for i in range(20) for k in range(2)
    ]  # fmt: skip
    path = tmp_path / "pairs.jsonl"
    pl.DataFrame(rows).write_ndjson(path)
    return path


def test_a_sample_is_drawn_and_the_rows_add_up(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "prompts.parquet"
    done = charm("sample", pairs, "-n", 5, "--stratify", "topic", *EXACT, "-o", out)
    assert done.exit_code == 0, done.output
    assert "5 prompts drawn from 40 rows" in done.stdout
    prompts = load(Prompts, out)
    assert prompts.frame.columns[:4] == ["prompt_id", "prompt", "source", "row"]
    assert len(prompts) == 5
    told = prompts.provenance
    assert told["seed"] == 0
    assert told["sources"][0]["source"] == "pairs.jsonl"
    assert sum(told["ledger"].values()) == 40
    assert str(tmp_path) not in json.dumps(dict(told), default=str)
    again = charm("sample", pairs, "-n", 5, *EXACT, "-o", out)
    assert again.exit_code == 2
    assert "already exists" in again.stderr


def test_a_split_of_a_file_is_refused(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    done = charm("sample", pairs, "--split", "train", "-o", tmp_path / "p.parquet")
    assert done.exit_code == 2
    assert "split has no effect on files" in done.stderr
    assert not (tmp_path / "p.parquet").exists()


def test_json_and_what_was_removed(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    bench = tmp_path / "bench.csv"
    pl.DataFrame({"question": ["why is number 3 so large"]}).write_csv(bench)
    removed = tmp_path / "removed.csv"
    done = charm(
        "sample", pairs, "-n", 5, *EXACT, "--benchmark", bench, "--ngram", 4, "--overlap", 0.6,
        "--removed", removed, "--seed", 3, "-o", tmp_path / "p.jsonl", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["prompts"] == 5
    assert facts["rows_read"] == sum(row["rows"] for row in facts["ledger"]) == 40
    assert facts["contaminated"][0]["matched"] == "bench.csv, row 0"
    rows = pl.read_csv(removed)
    assert rows["reason"].to_list() == ["in a benchmark"]
    assert rows["prompt"].to_list() == ["Why is number 3 so large?"]


def test_the_sample_does_not_depend_on_how_the_rows_are_split(
    charm: Charm, pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / "parts").mkdir()
    frame = pl.read_ndjson(pairs)
    frame[:13].write_parquet(tmp_path / "parts" / "0.parquet")
    frame[13:].write_parquet(tmp_path / "parts" / "1.parquet")
    for source, out in ((pairs, "a.parquet"), (tmp_path / "parts", "b.parquet"), (tmp_path / "parts" / "*.parquet", "c.parquet")):  # fmt: skip
        assert charm("sample", source, "-n", 7, *EXACT, "-o", tmp_path / out).exit_code == 0
    one, *others = (load(Prompts, tmp_path / f"{k}.parquet").frame["prompt_id"].to_list() for k in "abc")
    assert all(other == one for other in others)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--min-words", 9, "--max-words", 3), "--min-words is above --max-words"),
        (("--overlap", 2), "overlap is a share"),
        (("--clusters", 3), "--clusters and --embedder go together"),
        (("--stratify", "nowhere"), "no column 'nowhere'"),
        (("--benchmark", "nowhere.parquet"), "no such file"),
        (("--min-words", 50), "no prompt is left"),
        (("--column", "prompt=chosen"), None),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    charm: Charm, pairs: Path, tmp_path: Path, options: tuple[object, ...], said: str | None
) -> None:
    out = tmp_path / "p.parquet"
    done = charm("sample", pairs, "-n", 5, *EXACT, *options, "-o", out)
    if said is None:
        assert done.exit_code == 0
        return
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Fix:" in done.stderr
    assert not out.exists()


def test_a_damaged_benchmark_and_a_damaged_part_are_named(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 and no more")
    done = charm("sample", pairs, *EXACT, "--benchmark", bad, "-o", tmp_path / "p.parquet")
    assert done.exit_code == 2
    assert "bad.parquet" in done.stderr
    done = charm("sample", pairs, bad, *EXACT, "-o", tmp_path / "p.parquet")
    assert done.exit_code == 2
    assert "bad.parquet" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.parquet", "pairs.jsonl"]


def test_fewer_than_asked_for_is_said(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    done = charm("sample", pairs, "-n", 50, *EXACT, "-o", tmp_path / "p.parquet")
    assert done.exit_code == 0
    assert "50 prompts asked for, and only 20 are left" in done.stderr


@pytest.mark.models
def test_a_folder_of_datasets_is_read_in_batches(charm: Charm, pairs: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")
    datasets.Dataset.from_list(store.read_frame(pairs).to_dicts()).save_to_disk(str(tmp_path / "saved"))
    for source, out in ((tmp_path / "saved", "a.parquet"), (pairs, "b.parquet")):
        assert charm("sample", source, "-n", 7, *EXACT, "-o", tmp_path / out).exit_code == 0
    one, other = (load(Prompts, tmp_path / f"{k}.parquet").frame["prompt_id"] for k in "ab")
    assert one.equals(other)


@pytest.mark.slow
@pytest.mark.models
def test_a_diverse_sample_by_a_real_model(
    charm: Charm, pairs: Path, tmp_path: Path, minilm_dir: Path
) -> None:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    out = tmp_path / "p.parquet"
    how = ("--clusters", 4, "--embedder", minilm_dir)
    assert charm("sample", pairs, "-n", 8, *EXACT, *how, "-o", out).exit_code == 0
    prompts = load(Prompts, out)
    assert prompts.frame["cluster"].n_unique() == 4
    assert prompts.provenance["settings"]["embedder"] == "model"


@pytest.mark.slow
@pytest.mark.realdata
def test_real_preference_sets(charm: Charm, real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasketch", reason="needs the [sample] extra")
    folder = real_data / "preferences"
    sets = ("hh_harmless_base_test.parquet", "ultrafeedback_sample_1000.parquet")
    bench = real_data / "benchmarks" / "RM-Bench" / "*.json"
    done = charm(
        "sample", *(folder / name for name in sets), "-n", 500, "--benchmark", bench, "-o", tmp_path / "p.parquet", "--json",
    )  # fmt: skip
    facts = json.loads(done.stdout)
    assert facts["prompts"] == 500
    assert facts["rows_read"] == sum(row["rows"] for row in facts["ledger"]) == 3312
    assert facts["contaminated"][0]["matched"] == "safety-refuse_filtered.json, row 214"


SEEN = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]}  # fmt: skip
PARTS = {"role": "user", "content": [{"type": "text", "text": "Why is the sky blue?"}]}
PLAIN = {"role": "user", "content": "How do birds fly?"}


def _written(rows: list[Any], path: Path, column: str = "prompt") -> Path:
    """Rows of prompts, as each kind of file holds them."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({column: row}) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps([{column: row} for row in rows]))
    else:
        pl.DataFrame({column: [json.dumps(row) for row in rows]}).write_csv(path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_rows_with_images_are_left_out_and_counted(charm: Charm, tmp_path: Path, suffix: str) -> None:
    source = _written([[PLAIN], [SEEN], [PARTS], [SEEN]], tmp_path / f"asked{suffix}")
    done = charm("sample", source, *EXACT, "-o", tmp_path / "p.parquet", "--json")
    assert done.exit_code == 0, done.output
    told = {row["what"]: row["rows"] for row in json.loads(done.stdout)["ledger"]}
    assert told == {"no prompt: content has a part of type 'image_url', only text can be read": 2, "drawn": 2}
    assert load(Prompts, tmp_path / "p.parquet").frame["prompt"].to_list() == [
        "How do birds fly?",
        "Why is the sky blue?",
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_column_that_was_told_holds_messages_too(charm: Charm, tmp_path: Path, suffix: str) -> None:
    source = _written([[PLAIN], [PARTS]], tmp_path / f"asked{suffix}", "foo")
    out = tmp_path / "p.parquet"
    done = charm("sample", source, "--column", "prompt=foo", *EXACT, "-o", out)
    assert done.exit_code == 0, done.output
    assert load(Prompts, out).frame["prompt"].to_list() == ["How do birds fly?", "Why is the sky blue?"]


def test_nothing_but_images_is_refused(charm: Charm, tmp_path: Path) -> None:
    done = charm("sample", _written([[SEEN]] * 3, tmp_path / "a.jsonl"), "-o", tmp_path / "p.parquet")
    assert done.exit_code == 2
    assert (
        "no row has a prompt (no prompt: content has a part of type 'image_url', only text can be read: 3)"
        in done.stderr
    )


def test_benchmark_rows_that_cannot_be_read_are_told(charm: Charm, tmp_path: Path) -> None:
    source = _written([[PLAIN], [PARTS]], tmp_path / "asked.jsonl")
    bench = _written([[SEEN], [PLAIN]], tmp_path / "bench.jsonl")
    done = charm("sample", source, *EXACT, "--benchmark", bench, "-o", tmp_path / "p.parquet")
    assert done.exit_code == 0, done.output
    assert (
        "1 row of the benchmark files has no prompt that can be read, so nothing is left out for it"
        in done.stderr
    )
    assert len(load(Prompts, tmp_path / "p.parquet")) == 1
