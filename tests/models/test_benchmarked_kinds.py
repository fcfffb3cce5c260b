"""Every kind of reward model and judge goes through ``charm evaluate`` by one path; a second run asks nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

pytest.importorskip("torch", reason="needs the [hf] extra")
pytest.importorskip("httpx", reason="needs the [api] extra")

import transformers

from models.tiny_models import tiny_bert, tiny_llama
from remote.fake_rewards import Tei, Vllm
from remote.fault_server import FaultServer
from remote.judge_server import prefers_longer

pytestmark = [pytest.mark.models, pytest.mark.slow]
Charm = Callable[..., Result]
TEXTS = [("good fine", "bad poor"), ("long good alpha", "short"), ("why good", "how bad beta gamma")]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"why {word}", "chosen": good, "rejected": bad, "subset": word}
        for word in ("alpha", "beta")
        for good, bad in TEXTS
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def named(
    request: pytest.FixtureRequest, tmp_path: Path, minilm_dir: Path
) -> Iterator[tuple[list[str], FaultServer | None]]:
    """The options that name a model of a kind, and its server where it has one."""
    kind, server = request.param, None
    with contextlib.ExitStack() as stack:
        if kind in ("vllm", "tei"):
            server = stack.enter_context(FaultServer(Vllm() if kind == "vllm" else Tei()).running())
            options = ["--rm", f"{kind}:{server.url}"]
        elif kind == "openai":
            server = stack.enter_context(FaultServer(prefers_longer).running())
            options = [
                "--judge",
                "openai:judge",
                "--base-url",
                f"{server.url}/v1",
                "--prompt",
                "alpaca-eval-like",
            ]
        elif kind == "dpo":
            options = ["--rm", f"dpo:{_causal(tmp_path / 'policy', 1)},{_causal(tmp_path / 'reference', 2)}"]
        elif kind == "rm":
            options = ["--rm", str(tiny_bert(tmp_path / "rm", minilm_dir))]
        elif kind == "pair":
            options = ["--judge", f"pair:{tiny_bert(tmp_path / 'ranker', minilm_dir)}"]
        else:
            options = ["--judge", f"hf:{request.getfixturevalue('smollm2_dir')}"]
        yield options, server


@pytest.mark.parametrize("named", ["rm", "dpo", "vllm", "tei", "pair", "hf", "openai"], indirect=True)
def test_a_kind_is_benchmarked_and_a_second_run_asks_nothing(
    charm: Charm, named: tuple[list[str], FaultServer | None], pairs: Path, tmp_path: Path
) -> None:
    options, server = named
    arguments = ["evaluate", *options, "--pairs", pairs, "--placebos", "--unchecked", "--draws", "100"]
    first = charm(*arguments, "-o", tmp_path / "first")
    assert first.exit_code == 0, first.output
    found = json.loads((tmp_path / "first" / "evaluation.json").read_text())["benchmarks"][0]
    assert [row["n"] for row in found["metrics"]] == [3, 3, 6]
    assert found["label_swap"]["holds"]
    items = pl.read_parquet(tmp_path / "first" / "items.parquet")
    judged = options[0] == "--judge"
    assert items.height == 12
    assert items["order"].null_count() == (0 if judged else 12)
    # A judge that writes something else has no margin, in either order, and its comparison is counted.
    assert items["margin"].null_count() == 2 * found["unanswered"] < items.height
    assert found["unanswered"] == 0 or options[1].startswith("hf:")
    asked = _questions(server)
    second = charm(*arguments, "-o", tmp_path / "second")
    assert second.exit_code == 0, second.output
    assert _questions(server) == asked
    for name in ("items.parquet", "benchmarks.parquet"):
        assert pl.read_parquet(tmp_path / "second" / name).equals(pl.read_parquet(tmp_path / "first" / name))


def _questions(server: FaultServer | None) -> int:
    """Requests that ask for an answer, not what is served."""
    return sum(asked.method == "POST" for asked in server.asked) if server else 0


def _causal(folder: Path, seed: int) -> Path:
    """A tiny language model with the tokenizer of the tiny reward model."""
    tiny_llama(folder, seed=seed)
    config: Any = transformers.LlamaConfig.from_pretrained(folder)
    transformers.set_seed(seed)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder
