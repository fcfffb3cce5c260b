"""Limits and regimes of positions: which rows may share a forward pass, so that a score is what its text alone gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the [hf] extra")

import torch
import transformers

from charm_rm.errors import ConfigError
from charm_rm.models import load_reward_model, score_responses
from charm_rm.models.causal_judge import load_local_chat
from charm_rm.models.doctor import diagnose
from charm_rm.models.implicit import load_dpo_reward
from charm_rm.models.pair_ranker import load_pair_ranker
from charm_rm.models.scoring.positions import Regimes, find_regimes, position_limit
from charm_rm.models.scoring.responses import _identity
from charm_rm.tables import Responses
from models import tiny_families

SHORT = [("p1 p2", "r1"), ("p1 p2", "r2 r2 r2 r2"), ("p3", "r3"), ("p3", "r4 r5")]
LONG = [("p4", " ".join(["r6"] * 45)), ("p4", " ".join(["r7"] * 60))]
SWITCH = 32


def phi3(
    folder: Path, words: Any, *, causal: bool = False, seed: int = 0, num_labels: int = 1, **rope: Any
) -> Path:
    """A tiny Phi-3 whose positions are stretched in texts above 32 tokens."""
    torch.manual_seed(seed)
    factors = {
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
        "original_max_position_embeddings": SWITCH,
    }
    config = transformers.Phi3Config(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=64,
        num_labels=num_labels,
        initializer_range=0.3,
        max_position_embeddings=256,
        original_max_position_embeddings=SWITCH,
        rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, **factors} | rope,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    kind = transformers.Phi3ForCausalLM if causal else transformers.Phi3ForSequenceClassification
    kind(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def longrope(
    make_tokenizer: Callable[..., Any], template: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return phi3(tmp_path_factory.mktemp("longrope"), make_tokenizer(template))


@pytest.fixture(scope="module")
def template() -> str:
    return "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"


def scores(model: Any, texts: list[tuple[str, str]]) -> np.ndarray:
    return model([p for p, _ in texts], [r for _, r in texts])


def by_hand(folder: Path, model: Any, text: tuple[str, str]) -> float:
    """transformers' own score of a text alone, by a model that has read no other."""
    fresh = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.tensor([model.encode_many([text[0]], [text[1]])[0].input_ids])
    fresh.config.pad_token_id = model.pad_token_id
    with torch.inference_mode():
        return float(fresh(input_ids=ids, attention_mask=torch.ones_like(ids)).logits)


# --- scores -------------------------------------------------------------------------------------


def test_scores_of_stretched_positions_are_those_of_each_text_alone(longrope: Path) -> None:
    model = load_reward_model(longrope, device="cpu")
    together = scores(model, SHORT + LONG)
    assert together == pytest.approx([by_hand(longrope, model, text) for text in SHORT + LONG], abs=1e-5)
    assert scores(model, SHORT) == pytest.approx(together[:4], abs=1e-5)


def test_the_two_ways_of_placing_tokens_do_differ(longrope: Path) -> None:
    """Without grouping, as in the same batch of transformers: the test above can fail."""
    model = load_reward_model(longrope, device="cpu")
    object.__setattr__(model, "regimes", Regimes())
    assert abs(scores(model, SHORT + LONG)[:4] - scores(model, SHORT)).max() > 0.1


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side(
    make_tokenizer: Callable[..., Any], template: str, tmp_path: Path, side: str
) -> None:
    folder = phi3(tmp_path, make_tokenizer(template, side=side))
    model = load_reward_model(folder, device="cpu")
    assert scores(model, SHORT + LONG) == pytest.approx(
        [by_hand(folder, model, text) for text in SHORT + LONG], abs=1e-5
    )


def test_rows_end_to_end(longrope: Path) -> None:
    model = load_reward_model(longrope, device="cpu", unpadded=True, attention="sdpa")
    padded = load_reward_model(longrope, device="cpu")
    assert scores(model, SHORT + LONG) == pytest.approx(scores(padded, SHORT + LONG), abs=1e-5)


def test_a_table_scored_whole_or_in_part_is_the_same(longrope: Path, tmp_path: Path) -> None:
    def table(texts: list[tuple[str, str]]) -> Responses:
        rows = [
            {"prompt_id": p, "prompt": p, "policy": f"m{i}", "response": r} for i, (p, r) in enumerate(texts)
        ]
        return Responses(pl.DataFrame(rows))

    model = load_reward_model(longrope, device="cpu")
    few = score_responses(model, table(SHORT), progress=False, memo=tmp_path / "memo")
    all_of_them = score_responses(model, table(SHORT + LONG), progress=False, memo=tmp_path / "memo")
    fresh = score_responses(model, table(SHORT + LONG), progress=False)
    for found in (all_of_them, fresh):
        assert found.frame["score"][:4].to_list() == pytest.approx(few.frame["score"].to_list(), abs=1e-5)


