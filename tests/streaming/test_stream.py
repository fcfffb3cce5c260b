"""Streamed scores: audits equal those in memory however rows lie in files, and what is wrong with a file is said with its name and row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import charm_rm
from charm_rm.errors import (
    CharmError,
    CharmWarning,
    ConfigError,
    NoOverlap,
    ReadingNote,
    SchemaError,
    UnreadableFile,
    WriteFailed,
)
from charm_rm.mismatch import Audit, audit
from charm_rm.offsets import apply_offsets
from charm_rm.settings import TableSettings
from charm_rm.splits import Split, on_side
from charm_rm.streaming import spill as spilling
from charm_rm.streaming import stream_scores
from charm_rm.tables import Offsets, Ratings, Scores

NAMES = ("oak", "reed", "fern", "moss", "ivy", "birch")
RATINGS = Ratings(
    pl.DataFrame(
        {"policy": NAMES, "rating": [1000.0, 1060.0, 1100.0, 1180.0, 1220.0, 1290.0], "std_err": 5.0}
    )
)


def _table(prompts: int, *, missing: float = 0.2, grid: float = 0.5, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    scores = rng.gumbel(size=(prompts, len(NAMES))) + np.arange(len(NAMES)) / 3
    scores = np.round(scores / grid) * grid
    frame = pl.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(prompts)], len(NAMES)),
            "policy": NAMES * prompts,
            "score": scores.ravel(),
        }
    )
    return frame.filter(pl.Series(rng.random(frame.height) >= missing))


def _written(folder: Path, frame: pl.DataFrame, parts: int, seed: int) -> Path:
    """The rows dealt out to files at random, in random order."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    for i in range(parts):
        shuffled[i::parts].write_parquet(folder / f"part-{i}.parquet", row_group_size=37)
    return folder


def _streamed(path: Path, **how: Any) -> Audit:
    with stream_scores(path) as scores:
        return audit(scores, RATINGS, **how)


# --- as in memory ---------------------------------------------------------------------------------


