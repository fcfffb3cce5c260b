"""Every setting is defined once: the verbs' defaults, the commands' options and the file's keys are the settings'."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import Result

from charm_rm.cli import main
from charm_rm.errors import BadSetting, ConfigError
from charm_rm.pipeline import Config, check_config
from charm_rm.pipeline.load import section_type
from charm_rm.settings import (
    AuditSettings,
    CalibrateSettings,
    EvaluateSettings,
    FitSettings,
    GenerateSettings,
    JudgeSettings,
    ModelSettings,
    RatingsChoice,
    RelabelSettings,
    ReportSettings,
    ResponsesSettings,
    ScoreSettings,
    Setting,
    Settings,
    TrainSectionSettings,
    TrainSettings,
    settings_of,
)


@dataclass(frozen=True)
class Stage:
    """Where a stage's settings are to be found: verbs, command, section of the file."""

    settings: type[Settings]
    verbs: tuple[str, ...]
    command: str
    section: str


STAGES = {
    "ratings": Stage(RatingsChoice, ("ratings:load_ratings", "ratings:match_ratings"), "audit", "ratings"),
    "ratings fit": Stage(FitSettings, ("ratings:fit_ratings",), "ratings fit", "ratings"),
    "responses": Stage(ResponsesSettings, ("models:load_any_responses",), "score", "responses"),
    "model": Stage(
        ModelSettings, ("specs:load_scorer", "models.scoring.reward:load_reward_model"), "score", "rm"
    ),
    "score": Stage(ScoreSettings, ("models.scoring.responses:score_responses",), "score", "score"),
    "judge": Stage(JudgeSettings, ("specs:load_judge", "judging.run:run_judge"), "judge", "judge"),
    "audit": Stage(
        AuditSettings,
        ("mismatch:audit", "evaluate:alignment_with_ratings", "evaluate:evaluate_benchmark"),
        "audit",
        "audit",
    ),
    "calibrate": Stage(
        CalibrateSettings, ("offsets:solve_offsets", "offsets:solve_joint_offsets"), "calibrate", "calibrate"
    ),
    "style": Stage(
        CalibrateSettings,
        ("style:solve_style_offsets", "style:solve_sharpness"),
        "calibrate",
        "calibrate",
    ),
    "relabel": Stage(RelabelSettings, ("relabel:relabel_preferences",), "relabel", "relabel"),
    "train": Stage(TrainSectionSettings, (), "train", "train"),
    "evaluate": Stage(EvaluateSettings, (), "evaluate", "evaluate"),
    "report": Stage(ReportSettings, (), "report", "report"),
}

# Settings that a command takes in another way, or has no use for.
NOT_OPTIONS = {
    ("responses", "source"): "an argument of the command",
    ("responses", "test_fraction"): "a run alone splits its prompts",
    ("score", "scores"): "`charm audit SCORES` takes them",
    ("score", "judgements"): "`charm audit JUDGEMENTS` takes them",
    ("score", "annotator"): "of judgements: an option of audit, calibrate, apply and relabel",
    ("score", "baseline"): "of judgements: an option of audit, calibrate, apply and relabel",
    ("score", "reward_model"): "of scores made elsewhere: an option of audit, calibrate, apply and relabel",
    ("score", "sample"): "of scores made elsewhere: an option of audit, calibrate, apply and relabel",
    ("evaluate", "benchmarks"): "--benchmark, by another name inside",
    ("evaluate", "pairs"): "pairs of one's own are a benchmark of a run so far",
    ("report", "enabled"): "giving the command is enabling it",
}
# Defaults that a verb and its stage do not share.
OTHER_DEFAULTS = {
    ("responses", "columns"): "Python takes a mapping, options and files FIELD=COLUMN",
    ("calibrate", "references"): "the stage chooses where none is named; joint offsets need none",
    ("calibrate", "over"): "the stage chooses where none is named",
    ("calibrate", "temperature"): "a style calibration finds its own, offsets take 1",
    ("style", "features"): "none named are the default set; none at all would be only the scale",
}


def _command(name: str) -> click.Command:
    found: click.Command = main
    for part in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), part) or pytest.fail(f"no command {name}")
    return found


def _verb(path: str) -> Callable[..., Any]:
    module, name = path.split(":")
    verb: Callable[..., Any] = getattr(importlib.import_module(f"charm_rm.{module}"), name)
    return verb


EVERY = [
    pytest.param(name, one, id=f"{name}-{one.name}")
    for name, s in STAGES.items()
    for one in settings_of(s.settings)
]


@pytest.mark.parametrize(("stage", "one"), EVERY)
def test_a_setting_is_an_option_with_its_default_and_description(stage: str, one: Setting) -> None:
    options = {p.name: p for p in _command(STAGES[stage].command).params if isinstance(p, click.Option)}
    if (stage, one.name) in NOT_OPTIONS:
        return
    option = options.get(one.name)
    assert option is not None, f"charm {STAGES[stage].command} has no option for {one.name}"
    if one.name == "method":
        return  # written by hand: it has an older meaning to keep
    assert option.help == one.about
    assert set(option.opts) | set(option.secondary_opts) >= {one.flags[0].partition("/")[0]}
    assert option.required is one.required
    if not (one.required or one.many or one.default is None):
        assert option.default == one.default


@pytest.mark.parametrize(("stage", "one"), EVERY)
def test_a_setting_is_a_key_of_the_file_and_described(stage: str, one: Setting) -> None:
    section = section_type(Config, STAGES[stage].section)
    assert section is not None
    assert one.name in {key.name for key in settings_of(section)}
    assert one.about.endswith(".") or one.name == "device"


@pytest.mark.parametrize("stage", STAGES)
def test_the_verbs_defaults_are_the_settings(stage: str) -> None:
    settings = {one.name: one for one in settings_of(STAGES[stage].settings)}
    for path in STAGES[stage].verbs:
        arguments = inspect.signature(_verb(path)).parameters
        for name in arguments.keys() & settings.keys():
            if (stage, name) in OTHER_DEFAULTS or arguments[name].default is inspect.Parameter.empty:
                continue
            assert arguments[name].default == settings[name].default, f"{path} {name}"


def test_a_command_alone_has_its_settings_for_options_and_its_verbs_their_defaults() -> None:
    options = {p.name: p for p in _command("generate").params if isinstance(p, click.Option)}
    verbs = (
        "policy_specs:load_policy",
        "models.generating.local:load_local_policy",
        "generation:generate_responses",
    )
    for one in settings_of(GenerateSettings):
        option = options[one.name]
        assert option.help == one.about
        if not (one.required or one.many or one.default is None):
            assert option.default == one.default
        for path in verbs:
            argument = inspect.signature(_verb(path)).parameters.get(one.name)
            assert argument is None or argument.default == one.default, f"{path} {one.name}"


def test_exceptions_name_settings_that_exist() -> None:
    known = {(name, one.name) for name, s in STAGES.items() for one in settings_of(s.settings)}
    assert known >= set(NOT_OPTIONS) | set(OTHER_DEFAULTS)


def test_training_can_be_told_all_that_the_file_can_tell() -> None:
    assert {s.name for s in settings_of(TrainSectionSettings)} <= {s.name for s in settings_of(TrainSettings)}
    with pytest.raises(BadSetting, match="cannot be loaded by others"):
        TrainSettings(lora=True, new_head=True, merge=False)


# --- one rule, one message ----------------------------------------------------------------------


WORDS = "draws is 50", "use 0 (no bootstrap: normal intervals or none), or 100 to 100,000"


def test_too_few_draws_are_refused_in_the_same_words_everywhere(charm: Callable[..., Result]) -> None:
    heard = []
    with pytest.raises(ConfigError) as by_api:
        AuditSettings(draws=50)
    heard.append(str(by_api.value))
    with pytest.raises(ConfigError) as by_file:
        check_config({"responses": {"source": "r"}, "score": {"scores": "s"}, "audit": {"draws": 50}})
    heard.append(str(by_file.value))
    for command in (("audit", "--example"), ("calibrate", "s.csv"), ("evaluate",)):
        result = charm(*command, "--draws", "50")
        assert result.exit_code == 2
        heard.append(result.stderr)
    for words in heard:
        assert all(word in words for word in WORDS), words


@pytest.mark.parametrize(
    "verb",
    [
        "mismatch:audit",
        "offsets:solve_offsets",
        "offsets:solve_joint_offsets",
        "evaluate:alignment_with_ratings",
    ],
)
def test_verbs_refuse_too_few_draws(verb: str) -> None:
    import polars as pl

    from charm_rm.tables import Ratings, Scores

    scores = Scores(pl.DataFrame({"prompt_id": ["p", "p"], "policy": ["a", "b"], "score": [1.0, 2.0]}))
    ratings = Ratings(pl.DataFrame({"policy": ["a", "b"], "rating": [1.0, 2.0]}))
    more = {"over": "a", "references": "b"} if verb.endswith("solve_offsets") else {}
    with pytest.raises(ConfigError) as refused:
        _verb(verb)(scores, ratings, draws=50, **more)
    assert all(word in str(refused.value) for word in WORDS)


@pytest.mark.parametrize(
    ("cls", "values", "words"),
    [
        (AuditSettings, {"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        (AuditSettings, {"temperature": float("nan")}, "temperature must be above 0, got nan"),
        (AuditSettings, {"ties": "both"}, "use half or loss"),
        (ResponsesSettings, {"source": "r", "test_fraction": 1.0}, "must be above 0 and below 1, got 1.0"),
        (JudgeSettings, {"spec": "openai:m", "concurrency": 0}, "concurrency must be at least 1, got 0"),
        (FitSettings, {"anchor": "llama"}, "is not POLICY=RATING"),
    ],
)
def test_bounds(cls: type[Settings], values: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSetting) as refused:
        cls(**values)
    assert words in str(refused.value)
    assert refused.value.setting in values


def test_an_option_out_of_bounds_is_told_by_its_name(charm: Callable[..., Result]) -> None:
    result = charm("score", "r.csv", "--rm", "x", "-o", "s.csv", "--n-prompts", "0")
    assert result.exit_code == 2
    assert "--n-prompts: n_prompts must be at least 1, got 0" in result.stderr


# --- outputs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "score r.csv --rm x",
        "apply s.csv o.parquet",
        "relabel s.csv r.csv o.parquet",
        "train p.jsonl --rm x",
        "judge r.csv --judge openai:m",
        "ratings save arena",
    ],
)
def test_a_missing_output_is_a_missing_option(charm: Callable[..., Result], line: str) -> None:
    result = charm(*line.split())
    assert result.exit_code == 2
    assert "Missing option '-o' / '--output'" in result.stderr
