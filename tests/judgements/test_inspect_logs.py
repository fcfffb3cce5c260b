"""Logs of Inspect: JSON and .eval, one model a log, one scorer of several, epochs, errors and values that are no numbers."""

from __future__ import annotations

import contextlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from charm_rm import load_source
from charm_rm.errors import CharmWarning, ConfigError, SchemaError, UnreadableFile
from charm_rm.tables import Scores

Samples = list[dict[str, Any]]


def sample(number: int | str, epoch: int = 1, **values: Any) -> dict[str, Any]:
    scores = {name: {"value": value, "answer": "x", "explanation": "..."} for name, value in values.items()}
    return {"id": number, "epoch": epoch, "input": "Ask", "target": "", "scores": scores}


def document(samples: Samples, model: str = "openai/gpt-4o", task: str = "helpfulness") -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {"run_id": "r", "task": task, "model": model, "dataset": {"samples": len(samples)}},
        "results": {"scores": []},
        "samples": samples,
    }


def write(path: Path, samples: Samples, **run: str) -> Path:
    """A log as JSON, or as an archive of the same."""
    whole = document(samples, **run)
    if path.suffix == ".json":
        path.write_text(json.dumps(whole))
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", "{}")
        archive.writestr("header.json", json.dumps({k: v for k, v in whole.items() if k != "samples"}))
        archive.writestr("summaries.json", json.dumps(samples))
    return path


def values(path: Path, **choice: Any) -> dict[tuple[str, str], float]:
    scores = load_source(path, **choice)
    assert isinstance(scores, Scores)
    return {(p, k): s for p, k, s in scores.frame.select("prompt_id", "policy", "score").iter_rows()}


@pytest.mark.parametrize("name", ["log.json", "log.eval"])
def test_what_inspects_own_metrics_count(tmp_path: Path, name: str) -> None:
    given = ["C", "I", "P", "N", 7, 0.25, True, "yes", "FALSE", "8.5"]
    path = write(tmp_path / name, [sample(i, grader=v) for i, v in enumerate(given)])
    found = values(path)
    assert [found[str(i), "openai/gpt-4o"] for i in range(10)] == [1, 0, 0.5, 0, 7, 0.25, 1, 1, 0, 8.5]
    record = load_source(path).provenance
    assert (record["layout"], record["annotator"]) == ("Inspect", "grader")


@pytest.mark.parametrize("suffix", [".json", ".eval"])
def test_a_folder_of_logs_is_one_table_of_all_models(tmp_path: Path, suffix: str) -> None:
    for model in ("openai/gpt-4o", "mistral/small"):
        write(
            tmp_path / f"{model.replace('/', '-')}{suffix}",
            [sample("a", g=1), sample("b", g="I")],
            model=model,
        )
    assert values(tmp_path) == {
        ("a", "mistral/small"): 1.0,
        ("b", "mistral/small"): 0.0,
        ("a", "openai/gpt-4o"): 1.0,
        ("b", "openai/gpt-4o"): 0.0,
    }


def test_a_pattern_names_logs_too_and_convert_writes_them_as_a_table(
    tmp_path: Path, charm: Callable[..., Result]
) -> None:
    for model in ("a", "b"):
        write(tmp_path / f"{model}.eval", [sample(1, g=0.5)], model=model)
    assert set(values(tmp_path / "*.eval")) == {("1", "a"), ("1", "b")}
    result = charm("convert", tmp_path / "a.eval", "-o", tmp_path / "scores.csv")
    assert result.exit_code == 0, result.output
    assert "(Inspect) holds scores, 1 row, 1 policy, 1 prompt" in result.stdout
    assert (tmp_path / "scores.csv").read_text() == "prompt_id,policy,score\n1,a,0.5\n"


def test_several_tasks_keep_their_samples_apart(tmp_path: Path) -> None:
    for task in ("one", "two"):
        write(tmp_path / f"{task}.eval", [sample(1, g=0.5)], task=task)
    assert set(values(tmp_path)) == {("one/1", "openai/gpt-4o"), ("two/1", "openai/gpt-4o")}


def test_two_logs_of_one_model_and_task_are_refused(tmp_path: Path) -> None:
    for name in ("first.eval", "retried.eval"):
        write(tmp_path / name, [sample(1, g=0.5)])
    with pytest.raises(
        ConfigError,
        match="two logs of model 'openai/gpt-4o' on task 'helpfulness': first.eval and retried.eval",
    ):
        load_source(tmp_path)


@pytest.mark.parametrize("name", ["log.json", "log.eval"])
def test_epochs_are_averaged_as_inspect_does_and_said(tmp_path: Path, name: str) -> None:
    rows = [sample(1, epoch, g=v) for epoch, v in enumerate(["C", "C", "I", "C"], start=1)]
    path = write(tmp_path / name, rows)
    with pytest.warns(CharmWarning, match="3 of 4 judgements repeat a prompt and policy"):
        assert values(path) == {("1", "openai/gpt-4o"): 0.75}


