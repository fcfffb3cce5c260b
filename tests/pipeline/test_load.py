"""Configuration files: every mistake names its key and, where there is one, its line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from charm_rm.errors import ConfigError, UnreadableFile
from charm_rm.pipeline import Config, check_config, load_config
from charm_rm.settings import TrainFromSettings, settings_of

GOOD = "responses:\n  source: r.parquet\nscore:\n  scores: s.parquet\n"


def _load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "charm.yaml"
    path.write_text(textwrap.dedent(text))
    return load_config(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("resposes:\n  source: a", ["line 1", "unknown key 'resposes'", "Did you mean 'responses'?"]),
        (
            GOOD + "audit:\n  drawz: 3",
            ["line 6", "unknown key 'audit.drawz'", "'draws'", "known here: references"],
        ),
        (GOOD + "seed: many", ["line 5", "seed is 'many'", "valid integer"]),
        (GOOD + "audit:\n  ties: both", ["line 6", "audit.ties is 'both'", "'half' or 'loss'"]),
        (
            "prompts: {sources: a.jsonl}\nscore: {scores: s}",
            ["prompts.sources is", "a list is wanted", "sources: [...]"],
        ),
        (GOOD + "seed: 1\nseed: 2", ["line 6", "'seed' is there twice", "first in line 5"]),
        ("responses:\n  policies: []\nscore: {scores: s}", ["line 1", "'responses.source' is missing"]),
        (GOOD + "rm: {model: x}", ["exactly one of rm and score.scores"]),
        (GOOD + "ratings:\n  source: other.csv\n  battles: b.csv", ["line 5", "either source or battles"]),
        (GOOD + "calibrate:\n  over: a\n  held_out: [a]", ["held_out names ['a']"]),
        (GOOD + "evaluate:\n  benchmarks: [llmbar]", ["needs evaluate.data"]),
        (
            "rm:\n  train_from: {base: b, preferences: p, rate: 3}\nresponses: {source: a}",
            ["rm.train_from.rate"],
        ),
        ("responses: [", ["line 1", "not valid YAML"]),
        ("3", ["mapping of sections"]),
        ("", ["mapping of sections"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: list[str]):
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    for word in [*words, "charm.yaml"]:
        assert word in str(caught.value)


def test_missing_file_and_wrong_encoding(tmp_path: Path):
    with pytest.raises(UnreadableFile, match="charm init"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(UnreadableFile, match="UTF-8"):
        load_config(tmp_path / "latin.yaml")


def test_relative_paths_start_at_the_file_and_ids_stay(tmp_path: Path):
    config = _load(tmp_path, "responses: {source: r.parquet}\nrm: {model: org/some-rm}\ntruth: t.parquet\n")
    assert config.responses.source == str(tmp_path / "r.parquet")
    assert config.truth == str(tmp_path / "t.parquet")
    assert config.rm is not None
    assert config.rm.model == "org/some-rm"
    (tmp_path / "org" / "some-rm").mkdir(parents=True)
    config = _load(tmp_path, "responses: {source: [a.json, b.json]}\nrm: {model: org/some-rm}\n")
    assert config.rm is not None
    assert config.rm.model == str(tmp_path / "org" / "some-rm")
    assert config.responses.source == (str(tmp_path / "a.json"), str(tmp_path / "b.json"))


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path: Path):
    config = _load(tmp_path, GOOD + "train:\n  learning_rate: 2e-6\n")
    assert config.train is not None
    assert config.train.learning_rate == 2e-6


@pytest.mark.parametrize(
    "name", ["2024-05-13", "2024-13-45", "1.10", "007", "no", "on", "1e5", "12:30:45", "0x1F", "1_0"]
)
def test_names_are_the_text_that_the_file_says(tmp_path: Path, name: str):
    text = (
        f"responses: {{source: r, policies: [{name}, b]}}\nscore: {{scores: s}}\nratings: {{date: {name}}}\n"
    )
    config = _load(tmp_path, f"name: {name}\n{text}calibrate: {{over: {name}, references: [b]}}\n")
    assert config.name == name
    assert config.responses.policies == (name, "b")
    assert config.ratings.date == name
    assert config.calibrate is not None
    assert config.calibrate.over == name


@pytest.mark.parametrize(
    ("word", "value"), [("no", False), ("off", False), ("False", False), ("yes", True), ("on", True)]
)
def test_truths_as_yaml_has_them(tmp_path: Path, word: str, value: bool):
    assert _load(tmp_path, GOOD + f"simulated: {word}\n").simulated is value


def test_numbers_are_read_as_they_stand(tmp_path: Path):
    """Not as YAML 1.1 does, for which 010 is 8 and 1:30 is 90."""
    assert _load(tmp_path, GOOD + "seed: 010\n").seed == 10
    for word in ("1:30", "0x1F", "2024-05-13", "no", "1.5"):
        with pytest.raises(ConfigError, match="line 5.*seed is"):
            _load(tmp_path, GOOD + f"seed: {word}\n")


def test_paths_in_specs_start_at_the_file_too(tmp_path: Path):
    for name in ("judge", "policy", "reference"):
        (tmp_path / "models" / name).mkdir(parents=True)
    (tmp_path / "board.csv").write_text("policy,rating\nx,1\n")
    base = "responses: {source: r}\nratings: {source: 'board.csv:coding@2026-01-31'}\n"
    config = _load(tmp_path, base + "judge: {spec: 'hf:models/judge'}\n")
    assert config.judge is not None
    assert config.judge.spec == f"hf:{tmp_path}/models/judge"
    assert config.ratings.source == f"{tmp_path}/board.csv:coding@2026-01-31"
    config = _load(tmp_path, base + "rm: {model: 'dpo:models/policy,models/reference'}\n")
    assert config.rm is not None
    assert config.rm.model == f"dpo:{tmp_path}/models/policy,{tmp_path}/models/reference"
    for spec in ("python:own_judge:longer", "openai:gpt-4.1-mini", "hf:owner/judge"):
        judge = _load(tmp_path, base + f"judge: {{spec: '{spec}'}}\n").judge
        assert judge is not None
        assert judge.spec == spec


@pytest.mark.parametrize("nothing", ["null", "~", "", "Null"])
def test_null_is_null(tmp_path: Path, nothing: str):
    assert _load(tmp_path, GOOD + f"calibrate: {nothing}\n").calibrate is None
    assert _load(tmp_path, GOOD + "name: 'null'\n").name == "null"


def test_bounds_are_told_in_the_words_of_the_settings_with_their_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"line 7.*draws is 50(?s:.)*0 \(no bootstrap.*100 to 100,000"):
        _load(tmp_path, GOOD + "audit:\n  ties: half\n  draws: 50\n")
    with pytest.raises(ConfigError, match=r"line 7.*train: .*not of labels 'random-flips'"):
        _load(tmp_path, GOOD + "train:\n  soft_labels: true\n  labels: random-flips\n")


def test_keys_of_earlier_versions_still_work(tmp_path: Path):
    text = "responses: {source: r}\nrm: {model: x, device: null}\naudit: {unrated: skip}\n"
    config = _load(tmp_path, text)
    assert config.ratings.unrated == "skip"
    assert config.rm is not None
    assert config.rm.device == "auto"


def test_one_policy_or_several_to_calibrate(tmp_path: Path):
    config = _load(tmp_path, GOOD + "calibrate: {over: [a, b], references: c}\n")
    assert config.calibrate is not None
    assert (config.calibrate.over, config.calibrate.references) == (("a", "b"), "c")


def test_every_path_of_the_schema_starts_at_the_file(tmp_path: Path):
    """Sections within sections, too."""
    paths = {s.name: f"{s.name}.parquet" for s in settings_of(TrainFromSettings) if s.bounds.path}
    config = check_config({"responses": {"source": "r"}, "rm": {"train_from": paths}}, folder=tmp_path)
    assert config.rm is not None
    assert config.rm.train_from is not None
    assert paths
    for name, file in paths.items():
        assert getattr(config.rm.train_from, name) == str(tmp_path / file)
