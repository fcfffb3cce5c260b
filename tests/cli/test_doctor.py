"""``charm doctor`` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from models.doctor.patients import QWEN, TEMPLATE, decoder, headless, tokenizer

Charm = Callable[..., Result]


def test_help_teaches(charm: Charm) -> None:
    result = charm("doctor", "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert "Exits with 1" in result.output


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ("openai:gpt-4o", "charm evaluate --judge"),
        ("pair:./x", "position bias in charm judge"),
        ("vllm:http://localhost:8000", "--against"),
        ("dpo:a,b", "--against"),
    ],
)
def test_what_is_no_reward_model_of_this_machine_is_told_where_to_go(
    charm: Charm, spec: str, fix: str
) -> None:
    result = charm("doctor", "--rm", spec)
    assert result.exit_code == 2
    assert "the doctor looks into reward models that run here" in result.stderr
    assert fix in result.stderr


def test_a_temperature_of_zero_is_refused(charm: Charm) -> None:
    assert charm("doctor", "--rm", "x", "--temperature", 0).exit_code == 2


@pytest.mark.models
class TestExamination:
    @pytest.fixture(autouse=True, scope="class")
    def one_thread(self) -> Iterator[None]:
        """Models this small lose time to a second thread."""
        torch = pytest.importorskip("torch", reason="needs the [hf] extra")
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)

    @pytest.fixture(scope="class")
    def sound(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return decoder(tmp_path_factory.mktemp("sound"), tokenizer(QWEN))

    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        rows = [
            {"prompt": "Name a tree.", "policy": p, "response": r}
            for p, r in (("a", "An oak."), ("b", "A fir, a very old one."), ("c", "No."))
        ]
        path = tmp_path / "responses.jsonl"
        pl.DataFrame(rows).write_ndjson(path)
        return path

    def test_a_sound_model(self, charm: Charm, sound: Path, table: Path) -> None:
        result = charm("doctor", "--rm", sound, "--responses", table, "--dtype", "bfloat16")
        assert result.exit_code == 0, result.output
        assert f"Check of {sound}" in result.stdout
        assert "Drift from float32" in result.stdout
        assert "bfloat16 is harmless here" in result.stdout
        assert "float16 is" not in result.stdout.replace("bfloat16 is", "")
        assert "warn default system prompt: the template begins" in result.stdout
        assert "Fix: right if the model was trained so" in result.stdout
        assert "1 warn, 1 skipped: sound" in result.stdout
        assert "tokens of a conversation" not in result.stdout
        assert "- float32, 3 responses one at a time" in result.stderr

    def test_json_is_all_there_is_on_standard_output(self, charm: Charm, sound: Path, table: Path) -> None:
        result = charm("doctor", "--rm", sound, "--responses", table, "--dtype", "bfloat16", "--json")
        report = json.loads(result.stdout)
        assert report["sound"]
        assert {row["dtype"] for row in report["drift"]} == {"float32", "bfloat16"}
        assert {"one at a time", "8 rows", "64 rows"} <= {row["batches"] for row in report["drift"]}
        assert {c["status"] for c in report["checks"]} == {"ok", "warn", "skipped"}
        assert report["provenance"]["n"] == 3

    def test_quick_scores_nothing_and_verbose_shows_the_tokens(self, charm: Charm, sound: Path) -> None:
        result = charm("doctor", "--rm", sound, "--quick", "--verbose")
        assert result.exit_code == 0
        assert "Drift" not in result.stdout
        assert "spread" not in result.stdout
        assert "tokens of a conversation of two turns: 1 '<s>'" in result.stdout

    def test_a_failing_check_exits_with_1_and_says_how_to_mend(self, charm: Charm, tmp_path: Path) -> None:
        folder = decoder(tmp_path, tokenizer("{{ bos_token }}" + TEMPLATE))
        result = charm("doctor", "--rm", folder, "--quick")
        assert result.exit_code == 1
        assert "fail beginning-of-sequence token: the BOS 1 '<s>' is doubled" in result.stdout
        assert "Fix: let one side write it" in result.stdout
        assert "1 fail, 1 skipped: not sound" in result.stdout

    def test_a_backbone_fails_and_nothing_at_all_is_bad_usage(self, charm: Charm, tmp_path: Path) -> None:
        result = charm("doctor", "--rm", headless(tmp_path))
        assert result.exit_code == 1
        assert "charm train" in result.stdout
        absent = charm("doctor", "--rm", tmp_path / "absent")
        assert absent.exit_code == 2
        assert "no such model folder" in absent.stderr