def test_samples_with_errors_or_without_a_score_are_counted(tmp_path: Path) -> None:
    rows = [sample(i, g=1) for i in range(3)]
    rows[0] |= {"error": {"message": "boom"}}
    rows[1]["scores"] = None
    rows += [sample(3, g=float("nan")), sample(4, g=0), sample(5, other=1)]
    path = write(tmp_path / "log.json", rows)
    with pytest.warns(CharmWarning) as said:
        assert values(path, annotator="g") == {("2", "openai/gpt-4o"): 1.0, ("4", "openai/gpt-4o"): 0.0}
    told = [str(w.message).partition("log.json: ")[2] for w in said]
    assert told == ["1 of 6 judgements dropped: error", "3 of 6 judgements dropped: no verdict"]


def test_one_scorer_has_to_be_chosen_of_several(tmp_path: Path) -> None:
    rows = [sample(1, match="C", rubric={"tone": 3, "facts": 5})]
    path = write(tmp_path / "log.eval", rows)
    with pytest.raises(
        ConfigError, match="scores of 3 scorers: 'match', 'rubric/facts', 'rubric/tone'"
    ) as caught:
        load_source(path)
    assert "--judge NAME" in str(caught.value)
    assert values(path, annotator="rubric/facts") == {("1", "openai/gpt-4o"): 5.0}
    with pytest.raises(ConfigError, match=r"no scores of scorer 'mach'. Did you mean 'match'"):
        load_source(path, annotator="mach")


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([sample(7, g="A-")], SchemaError, "sample 7: scorer 'g' gave 'A-', which is no number"),
        ([sample(7, g=[1, 2])], SchemaError, r"scorer 'g' gave '\[1, 2\]'"),
        ([], SchemaError, "the log has no scores"),
        ([sample(7)], SchemaError, "the log has no scores"),
        ([{"epoch": 1}], UnreadableFile, r"samples\[0\].id should be text or a whole number"),
        ([sample(7, g=float("nan"))], SchemaError, "no judgement is left"),
    ],
)
@pytest.mark.parametrize("name", ["log.json", "log.eval"])
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, rows: Samples, error: type[Exception], message: str
) -> None:
    path = write(tmp_path / name, rows)
    with pytest.raises(error, match=message) as caught:
        load_source(path)
    assert str(path) in str(caught.value)


def test_broken_and_unfinished_archives_are_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "log.eval", [sample(i, g=1) for i in range(200)]).read_bytes()
    broken = tmp_path / "broken.eval"
    for data in (b"no zip", whole[: len(whole) // 2], whole.replace(b"PK\x01\x02", b"PK\x01\x03")):
        broken.write_bytes(data)
        with pytest.raises(UnreadableFile, match="cannot be read as a log of Inspect"):
            load_source(broken)
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(UnreadableFile, match="has no header.json: the run has not ended"):
        load_source(broken)
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("header.json", '{"status": "success"}')
        archive.writestr("summaries.json", "[]")
    with pytest.raises(UnreadableFile, match="names no task and model"):
        load_source(broken)
    with pytest.raises(UnreadableFile, match="no such file"):
        load_source(tmp_path / "none.eval")


def test_every_byte_of_an_archive_may_be_wrong(tmp_path: Path) -> None:
    """Damage ends in a typed error, or in scores of the same samples."""
    path = write(tmp_path / "log.eval", [sample(i, g=1) for i in range(3)])
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(UnreadableFile, SchemaError):
            assert len(load_source(path)) == 3


def as_zstandard(path: Path) -> Path:
    """Mark the members of an archive as compressed with Zstandard; what is in them stays."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset : at + offset + 2] = struct.pack("<H", 93)
            at = data.find(mark, at + 1)
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("n", [3, 4000])
def test_zstandard_is_read(tmp_path: Path, n: int) -> None:
    """As Inspect writes them today: the members are Zstandard frames, of one block and of several."""
    path = tmp_path / "log.eval"
    rows = [sample(i, g=i % 7) for i in range(n)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", zstandard(json.dumps(document([]))))
        archive.writestr("summaries.json", zstandard(json.dumps(rows)))
    found = values(as_zstandard(path))
    assert len(found) == n
    assert found[str(n - 1), "openai/gpt-4o"] == (n - 1) % 7


def zstandard(text: str) -> bytes:
    """A text as one Zstandard frame of raw blocks."""
    data = text.encode()
    blocks = [data[i : i + 100_000] for i in range(0, len(data), 100_000)]
    frame = b"\x28\xb5\x2f\xfd" + bytes([0b10100000]) + len(data).to_bytes(4, "little")
    for number, block in enumerate(blocks, start=1):
        frame += ((number == len(blocks)) | len(block) << 3).to_bytes(3, "little") + block
    return frame
