"""A judge's spec, in words -> the kind of judge; heavy kinds are loaded when asked for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from charm_rm import policy_specs, remote, spec_options, specs
from charm_rm.errors import ConfigError, ModelError
from charm_rm.judging import ChatJudge, Reply
from charm_rm.protocols import ScalarReward
from judge_fakes import FakeChat


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("openai:gpt-4.1", ("openai", "gpt-4.1")),
        ("openai:org/model:tag", ("openai", "org/model:tag")),
        ("hf:org/name", ("hf", "org/name")),
        ("pair:/x", ("pair", "/x")),
        ("python:a.b:c", ("python", "a.b:c")),
    ],
)
def test_specs_are_split(spec: str, found: tuple[str, str]) -> None:
    assert specs.split_judge_spec(spec) == found


def test_a_bare_folder_is_a_local_model(tmp_path: Path) -> None:
    assert specs.split_judge_spec(str(tmp_path)) == ("hf", str(tmp_path))
    assert specs.is_generative(str(tmp_path))
    assert not specs.is_generative("python:a:b")


@pytest.mark.parametrize("spec", ["", "gpt-4", "openai:", "azure:gpt-4", "org/name", "/no/such/folder"])
def test_an_unknown_spec_names_the_kinds(spec: str) -> None:
    with pytest.raises(ConfigError, match="no judge") as caught:
        specs.load_judge(spec)
    assert "openai:MODEL" in str(caught.value)


def test_openai_gets_its_options_and_a_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []

    def fake(model: str, **options: Any) -> FakeChat:
        made.append({"model": model, **options})
        return FakeChat(lambda _: Reply("A"))

    monkeypatch.setattr(remote, "OpenAIChat", fake, raising=False)
    judge = specs.load_judge(
        "openai:m", concurrency=3, timeout=5.0, api_key_env="KEY", prompt="arena-hard-like"
    )
    assert isinstance(judge, ChatJudge)
    assert judge.template.name == "arena-hard-like"
    specs.load_judge("openai:m", base_url="http://127.0.0.1:1/v1")
    assert made[0] == {
        "model": "m",
        "base_url": policy_specs.OPENAI_URL,
        "api_key_env": "KEY",
        "concurrency": 3,
        "timeout": 5.0,
        "on_error": "fail",
    }
    assert made[1]["base_url"] == "http://127.0.0.1:1/v1"


def test_a_misspelt_prompt_is_said_before_anything_loads() -> None:
    with pytest.raises(ConfigError, match="no judge prompt"):
        specs.load_judge("hf:/no/such/model", prompt="arena-hard")


@pytest.mark.models
class TestScorers:
    def test_a_folder_is_a_reward_model(self, minilm_rm_dir: Path) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        model = specs.load_scorer(str(minilm_rm_dir), max_length=64, attention="eager")
        assert isinstance(model, ScalarReward)
        assert model(["why"], ["because"]).shape == (1,)

    def test_nothing_there_is_named(self) -> None:
        pytest.importorskip("torch", reason="needs the [hf] extra")
        with pytest.raises(ModelError, match="no such model folder"):
            specs.load_scorer("/no/such/model")


@pytest.mark.parametrize("spec", ["dpo:", "dpo:only-a-policy", "dpo:a,b,c", "dpo:,b"])
def test_a_dpo_reward_needs_two_names(spec: str) -> None:
    with pytest.raises(ConfigError, match="does not name a policy and its reference"):
        specs.load_scorer(spec)


def test_a_function_is_a_reward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "length_reward.py").write_text(
        "def score(prompts, responses): return [len(r) for r in responses]"
    )
    reward = specs.load_scorer("python:length_reward:score")
    assert isinstance(reward, ScalarReward)
    assert reward(["a", "b"], ["xx", ""]).tolist() == [2, 0]


def test_servers_and_pairs_of_models_get_their_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(specs, "named", lambda module, name: lambda *a, **k: asked.append((name, a, k)))
    specs.load_scorer("vllm:http://localhost:8000", concurrency=3, api_key_env="KEY")
    specs.load_scorer("dpo:org/policy,./reference", beta=0.1, max_length=512, attention="auto")
    assert asked[0] == (
        "load_remote_reward",
        ("vllm:http://localhost:8000",),
        {"api_key_env": "KEY", "concurrency": 3},
    )
    name, names, options = asked[1]
    assert (name, names) == ("load_dpo_reward", ("org/policy", "./reference"))
    assert options == {
        "beta": 0.1,
        "dtype": "float32",
        "device": "auto",
        "max_length": 512,
        "trust_remote_code": False,
    }


def test_no_key_is_sent_to_a_reward_server_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(specs, "named", lambda _module, _name: lambda *_a, **k: asked.append(k))
    specs.load_scorer("tei:http://localhost:8080")
    assert asked == [{"api_key_env": None, "concurrency": 16}]


@pytest.mark.parametrize(
    ("spec", "options", "what"),
    [
        ("python:m:f", {"banana": 1}, "no option 'banana'"),
        ("python:m:f", {"dtype": "nonsense"}, "dtype has no effect on a function"),
        ("python:m:f", {"banana": 1, "dtype": "nonsense"}, "no option 'banana'"),
        ("python:m:f", {"dtyp": "bfloat16"}, "Did you mean 'dtype'"),
        ("vllm:http://localhost:1", {"banana": 1}, "no option 'banana'"),
        ("vllm:http://localhost:1", {"device": "cuda", "beta": 2.0}, "beta, device have no effect on a vLLM server"),
        ("tei:http://localhost:1", {"max_length": 12}, "max_length has no effect"),
        ("dpo:a,b", {"attention": "sdpa"}, "attention has no effect on a DPO policy"),
        ("dpo:a,b", {"concurrency": 2}, "concurrency has no effect"),
        ("some/model", {"beta": 2.0}, "beta has no effect on a reward model that runs here"),
        ("some/model", {"timeout": 2.0}, "timeout has no effect"),
    ],
)  # fmt: skip
def test_an_option_of_a_reward_model_is_never_swallowed(
    spec: str, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        specs.load_scorer(spec, **options)
    for name in (*spec_options.SCORER_OPTIONS[specs.split_scorer_spec(spec)[0]], "calibrator"):
        assert name in str(caught.value.fix)


@pytest.mark.parametrize(
    ("spec", "options", "what"),
    [
        ("python:m:f", {"banana": 1}, "no option 'banana'"),
        ("python:m:f", {"prompt": "arena-hard-like"}, "prompt has no effect on a function"),
        ("openai:gpt", {"dtype": "bfloat16"}, "dtype has no effect on a judge behind a server"),
        ("hf:x", {"base_url": "http://localhost"}, "base_url has no effect"),
        ("pair:x", {"timeout": 3.0}, "timeout has no effect on a pair ranker"),
    ],
)
def test_an_option_of_a_judge_is_never_swallowed(spec: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        specs.load_judge(spec, **options)
    for name in (*spec_options.JUDGE_OPTIONS[specs.split_judge_spec(spec)[0]], "calibrator"):
        assert name in str(caught.value.fix)


def test_a_refused_option_is_named_as_the_command_and_as_python_have_it() -> None:
    with pytest.raises(ConfigError) as caught:
        specs.load_scorer("python:m:f", max_length=3, compiled=True)
    assert "--max-length (max_length= in Python)" in str(caught.value)
    assert "--compile (compiled= in Python)" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        specs.load_scorer("python:m:f", endpoint="score")
    assert "endpoint=" in str(caught.value.fix)
    assert "--endpoint" not in str(caught.value)


def test_a_servers_own_options_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(specs, "named", lambda _module, _name: lambda *_a, **k: asked.append(k))
    specs.load_scorer("vllm:http://localhost:1", endpoint="pooling", timeout=3.0)
    assert asked == [{"api_key_env": None, "concurrency": 16, "endpoint": "pooling", "timeout": 3.0}]


def test_the_table_of_options_is_what_the_loaders_take() -> None:
    """By their signatures, so that a loader's new argument is not forgotten here."""
    pytest.importorskip("torch", reason="needs the [hf] extra")
    pytest.importorskip("httpx", reason="needs the [api] extra")
    homes = {
        "": (spec_options.SCORER_OPTIONS, "models.scoring.reward", "load_reward_model"),
        "dpo": (spec_options.SCORER_OPTIONS, "models.implicit", "load_dpo_reward"),
        "vllm": (spec_options.SCORER_OPTIONS, "remote", "load_remote_reward"),
        "tei": (spec_options.SCORER_OPTIONS, "remote", "load_remote_reward"),
        "hf": (spec_options.JUDGE_OPTIONS, "models.causal_judge", "load_local_chat"),
        "pair": (spec_options.JUDGE_OPTIONS, "models.pair_ranker", "load_pair_ranker"),
    }
    for kind, (table, module, name) in homes.items():
        parameters = inspect.signature(specs.named(module, name)).parameters.values()
        taken = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        assert set(table[kind]) - {"prompt"} <= taken, kind
        assert taken <= set(table[kind]), kind
