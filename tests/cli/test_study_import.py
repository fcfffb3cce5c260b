"""``charm study import``: votes in files, other models beside them, what is said and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

pytest.importorskip("sqlalchemy")

VOTES = """prompt_id,model_a,model_b,winner,worker
p1,x,y,model_a,ann
p1,x,y,model_b,bob
p2,y,x,tie,ann
p2,x,y,x,bob
"""


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    path = tmp_path / "votes.csv"
    path.write_text(VOTES, encoding="utf-8")
    return path


def _scores(path: Path, x: float) -> Path:
    rows = [(p, policy, s) for p in ("p1", "p2") for policy, s in (("x", x), ("y", 0.0))]
    pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_csv(path)
    return path


def test_votes_and_scores_become_a_study(charm: Callable[..., Result], votes: Path, tmp_path: Path) -> None:
    from charm_rm.study.database import open_study

    before, after = _scores(tmp_path / "before.csv", 1.0), _scores(tmp_path / "after.csv", -1.0)
    study = tmp_path / "study.db"
    done = charm("study", "import", votes, "--scores", before, "--scores", f"tuned={after}", "-o", study)
    assert done.exit_code == 0, done.output
    assert "Study votes: 4 votes of 2 raters on 2 comparisons" in done.stdout
    assert "next: charm study analyse" in done.stderr
    with open_study(study) as database:
        found = database.read()
    assert [m.name for m in found.models] == ["before", "tuned"]
    assert sorted(found.votes.frame["winner"]) == ["a", "a", "b", "tie"]
    assert found.provenance["target"] == "these comparisons"
    again = charm("study", "import", votes, "-o", study)
    assert again.exit_code == 2
    assert "4 votes" in again.stderr or "exists" in again.stderr


def test_other_names_of_columns_json_and_judges(charm: Callable[..., Result], tmp_path: Path) -> None:
    rows = [
        {"task": 1, "model_a": "x", "model_b": "y", "best": "A", "who": "ann", "kind": "crowd"},
        {"task": 1, "model_a": "x", "model_b": "y", "best": "B", "who": None, "kind": "gpt-4"},
    ]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    told = (
        "--column",
        "prompt_id=task",
        "--column",
        "winner=best",
        "--column",
        "rater=who",
        "--judge-column",
        "kind",
    )
    done = charm("study", "import", path, *told, "-o", tmp_path / "s.db", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["votes"], found["models"]) == (1, ["gpt-4"])
    assert "for people: 'crowd'" in done.stderr


def test_judgements_of_another_file(charm: Callable[..., Result], votes: Path, tmp_path: Path) -> None:
    judged = tmp_path / "judged.csv"
    judged.write_text("prompt_id,policy,reference,margin\np1,x,y,0.5\np2,y,x,0.1\n", encoding="utf-8")
    done = charm(
        "study", "import", votes, "--judgements", f"judge={judged}", "-o", tmp_path / "s.db", "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["models"] == ["judge"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (VOTES.replace("tie", "whatever"), "nor a known label"),
        (VOTES.replace("worker", "speed"), "do not say who voted"),
        (VOTES.replace("winner", "speed"), "no column is 'winner'"),
        ("", "empty"),
        ("prompt_id,model_a,model_b,winner,worker\n", "no vote of people is left"),
    ],
)
def test_malformed_votes_are_refused_and_nothing_is_written(
    charm: Callable[..., Result], tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(text, encoding="utf-8")
    done = charm("study", "import", path, "-o", tmp_path / "s.db")
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert not (tmp_path / "s.db").exists()
    assert "Traceback" not in done.output


def test_an_output_that_is_an_input_is_refused(charm: Callable[..., Result], votes: Path) -> None:
    done = charm("study", "import", votes, "-o", votes, "--force")
    assert done.exit_code == 2
    assert votes.read_text(encoding="utf-8") == VOTES


def test_models_in_columns_of_the_votes(charm: Callable[..., Result], votes: Path, tmp_path: Path) -> None:
    pytest.importorskip("nltk")
    lines = VOTES.splitlines()
    more = ["gpt4_winner,rm a,rm b", "model_a,1,0", "x,1,0", "tie,2,2", "tie,2,2"]
    votes.write_text("\n".join(",".join(pair) for pair in zip(lines, more, strict=True)), encoding="utf-8")
    told = charm("study", "import", votes, "-o", tmp_path / "bare.db")
    assert "--model 'rm=rm a,rm b', --model gpt4=gpt4_winner" in told.stderr
    assert "without texts" in told.stdout
    done = charm("study", "import", votes, "--model", "gpt4=gpt4_winner", "--model", "rm=rm a,rm b", "--original", "rm", "-o", tmp_path / "s.db", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["models"] == ["rm", "gpt4"]
    assert charm("study", "analyse", tmp_path / "s.db", "--json").exit_code == 0
    refused = charm("study", "import", votes, "--model", "gpt4=gpt", "-o", tmp_path / "t.db")
    assert refused.exit_code == 2
    assert "--model gpt4=gpt" in refused.stderr


def test_votes_without_ids_find_scores_by_the_prompts_texts(
    charm: Callable[..., Result], votes: Path, tmp_path: Path
) -> None:
    votes.write_text(VOTES.replace("prompt_id", "prompt").replace("p1", "Why?").replace("p2", "How?"), encoding="utf-8")  # fmt: skip
    scores = _scores(tmp_path / "rm.csv", 1.0)
    refused = charm("study", "import", votes, "--scores", scores, "-o", tmp_path / "s.db")
    assert refused.exit_code == 2
    assert "nothing says which texts the ids of 'rm' are of" in refused.stderr
    text = pl.col("prompt_id").replace_strict({"p1": "Why?", "p2": "How?"})
    pl.read_csv(scores).with_columns(text.alias("prompt")).write_csv(scores)
    done = charm("study", "import", votes, "--scores", scores, "-o", tmp_path / "s.db", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["comparisons"] == 2


def test_a_study_without_texts_is_analysed_and_exported_and_neither_served_nor_invited_to(
    charm: Callable[..., Result], votes: Path, tmp_path: Path
) -> None:
    pytest.importorskip("nltk")
    pytest.importorskip("fastapi")
    study = tmp_path / "s.db"
    assert charm("study", "import", votes, "-o", study).exit_code == 0
    assert charm("study", "analyse", study, "--json").exit_code == 0
    assert charm("study", "export", study, "-o", tmp_path / "battles.parquet").exit_code == 0
    assert charm("study", "invite", study, "--list").exit_code == 0
    for command in (("serve", study, "--port", 0), ("invite", study, "Ann")):
        done = charm("study", *command)
        assert done.exit_code == 2
        assert not done.stdout
        assert "the study has no texts to show" in done.stderr
        assert "--responses RESPONSES" in done.stderr


def test_votes_that_bring_their_texts_can_be_served_and_want_no_more_votes(
    charm: Callable[..., Result], votes: Path, tmp_path: Path
) -> None:
    columns = {"prompt": pl.format("Why {}?", "prompt_id"), "response_a": pl.format("of {}", "model_a"), "response_b": pl.format("of {}", "model_b")}  # fmt: skip
    pl.read_csv(votes).with_columns(**columns).write_csv(votes)
    assert charm("study", "import", votes, "-o", tmp_path / "s.db").exit_code == 0
    done = charm("study", "invite", tmp_path / "s.db", "Dee")
    assert done.exit_code == 0
    assert "every comparison has all the votes that it wants" in done.stderr
