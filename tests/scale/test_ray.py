"""Scoring, judging and generating by a real Ray of this machine, with two actors: the rows and scores of one process, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from charm_rm import store
from charm_rm.cli import main
from charm_rm.responses import load_responses
from charm_rm.tables import Margins, Scores
from remote.fault_server import Answer as HttpAnswer
from remote.fault_server import Asked as HttpAsked
from remote.fault_server import FaultServer

ray = pytest.importorskip("ray", reason="needs the [ray] extra")
psutil = pytest.importorskip("psutil")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cluster")]

HERE = Path(__file__).parent
RAY = ("--engine", "ray", "--ray-workers", "2", "--ray-rows", "8")
PARTS, PROMPTS = 3, 12


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def cluster(notes: Path) -> Iterator[None]:
    """One cluster for all tests of the module; its actors find the functions, and where to note what they scored."""
    names = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "SCORED": str(notes / "scored"),
        "DEADLY": str(notes / "deadly"),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SLOWLY", raising=False)
        for name, value in names.items():
            patch.setenv(name, value)
        patch.syspath_prepend(str(HERE))
        ray.init(
            address="local", num_cpus=3, object_store_memory=100_000_000,
            include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        )  # fmt: skip
        yield
        ray.shutdown()


@pytest.fixture
def scored(notes: Path) -> Callable[[], list[str]]:
    """The texts scored so far in this test, in every process."""
    file = notes / "scored"
    file.unlink(missing_ok=True)
    return lambda: [line.partition(" ")[2] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Responses of two policies in partitions, every text another."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for k in range(PARTS):
        rows = [
            {
                "prompt_id": f"p{i}",
                "prompt": f"question {i}",
                "policy": policy,
                "response": f"{policy} {i} " + "word " * ((7 * i + 3 * j) % 11),
            }
            for i in range(k * PROMPTS, (k + 1) * PROMPTS)
            for j, policy in enumerate(("oak", "elm"))
        ]
        pl.DataFrame(rows).write_parquet(folder / f"{k}.parquet")
    return folder


def charm(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def succeeded(*words: object) -> Result:
    found = charm(*words)
    assert found.exit_code == 0, found.output
    return found


def test_scores_are_those_of_one_process_when_an_actor_is_killed(
    parts: Path, tmp_path: Path, notes: Path, scored: Callable[[], list[str]]
) -> None:
    score = ("score", parts, "--rm", "python:ray_models:score", "--no-cache")
    succeeded(*score, "-o", tmp_path / "one.parquet")
    one = store.load(Scores, tmp_path / "one.parquet")
    (notes / "scored").unlink()
    (notes / "deadly").touch()
    found = succeeded(*score, *RAY, "-o", tmp_path / "ray.parquet")
    assert not (notes / "deadly").exists()  # the actor has died
    assert "72 responses" in found.output
    many = store.load(Scores, tmp_path / "ray.parquet")
    assert many.frame.equals(one.frame)
    assert many.provenance["engine"] == {"name": "ray", "tasks": 9}
    assert many.provenance["rm_fingerprint"] == one.provenance["rm_fingerprint"]
    assert {path.name for path in tmp_path.iterdir()} == {"parts", "one.parquet", "ray.parquet"}
    again = len(scored()) - len(many)
    assert 0 < again <= 8  # the part that the actor died with
    assert str(tmp_path).encode() not in (tmp_path / "ray.parquet").read_bytes()


def test_a_corrupt_partition_is_named_and_the_others_finish(
    parts: Path, tmp_path: Path, scored: Callable[[], list[str]]
) -> None:
    whole = (parts / "1.parquet").read_bytes()
    (parts / "1.parquet").write_bytes(whole[: len(whole) // 2])
    command = (
        "score",
        parts,
        "--rm",
        "python:ray_models:score",
        *RAY,
        "--no-cache",
        "-o",
        tmp_path / "s.csv",
    )
    failed = charm(*command)
    assert failed.exit_code == 1
    said = " ".join(failed.output.split())
    assert "1 partition could not be used, and nothing was written" in said
    assert "1.parquet: " in said
    assert "0.parquet" not in said
    assert not (tmp_path / "s.csv").exists()
    first = scored()
    assert len(first) == 2 * 2 * PROMPTS
    (parts / "1.parquet").write_bytes(whole)
    succeeded(*command)
    assert sorted(scored()[len(first) :]) == sorted(
        pl.read_parquet(parts / "1.parquet")["response"].to_list()
    )
    assert pl.read_csv(tmp_path / "s.csv").height == 2 * PARTS * PROMPTS


def test_what_the_store_knows_is_not_scored_again_and_policies_are_chosen(
    parts: Path, tmp_path: Path, scored: Callable[[], list[str]]
) -> None:
    store_of = ("--cache", tmp_path / "store.sqlite")
    command = ("score", parts, "--rm", "python:ray_models:score", *store_of, *RAY)
    succeeded(*command, "--policy", "elm", "-o", tmp_path / "elm.parquet")
    assert set(store.load(Scores, tmp_path / "elm.parquet").policies) == {"elm"}
    assert len(scored()) == PARTS * PROMPTS
    succeeded(*command, "-o", tmp_path / "all.parquet")
    assert len(scored()) == 2 * PARTS * PROMPTS
    assert store.load(Scores, tmp_path / "all.parquet").provenance["from_store"] == PARTS * PROMPTS
    unknown = charm(*command, "--policy", "oka", "-o", tmp_path / "no.parquet")
    assert unknown.exit_code == 2


def test_margins_are_those_of_one_process(
    parts: Path, tmp_path: Path, scored: Callable[[], list[str]]
) -> None:
    judge = ("judge", parts, "--judge", "python:ray_models:judge", "--pairs", "all", "--no-cache")
    one = succeeded(*judge, "-o", tmp_path / "one.parquet").output
    asked = len(scored())
    many = succeeded(*judge, *RAY, "-o", tmp_path / "ray.parquet").output
    assert len(scored()) == 2 * asked
    left, right = (store.load(Margins, tmp_path / f"{name}.parquet") for name in ("one", "ray"))
    assert left.frame.equals(right.frame)
    assert left.provenance == right.provenance
    said = [text.partition("\n")[2] for text in (one, many)]  # below the bar
    assert said[0].replace("one.parquet", "ray.parquet") == said[1]  # "asked now", too


def test_a_model_that_cannot_be_opened_ends_the_run_with_its_own_error(parts: Path, tmp_path: Path) -> None:
    failed = charm("score", parts, "--rm", "python:ray_models:missing", *RAY, "-o", tmp_path / "s.parquet")
    assert failed.exit_code == 2
    assert "missing" in failed.output
    assert failed.output.count("error:") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"parts"}


POLICIES = """
policies:
  - {name: oak, spec: "python:ray_models:answer", samples: 2}
  - {name: elm, spec: "python:ray_models:answer", system: Be brief.}
  - {name: ash, spec: "openai:unlisted@URL/v1", max_tokens: 5}