def test_the_stores_key_knows_the_regime(longrope: Path, tiny_rm_dir: Path) -> None:
    model = load_reward_model(longrope, device="cpu")
    assert model.numerics["positions"] == "another way above 32 tokens"
    other = load_reward_model(longrope, device="cpu")
    object.__setattr__(other, "regimes", Regimes())
    assert _identity(model) != _identity(other)
    assert "positions" not in load_reward_model(tiny_rm_dir, device="cpu").numerics
    short = load_reward_model(longrope, device="cpu", max_length=SWITCH)  # never comes above it
    assert "positions" not in short.numerics


def test_a_dpo_policy(make_tokenizer: Callable[..., Any], template: str, tmp_path: Path) -> None:
    words = make_tokenizer(template)
    folders = [phi3(tmp_path / str(seed), words, causal=True, seed=seed) for seed in (0, 1)]
    model = load_dpo_reward(*folders, device="cpu")
    alone = [float(scores(model, [text])[0]) for text in SHORT + LONG]
    assert scores(model, SHORT + LONG) == pytest.approx(alone, abs=1e-3)
    assert model.regimes == Regimes((SWITCH,))


def test_a_local_judge(make_tokenizer: Callable[..., Any], template: str, tmp_path: Path) -> None:
    chat = load_local_chat(phi3(tmp_path, make_tokenizer(template), causal=True), device="cpu")
    asked = [[{"role": "user", "content": f"{p} {r}"}] for p, r in SHORT + LONG]
    for tokens in (1, 6):
        together = dict(chat.replies(asked, max_tokens=tokens, top_logprobs=3))
        for i, one in enumerate(asked):
            alone = dict(chat.replies([one], max_tokens=tokens, top_logprobs=3))[0]
            assert together[i].text == alone.text
            assert together[i].top_logprobs == pytest.approx(alone.top_logprobs, abs=1e-4)


def test_a_pair_ranker(make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    ranker = load_pair_ranker(phi3(tmp_path, make_tokenizer(None)), device="cpu")
    first = [r for _, r in SHORT + LONG]
    prompts, second = [p for p, _ in SHORT + LONG], ["r9"] * 6
    alone = [float(ranker([p], [a], [b])[0]) for p, a, b in zip(prompts, first, second, strict=True)]
    assert ranker(prompts, first, second) == pytest.approx(alone, abs=1e-5)


@pytest.fixture
def dynamic(make_tokenizer: Callable[..., Any], template: str, tmp_path: Path) -> Path:
    """A tiny Llama whose frequencies are made anew for every length above 32."""
    words = make_tokenizer(template)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_labels=1,
        max_position_embeddings=SWITCH,
        initializer_range=0.3,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
    )
    transformers.LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    return tmp_path


def test_frequencies_of_one_text_are_not_anothers(dynamic: Path) -> None:
    """In whichever order: transformers keeps those of the longest text that it has read."""
    model = load_reward_model(dynamic, device="cpu", max_length=4 * SWITCH)
    assert model.numerics["positions"] == "one length a batch above 32 tokens"
    for texts in (SHORT + LONG, LONG[::-1] + SHORT, [LONG[1], LONG[0]]):
        alone = [by_hand(dynamic, model, text) for text in texts]
        assert scores(model, texts) == pytest.approx(alone, abs=1e-5)
        assert [float(scores(model, [text])[0]) for text in texts] == pytest.approx(alone, abs=1e-5)


def test_what_is_stretched_has_to_be_asked_for(dynamic: Path) -> None:
    model = load_reward_model(dynamic, device="cpu")
    assert model.max_length == SWITCH
    assert "positions" not in model.numerics
    with pytest.raises(ConfigError, match="129 is not between 1 and the 128 tokens"):
        load_reward_model(dynamic, max_length=129)


# --- families that read padding, or change their ways with length -------------------------------


@pytest.mark.parametrize("kind", ["fnet", "convbert", "big_bird", "xlnet", "canine"])
def test_families_that_read_padding(kind: str, make_tokenizer: Callable[..., Any], tmp_path: Path) -> None:
    """Grouped, each score is that of the text alone; BigBird keeps no way of attending from one batch to the next."""
    words = make_tokenizer(None)
    torch.manual_seed(0)
    more = {"max_position_embeddings": 128} if kind != "xlnet" else {}
    net = transformers.AutoModelForSequenceClassification.from_config(
        tiny_families.config(kind, vocab_size=len(words), **more)
        if kind != "canine"
        else tiny_families.config(kind, **more)
    )
    net.config.pad_token_id = 2
    net.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    model = load_reward_model(tmp_path, device="cpu")
    assert model.regimes
    for texts in (SHORT + LONG, LONG + SHORT, LONG):
        found = scores(model, texts)
        assert found == pytest.approx([by_hand(tmp_path, model, text) for text in texts], abs=1e-4)


# --- which rows go together ---------------------------------------------------------------------