@given(
    st.integers(40, 90),
    st.floats(0, 0.5),
    st.sampled_from([0.5, 1e-6]),
    st.integers(1, 6),
    st.integers(0, 99),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_audits_are_those_in_memory_however_rows_lie_in_files(
    tmp_path: Path, prompts: int, missing: float, grid: float, parts: int, seed: int
) -> None:
    frame = _table(prompts, missing=missing, grid=grid, seed=seed)
    found = _streamed(_written(tmp_path / "scores", frame, parts, seed), draws=0)
    _assert_same(found, audit(Scores(frame), RATINGS, draws=0))


@pytest.mark.parametrize(
    "how",
    [
        {"ties": "loss"},
        {"outcome": "soft"},
        {"references": ["oak"]},
        {"temperature": 3.0},
        {"scope": "these"},
    ],
)
def test_every_setting_gives_what_it_gives_in_memory(tmp_path: Path, how: dict[str, Any]) -> None:
    frame = _table(200)
    found = _streamed(_written(tmp_path / "scores", frame, 3, 1), draws=0, **how)
    _assert_same(found, audit(Scores(frame), RATINGS, draws=0, **how), exact="outcome" not in how)


def _assert_same(one: Audit, other: Audit, *, exact: bool = True) -> None:
    a, b = (x.mismatch.frame.sort("policy", "reference") for x in (one, other))
    assert a.columns == b.columns
    for name in a.columns:
        if a[name].dtype != pl.Float64:
            assert a[name].to_list() == b[name].to_list(), name
        elif exact and "soft" not in name and "simultaneous" not in name:
            assert a[name].equals(b[name]), name
        else:
            assert a[name].to_numpy() == pytest.approx(b[name].to_numpy(), abs=1e-9, nan_ok=True), name
    assert (one.favouritism is None) == (other.favouritism is None)
    if one.favouritism is not None and other.favouritism is not None:
        c, d = (x.favouritism.frame.sort("policy") for x in (one, other))  # type: ignore[union-attr]
        assert c["verdict"].to_list() == d["verdict"].to_list()
        for name in ("favour", "std_err", "p_value"):
            assert c[name].to_numpy() == pytest.approx(d[name].to_numpy(), abs=1e-6, nan_ok=True), name
    assert one.summary["prompts"] == other.summary["prompts"]


def test_intervals_by_draws_are_those_in_memory_within_monte_carlo_error(tmp_path: Path) -> None:
    """5,000 prompts are more than there are groups."""
    frame = _table(5000, missing=0.1)
    how = {"draws": 2000, "scope": "these"}
    found, known = (
        _streamed(_written(tmp_path / "scores", frame, 4, 2), **how),
        audit(Scores(frame), RATINGS, **how),
    )
    a, b = (x.mismatch.frame.sort("policy", "reference") for x in (found, known))
    width = b["ci_high"] - b["ci_low"]
    for name in ("ci_low", "ci_high"):
        assert (
            (a[name] - b[name]).abs() / width
        ).max() < 0.12  # an end's Monte Carlo error is 0.03 of a width
    assert abs(((a["ci_high"] - a["ci_low"]) / width).mean() - 1) < 0.05
    for name in ("simultaneous_ci_low", "simultaneous_ci_high"):
        assert ((a[name] - b[name]).abs() / width).max() < 0.12


def test_one_file_and_a_pattern_and_other_names_of_columns(tmp_path: Path) -> None:
    frame = _table(60)
    known = audit(Scores(frame), RATINGS, draws=0)
    folder = _written(tmp_path / "scores", frame.rename({"policy": "model", "score": "reward"}), 3, 0)
    with pytest.warns(ReadingNote, match="read 'model' as policy, 'reward' as score"):
        _assert_same(_streamed(Path(f"{folder}/part-*.parquet"), draws=0), known)
    frame.write_parquet(tmp_path / "one.parquet")
    _assert_same(_streamed(tmp_path / "one.parquet", draws=0), known)


def test_policies_that_folders_and_files_name(tmp_path: Path) -> None:
    frame = _table(60)
    known = audit(Scores(frame), RATINGS, draws=0)
    for name in NAMES:
        (tmp_path / "hive" / f"policy={name}").mkdir(parents=True)
        rows = frame.filter(pl.col("policy") == name).drop("policy")
        rows.write_parquet(tmp_path / "hive" / f"policy={name}" / "rows.parquet")
        (tmp_path / "named").mkdir(exist_ok=True)
        rows.write_parquet(tmp_path / "named" / f"{name}.parquet")
    _assert_same(_streamed(tmp_path / "hive", draws=0), known)
    with pytest.warns(ReadingNote, match="'file' as policy"):
        _assert_same(_streamed(tmp_path / "named", draws=0), known)


def test_whole_numbers_are_ids(tmp_path: Path) -> None:
    frame = _table(60).with_columns(pl.col("prompt_id").str.strip_prefix("p").cast(pl.Int32))
    _assert_same(
        _streamed(_written(tmp_path / "s", frame, 2, 0), draws=0), audit(Scores(frame), RATINGS, draws=0)
    )


def test_some_of_the_prompts(tmp_path: Path) -> None:
    frame, split = _table(120), Split("test")
    with stream_scores(_written(tmp_path / "s", frame, 2, 0), kept=split.of) as scores:
        found = audit(scores, RATINGS, draws=0)
    _assert_same(found, audit(on_side(Scores(frame), split), RATINGS, draws=0))
    with (
        pytest.raises(NoOverlap, match="none of the chosen prompts"),
        stream_scores(tmp_path / "s", kept=lambda _: []),
    ):
        pass


def test_unrated_policies_are_left_out_and_prompts_of_theirs_alone_not_counted(tmp_path: Path) -> None:
    more = pl.DataFrame({"prompt_id": ["p0", "only"], "policy": "stray", "score": [9.0, 1.0]})
    frame = pl.concat([_table(60, missing=0.0), more])
    folder = _written(tmp_path / "s", frame, 3, 0)
    with pytest.warns(CharmWarning, match="stray"):
        found = _streamed(folder, draws=0, unrated="skip")
    with pytest.warns(CharmWarning, match="stray"):
        _assert_same(found, audit(Scores(frame), RATINGS, draws=0, unrated="skip"))
    assert found.summary["prompts"] == 60


def test_prompts_that_share_a_hash_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def colliding(ids: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        return (ids.hash(1) % 5).to_numpy(), ids.hash(2).to_numpy()

    monkeypatch.setattr(spilling, "prompt_hashes", colliding)
    frame = _table(80)
    _assert_same(
        _streamed(_written(tmp_path / "s", frame, 3, 0), draws=0), audit(Scores(frame), RATINGS, draws=0)
    )


def test_scores_in_many_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a table much larger than the memory: 64 buckets, 8 prompts laid out at once."""
    monkeypatch.setattr(spilling, "_WORKING", 64 * (64 << 20) // 8 // 400)
    monkeypatch.setattr(spilling, "_PROMPTS", 8)
    frame = _table(80)
    with stream_scores(_written(tmp_path / "s", frame, 3, 0), memory="64MB") as scores:
        assert len(scores.spill._files) >= 32
        _assert_same(audit(scores, RATINGS, draws=0), audit(Scores(frame), RATINGS, draws=0))


def test_calibrated_scores_say_that_they_may_be_in_sample(tmp_path: Path) -> None:
    offsets = Offsets(
        pl.DataFrame(
            {"policy": ["oak"], "delta": [0.5], "std_err": [0.1], "ci_low": [0.3], "ci_high": [0.7]}
            | {"is_reference": [False], "target": [0.5], "attained": [0.5]}
        )
    )
    with pytest.warns(CharmWarning, match="no offset"):
        scores = apply_offsets(Scores(_table(60)), offsets)
    charm_rm.save(scores, tmp_path / "calibrated.parquet")
    found = _streamed(tmp_path / "calibrated.parquet", draws=0)
    assert "maybe in-sample" in str(found.in_sample)


# --- what is refused ------------------------------------------------------------------------------


def _refused(path: Path, error: type[CharmError], **how: Any) -> str:
    with pytest.raises(error) as found, stream_scores(path, **how) as scores:
        audit(scores, RATINGS, draws=0)
    return str(found.value)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("score", float("nan"), "score is not finite: nan (policy 'oak'"),
        ("score", float("inf"), "score is not finite: inf"),
        ("score", None, "score is missing (null)"),
        ("policy", None, "policy is missing (null)"),
        ("prompt_id", None, "prompt_id is missing (null)"),
    ],
)
def test_bad_values_are_told_with_file_and_row(
    tmp_path: Path, column: str, value: object, words: str
) -> None:
    folder = _written(tmp_path / "s", _table(60, missing=0.0), 2, 0)
    frame = pl.read_parquet(folder / "part-1.parquet").sort("policy")
    row = int((frame["policy"] == "oak").arg_true()[3])
    values = frame[column].to_list()
    values[row] = value
    frame.with_columns(pl.Series(column, values, dtype=frame.schema[column])).write_parquet(
        folder / "part-1.parquet"
    )
    told = _refused(folder, SchemaError)
    assert words in told
    assert f"part-1.parquet: scores, row {row}" in told


def test_text_in_place_of_a_score_is_told_with_file_and_row(tmp_path: Path) -> None:
    folder = _written(tmp_path / "s", _table(60), 1, 0)
    frame = pl.read_parquet(folder / "part-0.parquet")
    texts = frame["score"].cast(pl.String).to_list()
    texts[7] = "good"
    frame.with_columns(pl.Series("score", texts)).write_parquet(folder / "part-0.parquet")
    told = _refused(folder, SchemaError)
    assert "part-0.parquet: scores, row 7" in told
    assert "'good'" in told


def test_a_policy_with_two_scores_on_a_prompt_is_refused_with_both_rows(tmp_path: Path) -> None:
    folder = _written(tmp_path / "s", _table(60, missing=0.0), 3, 0)
    first, second = (pl.read_parquet(folder / f"part-{i}.parquet") for i in (0, 2))
    again = first[5]
    pl.concat([second, again]).write_parquet(folder / "part-2.parquet")
    told = _refused(folder, SchemaError)
    assert f"prompt_id {again['prompt_id'][0]!r}, policy {again['policy'][0]!r}" in told
    assert "part-0.parquet, row 5" in told
    assert f"part-2.parquet, row {second.height}" in told


def test_damaged_files_are_named_before_any_work(tmp_path: Path) -> None:
    folder = _written(tmp_path / "s", _table(60), 4, 0)
    for i in (1, 3):
        (folder / f"part-{i}.parquet").write_bytes((folder / f"part-{i}.parquet").read_bytes()[:200])
    told = _refused(folder, UnreadableFile)
    assert "part-1.parquet" in told
    assert "2 of 4 files" in told
    assert "part-3.parquet" in told


def test_a_file_damaged_further_in_is_named(tmp_path: Path) -> None:
    folder = _written(tmp_path / "s", _table(400), 2, 0)
    data = bytearray((folder / "part-1.parquet").read_bytes())
    data[40:2000] = b"\xff" * 1960
    (folder / "part-1.parquet").write_bytes(data)
    assert "part-1.parquet" in _refused(folder, UnreadableFile)


def _other_columns(folder: Path) -> None:
    pl.read_parquet(folder / "part-1.parquet").with_columns(x=1).write_parquet(folder / "part-1.parquet")


def _wide(folder: Path) -> None:
    for file in folder.iterdir():
        pl.DataFrame({"prompt_id": ["a"], "oak": [1.0], "reed": [2.0]}).write_parquet(file)


def _with(column: str, value: object) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        for file in folder.iterdir():
            pl.read_parquet(file).with_columns(pl.lit(value).alias(column)).write_parquet(file)

    return add


def _lists(folder: Path) -> None:
    for file in folder.iterdir():
        pl.read_parquet(file).with_columns(pl.concat_list("score")).write_parquet(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_columns, "part-1.parquet: has other columns than part-0.parquet: 'x'"),
        (_wide, "no column for 'policy', 'score'"),
        (_lists, "a column holds lists or objects"),
        (_with("sample", 0), "use --engine memory"),
        (_with("reward_model", "skywork"), "use --engine memory"),
    ],
)
def test_other_layouts_are_refused_and_the_way_in_memory_named(
    tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    folder = _written(tmp_path / "s", _table(60), 2, 0)
    change(folder)
    assert words in _refused(folder, SchemaError)


def test_other_formats_and_choices_are_refused(tmp_path: Path) -> None:
    _table(60).write_csv(tmp_path / "s.csv")
    assert "reads Parquet alone" in _refused(tmp_path / "s.csv", ConfigError)
    folder = _written(tmp_path / "s", _table(60), 2, 0)
    assert "--sample is chosen" in _refused(folder, ConfigError, table=TableSettings.of(sample="mean"))
    assert "no such file" in _refused(tmp_path / "gone.parquet", UnreadableFile)
    _table(60).clear().write_parquet(tmp_path / "none.parquet")
    assert "no rows" in _refused(tmp_path / "none.parquet", NoOverlap)
    _table(60).filter(pl.col("policy") == "oak").write_parquet(tmp_path / "oak.parquet")
    assert "at least two" in _refused(tmp_path / "oak.parquet", NoOverlap)


def test_a_full_disk_is_told_before_and_during(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _written(tmp_path / "s", _table(60), 2, 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spilling, "_write", full)
        assert "No space left on device" in _refused(folder, WriteFailed, folder=tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(spilling.shutil, "disk_usage", lambda _: usage)
    assert "100 bytes are free" in _refused(folder, WriteFailed, folder=tmp_path)


def test_little_memory_for_much_is_refused_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be streamed in 64 MB\n.*--memory 1"):
        spilling.Spill(tmp_path, 10**9, memory=64 << 20)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    folder, work = _written(tmp_path / "s", _table(60), 2, 0), tmp_path / "work"
    work.mkdir()
    with stream_scores(folder, folder=work) as scores:
        assert list(work.iterdir()) == []  # the files never had names
        audit(scores, RATINGS, draws=0)
    assert list(work.iterdir()) == []