"""


def served(asked: HttpAsked) -> HttpAnswer:
    """A server of another model, whose longer answers are cut off."""
    if asked.path == "/v1/models":
        return HttpAnswer({"object": "list", "data": [{"id": "m"}]})
    text = asked.body["messages"][-1]["content"]
    end = "length" if len(text) % 2 else "stop"
    choice = {"index": 0, "message": {"role": "assistant", "content": f"so, {text}"}, "finish_reason": end}
    usage = {"prompt_tokens": len(text), "completion_tokens": 5}
    return HttpAnswer({"model": "m-2026", "choices": [choice], "usage": usage})


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_answers_and_manifest_are_those_of_one_process_when_an_actor_is_killed(
    parts: Path, tmp_path: Path, notes: Path, scored: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with FaultServer(served).running() as server:
        (tmp_path / "policies.yaml").write_text(POLICIES.replace("URL", server.url))
        generate = ("generate", parts, "--policies", "policies.yaml", "--no-cache", "--price-in", 1)
        generate = (*generate, "--price-out", 2)
        one = succeeded(*generate, "-o", "one")
        asked, calls = sorted(scored()), len(server.asked)
        (notes / "scored").unlink()
        (notes / "deadly").touch()
        many = succeeded(*generate, *RAY, "-o", "ray")
        assert not (notes / "deadly").exists()  # the actor has died
        chats = [each for each in server.asked if each.path != "/v1/models"]
    assert files_of(Path("ray")) == files_of(Path("one"))
    assert {path.name for path in tmp_path.iterdir()} == {"parts", "one", "ray", "policies.yaml"}
    assert sorted(set(scored())) == asked
    assert 0 < len(scored()) - len(asked) <= 8  # the part that the actor died with
    assert len(chats) == 2 * PARTS * PROMPTS <= 2 * calls
    counts = [p["counts"] for p in json.loads(Path("ray/_manifest.json").read_text())["policies"]]
    assert counts[0]["empty"] > 0 < counts[0]["refused"]
    assert counts[2]["cut_off"] > 0
    for found in (one, many):  # what is said in an actor is said
        assert " ".join(found.output.split()).count("the server lists no model") == 1


def test_a_policy_that_fails_is_named_the_others_finish_and_nothing_is_asked_twice(
    parts: Path, tmp_path: Path, notes: Path, scored: Callable[[], list[str]]
) -> None:
    """By actors that have stores of their own, as on another machine's cluster."""
    command = ("generate", parts, "--policy", "python:ray_models:weary", "--policy")
    command = (*command, "python:ray_models:answer", *RAY, "--ray-address", "auto", "--no-cache")
    command = (*command, "-o", tmp_path / "ray")
    failed = charm(*command)
    assert failed.exit_code == 1
    said = " ".join(failed.output.split())
    assert "1 policy of 2 could not be asked, and nothing was written" in said
    assert "weary: " in said
    assert "too weary to answer" in said
    assert said.count("answer: ") == 1  # where its spec is said
    assert not (tmp_path / "ray").exists()
    first = scored()
    assert len(first) == PARTS * PROMPTS
    (notes / "deadly").touch()  # kills who answers now
    succeeded(*command)
    assert (notes / "deadly").exists()
    (notes / "deadly").unlink()
    assert sorted(scored()[len(first) :]) == sorted(f"question {i}" for i in range(PARTS * PROMPTS))
    assert len(load_responses(tmp_path / "ray")) == 2 * PARTS * PROMPTS
    assert {path.name for path in tmp_path.iterdir()} == {"parts", "ray"}