regimes = st.builds(
    Regimes,
    st.lists(st.integers(1, 40), max_size=2, unique=True).map(lambda s: tuple(sorted(s))),
    st.none() | st.integers(0, 40),
)


@given(regimes, st.lists(st.integers(1, 60), max_size=30), st.integers(0, 5))
def test_groups_part_the_rows(how: Regimes, lengths: list[int], answer: int) -> None:
    groups = how.groups(lengths, answer=answer)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        inside = [lengths[i] for i in group]
        # What the longest row decides is what the shortest would have decided alone, at every step of an answer.
        for step in range(answer + 1):
            assert {max(inside) + step > s for s in how.switches} == {
                min(inside) + step > s for s in how.switches
            }
            for switch in how.switches:
                assert (max(inside) + step > switch) == (min(inside) + step > switch)
        if how.exact_above is not None and max(inside) > how.exact_above:
            assert len(set(inside)) == 1
    assert all(group == sorted(group) for group in groups)


def test_one_way_is_one_group() -> None:
    assert Regimes().groups([3, 50, 7]) == [[0, 1, 2]]
    assert Regimes((8,)).groups([3, 50, 7]) == [[0, 2], [1]]
    assert Regimes((), 5).groups([3, 50, 7, 4, 50]) == [[0, 3], [1, 4], [2]]
    assert Regimes((8,)).groups([7, 5, 7], answer=3) == [[0, 2], [1]]
    assert Regimes((8,), 16).within(8) == Regimes()


def rope(**settings: Any) -> SimpleNamespace:
    return SimpleNamespace(model_type="own", max_position_embeddings=128, rope_scaling=settings)


FACTORS = {"short_factor": [1.0], "long_factor": [2.0]}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (rope(type="su", original_max_position_embeddings=64, **FACTORS), Regimes((64,))),
        (rope(type="yarn", original_max_position_embeddings=64, factor=2.0), Regimes()),
        (rope(rope_type="llama3", original_max_position_embeddings=64), Regimes()),
        (rope(type="dynamic", factor=2.0), Regimes((), 128)),
        (rope(full_attention={"rope_type": "longrope", "original_max_position_embeddings": 32, **FACTORS}), Regimes((32,))),
        (SimpleNamespace(model_type="qwen", seq_length=2048, use_dynamic_ntk=True), Regimes((), 2048)),
        (SimpleNamespace(model_type="x", text_config=rope(type="dynamic")), Regimes((), 128)),
        (SimpleNamespace(model_type="llama", rope_parameters=None), Regimes()),
    ],
)  # fmt: skip
def test_what_a_configuration_says(config: Any, found: Regimes) -> None:
    assert find_regimes(config) == found


def test_an_original_context_beside_the_factors() -> None:
    config = SimpleNamespace(
        model_type="phi3", original_max_position_embeddings=64, rope_scaling={"type": "longrope", **FACTORS}
    )
    assert find_regimes(config) == Regimes((64,))


# --- the doctor ---------------------------------------------------------------------------------


def test_the_doctor_reads_texts_on_both_sides(longrope: Path) -> None:
    check = next(c for c in diagnose(longrope, device="cpu", n=4).checks if c.id == "batching")
    assert check.status == "ok"
    assert "on both sides of 32 tokens" in check.found


def test_the_doctor_finds_a_model_that_is_not_grouped(
    longrope: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one with code of its own would be, whose configuration names the original context."""
    from charm_rm.models.scoring import reward

    monkeypatch.setattr(reward, "find_regimes", lambda *_: Regimes())
    model = load_reward_model(longrope, device="cpu")
    model.model.config.auto_map = {"AutoModel": "own.Model"}
    check = next(c for c in diagnose(model, n=4).checks if c.id == "batching")
    assert check.status == "fail"
    assert "on both sides of 32 tokens" in check.found


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"model_type": "llama", "max_position_embeddings": 64}, 64),
        ({"model_type": "xlnet", "max_position_embeddings": -1}, None),
        ({"model_type": "mpt", "max_seq_len": 64}, 64),
        ({"model_type": "t5", "n_positions": 512}, None),
        ({"model_type": "own", "seq_length": 2048}, 2048),
        ({"model_type": "own"}, None),
        *(
            ({"model_type": kind, "max_position_embeddings": 66, "pad_token_id": 1}, 64)
            for kind in ("roberta", "roberta-prelayernorm", "data2vec-text", "xmod", "esm", "luke")
        ),
    ],
)
def test_a_limit_is_read_off_the_configuration(settings: dict[str, Any], limit: int | None) -> None:
    assert position_limit(SimpleNamespace(**settings)) == limit


def test_the_lowest_limit_of_several_parts_counts() -> None:
    parts = {"encoder": SimpleNamespace(model_type="x", n_positions=64)}
    parts["decoder"] = SimpleNamespace(model_type="x", n_positions=32)
    assert position_limit(SimpleNamespace(model_type="both", **parts)) == 32
