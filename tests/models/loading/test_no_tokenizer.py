"""A model without its tokenizer is refused in every command, and text that a tokenizer cannot spell is, too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm.errors import ModelError
from charm_rm.models import diagnose, load_pair_ranker, load_reward_model
from charm_rm.models.scoring.unknown import find_tokenizer, refuse_unknown, unknown_share
from charm_rm.store import write_frame, write_json
from charm_rm.tables import Responses
from models.tiny_models import tiny_bert

pytestmark = pytest.mark.models
pytest.importorskip("transformers", reason="needs the [hf] extra")
Charm = Callable[..., Result]

WORDS = "no vocabulary for its tokenizer: tokenizer.json (or vocab.txt) missing"
LEFT = {"nothing": (), "only the configuration": ("tokenizer_config.json", "special_tokens_map.json")}
TEXTS = {"prompt": "Name a tree.", "chosen": "An oak.", "rejected": "A stone."}


@pytest.fixture(params=LEFT)
def mute(request: pytest.FixtureRequest, minilm_rm_dir: Path, tmp_path: Path) -> Path:
    """A reward model whose vocabulary is lost."""
    folder = tmp_path / "mute"
    keep = {"config.json", "model.safetensors", *LEFT[request.param]}
    shutil.copytree(minilm_rm_dir, folder, ignore=lambda _d, names: set(names) - keep)
    return folder


def table(folder: Path, text: str = "An oak.") -> Path:
    rows = [
        {"prompt_id": f"q{i}", "prompt": "Name a tree.", "policy": p, "response": f"{text} {i}"}
        for i in range(20)
        for p in ("one", "two")
    ]
    return write_frame(pl.DataFrame(rows), folder / "responses.parquet")


def pairs(folder: Path, text: str = "An oak.") -> Path:
    rows = [TEXTS | {"prompt": f"Tree {i}?", "chosen": f"{text} {i}", "rejected": text} for i in range(20)]
    return write_frame(pl.DataFrame(rows), folder / "pairs.jsonl")


class TestNoVocabulary:
    def test_every_command_refuses(self, charm: Charm, mute: Path, tmp_path: Path) -> None:
        responses, given = table(tmp_path), pairs(tmp_path)
        out = tmp_path / "out"
        for command in (
            ("score", responses, "--rm", mute, "-o", f"{out}.parquet"),
            ("score", responses, "--rm", mute, "-o", f"{out}.parquet", "--unchecked"),
            ("train", given, "--rm", mute, "-o", out),
            ("evaluate", "--rm", mute, "--pairs", given),
            ("judge", responses, "--judge", f"pair:{mute}", "-o", f"{out}.parquet"),
        ):
            result = charm(*command)
            assert result.exit_code == 2, command
            assert WORDS in result.stderr, command
            assert "save_pretrained" in result.stderr
        assert not out.exists()
        result = charm("doctor", "--rm", mute)
        assert result.exit_code != 0
        assert "no vocabulary for its tokenizer" in result.output.replace("\n", " ")

    def test_the_verbs_refuse(self, mute: Path) -> None:
        for load in (load_reward_model, load_pair_ranker):
            with pytest.raises(ModelError, match="no vocabulary"):
                load(mute)

    def test_a_judge_that_answers_in_words(self, charm: Charm, smollm2_dir: Path, tmp_path: Path) -> None:
        folder = tmp_path / "mute"
        shutil.copytree(smollm2_dir, folder, ignore=shutil.ignore_patterns("tokenizer.json", "*.model"))
        result = charm("judge", table(tmp_path), "--judge", f"hf:{folder}", "-o", tmp_path / "j.parquet")
        assert result.exit_code == 2
        assert "no vocabulary for its tokenizer" in result.stderr

    def test_a_vocabulary_without_its_merges(self, tmp_path: Path) -> None:
        from charm_rm.models.loading.tokenizers import read_tokenizer

        write_json({"model_type": "gpt2"}, tmp_path / "config.json")
        write_json({"a": 0, "b": 1}, tmp_path / "vocab.json")
        with pytest.raises(ModelError, match="no vocabulary.*merges.txt. missing"):
            read_tokenizer(tmp_path)

    def test_bytes_need_no_vocabulary(self, tmp_path: Path) -> None:
        from charm_rm.models.loading.tokenizers import read_tokenizer

        write_json({"tokenizer_class": "ByT5Tokenizer"}, tmp_path / "tokenizer_config.json")
        write_json({"model_type": "t5"}, tmp_path / "config.json")
        assert read_tokenizer(tmp_path)("ab")["input_ids"] == [100, 101, 1]


class TestUnknownText:
    RUNES = "ᚠᛇᚻ ᛒᛦᚦ ᚠᚱᚩᚠᚢᚱ ᚠᛁᚱᚪ"

    def test_refused_unless_asked_for(self, charm: Charm, minilm_dir: Path, tmp_path: Path) -> None:
        """By a tiny model with MiniLM's tokenizer, as one command trains it."""
        rm = tiny_bert(tmp_path / "rm", minilm_dir)
        responses, given = table(tmp_path, self.RUNES), pairs(tmp_path, self.RUNES)
        quick = ("--max-steps", "1", "--max-length", "16")
        for command in (
            ("score", responses, "--rm", rm, "-o", tmp_path / "s.parquet", "--no-cache"),
            ("train", given, "--rm", rm, "-o", tmp_path / "model", *quick),
            ("evaluate", "--rm", rm, "--pairs", given, "--no-cache"),
        ):
            result = charm(*command)
            assert result.exit_code == 2, command
            assert "unknown to its tokenizer (the limit is 5%)" in result.stderr
            assert "--unchecked" in result.stderr
            assert charm(*command, "--unchecked").exit_code == 0, command

    def test_the_doctor_fails_it(self, minilm_rm_dir: Path, tmp_path: Path) -> None:
        responses = Responses(pl.read_parquet(table(tmp_path, self.RUNES)))
        assert diagnose(minilm_rm_dir, responses, quick=True)["unknown"].status == "fail"
        assert diagnose(minilm_rm_dir, quick=True)["unknown"].status != "fail"

    def test_share(self, minilm_rm_dir: Path, smollm2_rm_dir: Path) -> None:
        words = find_tokenizer(load_reward_model(minilm_rm_dir))
        assert words is not None
        assert unknown_share(words, ["oak tree", "ᚠ ᛇ"]) == pytest.approx(0.5)
        assert unknown_share(words, []) == 0.0
        assert unknown_share(words, ["it says [UNK]", "oak"]) == 0.0  # spelt, not unknown
        refuse_unknown(words, ["oak tree"] * 19 + ["ᚠ ᛇ"], where="m")  # 5 %: not above the limit
        with pytest.raises(ModelError, match="the limit"):
            refuse_unknown(words, ["oak tree"] * 18 + ["ᚠ ᛇ"], where="m")
        data = find_tokenizer(load_reward_model(smollm2_rm_dir))
        assert unknown_share(data, [self.RUNES, "<|endoftext|>"]) == 0.0

    def test_texts_are_taken_from_all_of_a_long_table(self, minilm_rm_dir: Path) -> None:
        words = find_tokenizer(load_reward_model(minilm_rm_dir))
        texts = ["oak"] * 1000 + ["ᚠ"] * 1000
        assert unknown_share(words, texts) == pytest.approx(0.5, abs=0.01)

    def test_what_has_no_tokenizer_here_passes(self) -> None:
        refuse_unknown(object(), [self.RUNES], where="a server")
