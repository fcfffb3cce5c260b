"""``charm judge`` as a person runs it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from charm_rm import remote
from charm_rm.judging import Reply
from charm_rm.locks import locked
from charm_rm.store import load, save
from charm_rm.tables import Margins
from judge_fakes import FakeChat, hashed, many_responses

Charm = Callable[..., Result]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return save(many_responses(8), tmp_path / "responses.parquet")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A stand-in for the class that speaks HTTP; what it was made with and asked."""
    seen: dict[str, Any] = {"asked": []}

    def answer(conversation: Any) -> Reply:
        seen["asked"].append(conversation)
        p = 0.1 + 0.8 * hashed("", conversation[1]["content"], "")
        return Reply("A", {"A": math.log(p), "B": math.log(1 - p)}, prompt_tokens=50, completion_tokens=1)

    def make(model: str, **options: Any) -> FakeChat:
        seen.update(options, model=model)
        return FakeChat(answer, source=f"{model} at {options['base_url']}")

    monkeypatch.setattr(remote, "OpenAIChat", make, raising=False)
    return seen


def test_help_teaches(charm: Charm) -> None:
    result = charm("judge", "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert "judge" in charm("--help").output


def test_margins_win_rates_bias_and_cost(
    charm: Charm, table: Path, server: dict[str, Any], tmp_path: Path
) -> None:
    output = tmp_path / "m.parquet"
    options = ("--base-url", "http://127.0.0.1:9/v1", "--concurrency", 2, "--price-in", 10, "--price-out", 20)
    result = charm("judge", table, "--judge", "openai:some-model", "--pairs", "vs:a", "-o", output, *options)
    assert result.exit_code == 0, result.output
    for words in ("Win rates", "Position bias", "without a verdict 0", "cost 0.0166", "charm audit"):
        assert words in result.output
    margins = load(Margins, output)
    assert len(margins) == 16
    assert margins.provenance["judge"] == "some-model at http://127.0.0.1:9/v1"
    assert margins.provenance["pair_spec"] == "vs:a"
    assert margins.provenance["cost"] == pytest.approx(32 * (50 * 10 + 20) / 1e6)
    assert (server["model"], server["concurrency"], server["api_key_env"]) == (
        "some-model",
        2,
        "OPENAI_API_KEY",
    )
    audit = charm("audit", output, "--ratings", _ratings(tmp_path), "--json")
    assert audit.exit_code == 0, audit.output


def test_a_second_run_asks_nothing_unless_told(
    charm: Charm, table: Path, server: dict[str, Any], tmp_path: Path
) -> None:
    asked = []
    for name, extra in (("one", ()), ("two", ()), ("three", ("--no-cache",))):
        result = charm(
            "judge", table, "--judge", "openai:m", "-o", tmp_path / f"{name}.parquet", "--json", *extra
        )
        assert result.exit_code == 0, result.output
        asked.append(json.loads(result.stdout)["asked"])
    assert asked == [48, 0, 48]
    assert len(server["asked"]) == 96
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    first, second = ((tmp_path / f"{n}.parquet").read_bytes() for n in ("one", "two"))
    assert first == second


@pytest.mark.usefixtures("server")
def test_json_holds_everything(charm: Charm, table: Path, tmp_path: Path) -> None:
    result = charm("judge", table, "--judge", "openai:m", "-o", tmp_path / "m.csv", "--json")
    found = json.loads(result.stdout)
    assert {row["policy"] for row in found["win_rates"]} == {"a", "b"}
    assert found["provenance"]["position_bias"]["bias"]["ci_low"] is not None
    assert len(found["position_bias_by_pair"]) == 3
    assert found["spent"]["tokens_in"] == 48 * 50
    assert len(load(Margins, tmp_path / "m.csv")) == 24


def test_a_dry_run_asks_nothing_and_writes_nothing(charm: Charm, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.parquet"
    options = ("--prompt", "arena-hard-like", "--price-in", 1, "--price-out", 2, "--dry-run")
    result = charm(
        "judge", table, "--judge", "openai:m", "--pairs", "sampled:1", "-o", output, *options, "--json"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["pairs"], found["calls"], found["tokens_out"]) == (8, 16, 16 * 2048)
    assert "cost     about" in charm("judge", table, "--judge", "openai:m", "-o", output, *options).output
    assert not output.exists()


def test_a_function_of_ones_own(
    charm: Charm, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("judge_of_the_cli_test.py").write_text(
        "def longer(p, a, b):\n    return [float(len(x) > len(y)) for x, y in zip(a, b)]\n"
    )
    result = charm("judge", table, "--judge", "python:judge_of_the_cli_test:longer", "-o", "m.parquet")
    assert result.exit_code == 0, result.output
    assert "bias" in result.output
    assert load(Margins, "m.parquet").provenance["prompt"] is None


@pytest.mark.usefixtures("server")
def test_prompts_and_policies_are_sampled(charm: Charm, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.parquet"
    options = ("--policy", "a", "--policy", "c", "--n-prompts", 3, "--seed", 4)
    assert charm("judge", table, "--judge", "openai:m", "-o", output, *options).exit_code == 0
    assert load(Margins, output).frame["prompt_id"].n_unique() == len(load(Margins, output)) == 3


def test_a_second_run_on_the_same_output_is_refused(
    charm: Charm, table: Path, server: dict[str, Any], tmp_path: Path
) -> None:
    with locked(tmp_path / ".m.parquet.lock"):
        result = charm("judge", table, "--judge", "openai:m", "-o", tmp_path / "m.parquet")
    assert result.exit_code == 2
    assert f"another run is using this output (process {os.getpid()})" in result.output
    assert server["asked"] == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--judge", "gpt-4"), "no judge 'gpt-4'"),
        (("--judge", "openai:m", "--pairs", "vs:aa"), "no responses of policy 'aa'"),
        (("--judge", "openai:m", "--no-cache", "--cache", "x.sqlite"), "exclude each other"),
        (("--judge", "openai:m", "--pairs", "most"), "pairs 'most' are unknown"),
        (("--judge", "openai:m", "--prompt", "arena"), "no judge prompt 'arena'"),
        (("--judge", "openai:m", "--price-in", "1"), "--price-in and --price-out together"),
        (("--judge", "python:no_such_module:f"), "no Python module"),
        (("--judge", "hf:/no/such/folder"), "no such model folder"),
    ],
)
def test_bad_options_are_said(
    charm: Charm,
    table: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    complaint: str,
) -> None:
    result = charm("judge", table, "-o", tmp_path / "m.parquet", *options)
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "m.parquet").exists()


def test_an_existing_output_is_refused_before_any_work(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_text("precious")
    result = charm("judge", tmp_path / "absent.parquet", "--judge", "openai:m", "-o", tmp_path / "m.parquet")
    assert result.exit_code == 2
    assert "--force" in result.output


def test_one_prompt_proves_nothing(charm: Charm, server: dict[str, Any], tmp_path: Path) -> None:
    table = save(many_responses(1), tmp_path / "one.parquet")
    result = charm("judge", table, "--judge", "openai:m", "-o", tmp_path / "m.parquet", "--json")
    assert [row["result"] for row in json.loads(result.stdout)["win_rates"]] == ["open"] * 3
    assert len(server["asked"]) == 6


def _ratings(folder: Path) -> Path:
    file = folder / "ratings.csv"
    file.write_text("policy,rating,std_err\na,1000,5\nb,1020,5\nc,1100,5\n")
    return file
