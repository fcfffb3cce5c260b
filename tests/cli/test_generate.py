"""``charm generate`` as a person runs it, on functions and outputs that exist."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm.locks import locked
from charm_rm.responses import load_responses

Charm = Callable[..., Result]
MODULE = """
import json, pathlib
ASKED = pathlib.Path("asked.txt")

def asked(prompts):
    with ASKED.open("a") as file:
        file.writelines(json.dumps(p) + "\\n" for p in prompts)

def echo(prompts):
    asked(prompts)
    return [f"You said {p if isinstance(p, str) else p[-1]['content']}" for p in prompts]

def drawn(prompts, seeds):
    return [str(s) for s in seeds]

def nothing(prompts):
    return ["" for _ in prompts]

def broken(prompts):
    return 1 / 0

def halves(prompts):
    return ["half \\ud800 a character" for _ in prompts]
"""
N = 5
_numbers = iter(range(1000))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of policies in the current folder, and prompts.jsonl beside it; its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARM_CACHE", str(tmp_path / "cache"))
    name = f"own_policies_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": f"Question {i}?"}) + "\n" for i in range(N))
    )
    return name


def asked() -> int:
    return len(Path("asked.txt").read_text().splitlines()) if Path("asked.txt").exists() else 0


def test_help_teaches(charm: Charm) -> None:
    text = charm("generate", "--help").output
    assert "Examples:" in text
    for kind in (
        "hf:DIR_OR_ID",
        "vllm:DIR_OR_ID",
        "openai:MODEL@URL",
        "python:MODULE:FUNCTION",
        "outputs:PATH",
    ):
        assert kind in text


def test_a_folder_that_charm_score_reads(charm: Charm, own: str) -> None:
    result = charm(
        "generate",
        "prompts.jsonl",
        "--policy",
        f"python:{own}:echo",
        "--policy",
        f"two=python:{own}:drawn",
        "-o",
        "out",
    )
    assert result.exit_code == 0, result.output
    assert "policy echo: python:" in result.stderr
    assert "wrote out" in result.stderr
    found = load_responses("out")
    assert found.policies == ["echo", "two"]
    assert len(found) == 2 * N
    assert "You said Question 3?" in found.frame["response"].to_list()
    assert sorted(p.name for p in Path("out").iterdir()) == [
        ".charm-files.json",
        "_manifest.json",
        "echo.parquet",
        "two.parquet",
    ]
    assert charm("responses", "check", "out", "--prompts", "prompts.jsonl").exit_code == 0
    assert not [p.name for p in Path.cwd().iterdir() if p.name.startswith(".")]


def test_nothing_is_asked_twice_and_changes_are_told(charm: Charm, own: str) -> None:
    line = ("generate", "prompts.jsonl", "--policy", f"python:{own}:echo", "-o", "out")
    assert charm(*line).exit_code == 0
    assert "the output already exists" in charm(*line).stderr
    again = charm(*line, "--force", "--json")
    assert json.loads(again.stdout)["run"][0]["known"] == N
    assert asked() == N
    changed = charm(*line, "--force", "--system", "Be brief.")
    assert (
        "policy 'echo' has changed (system None -> 'Be brief.'): its prompts are asked again"
        in changed.stderr
    )
    assert asked() == 2 * N
    back = charm(*line, "--force")
    assert "system 'Be brief.' -> None" in back.stderr
    assert asked() == 2 * N


def test_a_run_that_failed_goes_on_and_tells_what_changed_since(charm: Charm, own: str) -> None:
    line = (
        "generate",
        "prompts.jsonl",
        "--policy",
        f"python:{own}:echo",
        "--policy",
        f"python:{own}:broken",
        "-o",
        "out",
        "--no-cache",
    )
    failed = charm(*line)
    assert failed.exit_code == 2
    assert "fails with ZeroDivisionError" in failed.stderr
    assert not Path("out").exists()
    text = Path(f"{own}.py").read_text()
    other = f"{own}_b"
    Path(f"{other}.py").write_text(text.replace("return 1 / 0", 'return ["." for _ in prompts]'))
    line = (
        "generate",
        "prompts.jsonl",
        "--policy",
        f"python:{own}:echo",
        "--policy",
        f"python:{other}:broken",
        "-o",
        "out",
        "--no-cache",
    )
    done = charm(*line)
    assert done.exit_code == 0, done.output
    assert "going on from" in done.stderr
    assert "policy 'broken' has changed" in done.stderr
    assert asked() == N
    assert not list(Path.cwd().glob(".out.*"))


def test_policies_of_a_file_have_settings_of_their_own(charm: Charm, own: str) -> None:
    Path("policies.yaml").write_text(
        f"policies:\n  - name: brief\n    spec: python:{own}:echo\n    system: Be brief.\n  - spec: python:{own}:drawn\n    seed: 7\n    samples: 2\n"
    )
    result = charm("generate", "prompts.jsonl", "--policies", "policies.yaml", "-o", "out", "--json")
    assert result.exit_code == 0, result.output
    brief, drawn = json.loads(result.stdout)["manifest"]["policies"]
    assert (brief["policy"], brief["settings"]["system"]) == ("brief", "Be brief.")
    assert (drawn["settings"]["seed"], drawn["settings"]["samples"], drawn["counts"]["answers"]) == (
        7,
        2,
        2 * N,
    )
    frame = pl.read_parquet("out/drawn.parquet")
    assert frame["sample"].to_list() == [0, 1] * N
    assert frame["response"].n_unique() == 2 * N


def test_what_policies_of_a_file_overrule_is_told_and_refused_where_all_do(charm: Charm, own: str) -> None:
    entry = f"  - name: {{}}\n    spec: python:{own}:echo\n    system: Be brief.\n"
    Path("policies.yaml").write_text("policies:\n" + entry.format("brief") + entry.format("short"))
    line = ("generate", "prompts.jsonl", "--policies", "policies.yaml", "-o", "out", "--system", "Be long.")
    refused = charm(*line)
    assert refused.exit_code == 2
    assert "--system has no effect: 'brief', 'short' say their own in the file" in refused.stderr
    told = charm(*line, "--policy", f"python:{own}:echo")
    assert told.exit_code == 0, told.output
    assert (
        "--system does not hold for 2 policies of 3 with their own in the file: 'brief', 'short'"
        in told.stderr
    )
    policies = json.loads(Path("out/_manifest.json").read_text())["policies"]
    assert {p["policy"]: p["settings"]["system"] for p in policies} == {
        "echo": "Be long.",
        "brief": "Be brief.",
        "short": "Be brief.",
    }


def test_outputs_that_exist_stand_beside_others(charm: Charm, own: str) -> None:
    rows = [{"instruction": f"Question {i}?", "output": f"old {i}", "generator": "old"} for i in range(N)]
    Path("old.json").write_text(json.dumps(rows))
    result = charm(
        "generate",
        "prompts.jsonl",
        "--policy",
        "outputs:old.json",
        "--policy",
        f"python:{own}:echo",
        "-o",
        "out",
    )
    assert result.exit_code == 0, result.output
    assert load_responses("out").policies == ["echo", "old"]


@pytest.mark.parametrize(
    ("file", "said"), [("old.json", "two policies are called 'old'"), ("none.json", "no such file")]
)
def test_outputs_are_looked_at_before_anyone_is_asked(charm: Charm, own: str, file: str, said: str) -> None:
    rows = [{"instruction": f"Question {i}?", "output": f"old {i}", "generator": "old"} for i in range(N)]
    Path("old.json").write_text(json.dumps(rows))
    policies = ("--policy", f"old=python:{own}:echo", "--policy", f"outputs:{file}")
    result = charm("generate", "prompts.jsonl", *policies, "-o", "out")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert asked() == 0


def test_how_an_answer_ended_is_unknown_where_nothing_says_it(charm: Charm, own: str) -> None:
    result = charm("generate", "prompts.jsonl", "--policy", f"python:{own}:echo", "-o", "out", "--json")
    found = json.loads(result.stdout)
    assert [row["cut_off"] for row in found["run"]] == [None]
    assert found["manifest"]["policies"][0]["counts"]["cut_off"] is None


def test_a_dry_run_asks_nothing(charm: Charm, own: str) -> None:
    line = (
        "generate",
        "prompts.jsonl",
        "--policy",
        f"python:{own}:echo",
        "--policy",
        "openai:m@http://127.0.0.1:9/v1",
    )
    result = charm(
        *line, "--max-tokens", 10, "--price-in", 1, "--price-out", 2, "-o", "out", "--dry-run", "--json"
    )
    assert result.exit_code == 0, result.output
    mine, served = json.loads(result.stdout)["policies"]
    assert (mine["calls"], mine["tokens_out"], served["tokens_out"]) == (N, None, 10 * N)
    assert served["cost"] == pytest.approx((served["tokens_in"] + 2 * 10 * N) / 1e6)
    assert asked() == 0
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--policy", "gpt-4"), "no policy 'gpt-4'"),
        (("--policy", "openai:"), "no policy 'openai:'"),
        ((), "no policy to ask"),
        (
            ("--policy", "python:OWN:echo", "--temperature", "1"),
            "temperature has no effect on these policies",
        ),
        (("--policy", "python:OWN:echo", "--policy", "python:OWN:echo"), "two policies are called 'echo'"),
        (
            ("--policy", "python:OWN:echo", "--samples", "2"),
            "the function takes no seeds, so its 2 samples would be one answer",
        ),
        (("--policy", "python:OWN:echo", "--top-p", "2"), "--top-p: top_p must be at most 1"),
        (("--policy", "=python:OWN:echo"), "names no policy"),
        (("--policy", "python:OWN:gone"), "has no function 'gone'"),
        (("--policy", "python:OWN:nothing"), "all 5 answers are empty"),
        (("--policy", "python:OWN:halves"), "answer 0 holds half a surrogate pair"),
        (("--policy", "outputs:none.json"), "no such file"),
        (("--policy", "python:OWN:echo", "--price-in", "1"), "give --price-in and --price-out together"),
        (("--policies", "none.yaml"), "no such file"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    charm: Charm, own: str, words: tuple[str, ...], said: str
) -> None:
    result = charm("generate", "prompts.jsonl", *(w.replace("OWN", own) for w in words), "-o", "out")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Fix:" in result.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: [", "is not valid YAML"),
        ("a: 1", "a list under the one key 'policies'"),
        ("policies:\n  - name: x", "'spec' is missing"),
        ("policies:\n  - spec: python:a:b\n    temprature: 1", "line 3: unknown key 'temprature'"),
        ("policies:\n  - spec: openai:m\n    temperature: hot", "line 3: temperature is 'hot'"),
        ("policies:\n  - spec: openai:m\n    temperature: -1", "temperature must be at least 0"),
        ("policies:\n  - spec: python:a:b\n    temperature: 1", "temperature has no effect on a function"),
        ("policies:\n  - spec: nobody", "no policy 'nobody'"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_bad_file_is_told_by_its_line(charm: Charm, text: str, said: str) -> None:
    Path("policies.yaml").write_text(text)
    result = charm("generate", "prompts.jsonl", "--policies", "policies.yaml", "-o", "out")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_an_output_in_use_or_among_the_inputs_is_refused(charm: Charm, own: str) -> None:
    line = ("generate", "prompts.jsonl", "--policy", f"python:{own}:echo", "-o", "out")
    with locked(".out.lock"):
        assert "another run is using this output" in charm(*line).stderr
    Path("old").mkdir()
    rows = [{"instruction": "Question 1?", "output": "old", "generator": "old"}]
    Path("old/model_outputs.json").write_text(json.dumps(rows))
    result = charm("generate", "prompts.jsonl", "--policy", "outputs:old", "-o", "old", "--force")
    assert result.exit_code == 2
    assert Path("old/model_outputs.json").exists()


@pytest.mark.parametrize("where", ["the store", "the output"])
def test_a_full_disk_leaves_what_was_there(
    charm: Charm, own: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    line = ("generate", "prompts.jsonl", "--policy", f"python:{own}:echo", "-o", "out")
    assert charm(*line).exit_code == 0
    before = {p.name: p.read_bytes() for p in Path("out").iterdir()}
    if where == "the store":
        from charm_rm.memo import Memo

        def full(*_: object, **__: object) -> None:
            from charm_rm.memo import _as_charm_error

            with _as_charm_error("memo.sqlite"):
                raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(Memo, "add", full)
    else:
        monkeypatch.setattr(pl.DataFrame, "write_parquet", _no_space)
    result = charm(*line, "--force", "--system", "Be brief.")
    assert result.exit_code == 1, result.output
    assert "full" in result.stderr or "No space left" in result.stderr
    assert {p.name: p.read_bytes() for p in Path("out").iterdir()} == before


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")