@pytest.mark.models
def test_a_local_model_scores_and_counts_as_in_one_process(
    parts: Path, tmp_path: Path, minilm_rm_dir: Path
) -> None:
    score = (
        "score",
        parts,
        "--rm",
        minilm_rm_dir,
        "--no-cache",
        "--unchecked",
        "--max-length",
        "16",
        "--device",
        "cpu",
    )
    succeeded(*score, "-o", tmp_path / "one.parquet")
    found = succeeded(
        *score, "--engine", "ray", "--ray-workers", "1", "--ray-rows", "40", "-o", tmp_path / "ray.parquet"
    )
    one, many = (store.load(Scores, tmp_path / f"{name}.parquet") for name in ("one", "ray"))
    assert many.frame.drop("score").equals(one.frame.drop("score"))
    assert many.frame["score"].to_numpy() == pytest.approx(one.frame["score"].to_numpy(), abs=1e-5)
    assert 0 < many.provenance["truncated"] == one.provenance["truncated"]
    assert "scored without part of their text" in " ".join(found.output.split())


def test_a_driver_that_is_killed_leaves_no_process_and_what_it_finished(
    parts: Path, tmp_path: Path, scored: Callable[[], list[str]]
) -> None:
    command = ["score", parts, "--rm", "python:ray_models:score", *RAY, "--no-cache", "-o", "s.parquet"]
    alone = subprocess.Popen(
        [Path(sys.executable).with_name("charm"), *map(str, command)],
        cwd=tmp_path, env={**os.environ, "SLOWLY": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    aside = tmp_path / ".s.parquet.parts"
    until(lambda: len(list(aside.glob("*.parquet"))) >= 2, seconds=120)
    alone.send_signal(signal.SIGKILL)
    alone.wait()
    finished = len(list(aside.glob("*.parquet")))
    mark = f"charm-ray-{alone.pid}-"
    until(lambda: not ours(mark), seconds=40)
    before = len(scored())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        succeeded(*command)
    assert len(scored()) - before <= (9 - finished) * 8
    assert len(store.load(Scores, tmp_path / "s.parquet")) == 2 * PARTS * PROMPTS
    assert not aside.exists()


def until(true: Callable[[], Any], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def ours(mark: str) -> list[str]:
    """Processes whose command names a folder of ours."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if mark in words:
            found.append(words)
    return found
