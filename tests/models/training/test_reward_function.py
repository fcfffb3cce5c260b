"""The reward function as TRL calls it, and real short runs of GRPO and RLOO by it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrator_fakes import CountingScorer, a_calibrator
from charm_rm.errors import CharmWarning, ConfigError, ModelError, SchemaError
from charm_rm.models import load_reward_model
from charm_rm.models.training import reward_function as module
from charm_rm.models.training.reward_function import RewardFunction, reward_function
from charm_rm.style import calibrated, save_calibrator
from models.tiny_models import TEMPLATE, WORDS, tiny_bert

pytestmark = pytest.mark.models

PROMPTS = ["Why?", "How?", "Why?"]
COMPLETIONS = ["Short.", "**Bold** words\n- one\n- two", "long " * 50]


def as_messages(role: str, texts: list[str]) -> list[list[dict[str, str]]]:
    return [[{"role": role, "content": text}] for text in texts]


# --- as TRL calls it ----------------------------------------------------------------------------


def test_rewards_are_the_calibrated_scores() -> None:
    scorer = CountingScorer()
    known = a_calibrator(scorer)
    plain, moved = reward_function(scorer), reward_function(scorer, known)
    scores = plain(prompts=PROMPTS, completions=COMPLETIONS)
    rewards = moved(prompts=PROMPTS, completions=COMPLETIONS)
    assert scores == scorer(PROMPTS, COMPLETIONS).tolist()
    assert rewards == calibrated(scorer, known)(PROMPTS, COMPLETIONS).tolist()
    added = known.adjust_texts(PROMPTS, COMPLETIONS)
    assert np.subtract(rewards, scores) == pytest.approx(added, abs=1e-12)
    assert all(type(x) is float for x in scores + rewards)


def test_texts_and_messages_have_the_same_reward_where_the_model_reads_them_alike() -> None:
    reward = reward_function(CountingScorer(), a_calibrator(CountingScorer()))
    by_text = reward(prompts=PROMPTS, completions=COMPLETIONS)
    by_messages = reward(
        prompts=as_messages("user", PROMPTS),
        completions=as_messages("assistant", COMPLETIONS),
        completion_ids=[[1], [2], [3]],
        trainer_state=None,
        level=["easy", "hard", "easy"],
    )
    in_parts = reward(
        prompts=[[{"role": "user", "content": [{"type": "text", "text": p}]}] for p in PROMPTS],
        completions=COMPLETIONS,
    )
    assert by_text == by_messages == in_parts


def test_turns_before_the_last_of_a_completion_are_context() -> None:
    seen: list[Any] = []

    class Seeing(CountingScorer):
        def __call__(self, prompts: Any, responses: Any) -> np.ndarray:
            seen.append((list(prompts), list(responses)))
            return super().__call__(prompts, responses)

    tools = [
        {"role": "assistant", "content": "Let me look."},
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "It is 42."},
    ]
    reward_function(Seeing())(prompts=["What?"], completions=[tools])
    assert seen == [([[{"role": "user", "content": "What?"}, *tools[:2]]], ["It is 42."])]


def test_means_of_score_and_style_are_logged_where_trl_takes_them() -> None:
    scorer = CountingScorer()
    logged: dict[str, float] = {}
    known = a_calibrator(scorer)
    reward_function(scorer, known, name="rm")(PROMPTS, COMPLETIONS, log_metric=logged.__setitem__)
    assert logged == {
        "rm/score": pytest.approx(scorer(PROMPTS, COMPLETIONS).mean()),
        "rm/style": pytest.approx(known.adjust_texts(PROMPTS, COMPLETIONS).mean()),
    }
    assert reward_function(scorer, known)([], []) == []


def test_trl_finds_its_name() -> None:
    utils = pytest.importorskip("trl.trainer.utils", reason="needs the [hf] extra")
    assert utils.get_callable_name(reward_function(CountingScorer())) == "charm_reward"
    assert utils.get_callable_name(reward_function(CountingScorer(), name="helpful")) == "helpful"


@pytest.mark.parametrize(
    ("prompts", "completions", "words"),
    [
        (["a"], ["b", "c"], "1 prompts came with 2 completions"),
        ([7], ["b"], "prompts, row 0"),
        (["a", "a"], ["b", []], "completions, row 1"),
        (["a"], [[{"role": "user", "content": "b"}]], "not of the assistant"),
        (["a"], [[{"role": "assistant", "content": [{"type": "image", "image": "x"}]}]], "image"),
        (["a"], [None], "completions, row 0"),
    ],
)
def test_rows_that_are_no_conversation_are_refused(
    prompts: list[Any], completions: list[Any], words: str
) -> None:
    with pytest.raises(SchemaError, match=words):
        reward_function(CountingScorer())(prompts=prompts, completions=completions)


@pytest.mark.parametrize("bad", [[1.0, math.nan, 2.0], [1.0, math.inf, 2.0], [1.0]])
@pytest.mark.parametrize("with_calibrator", [False, True])
def test_rewards_that_are_no_numbers_are_refused(bad: list[float], with_calibrator: bool) -> None:
    class Bad(CountingScorer):
        def __call__(self, prompts: object, responses: object) -> np.ndarray:
            return np.array(bad)

    reward = reward_function(Bad(), a_calibrator(Bad()) if with_calibrator else None)
    with pytest.raises(ModelError, match="for 3 completions"):
        reward(PROMPTS, COMPLETIONS)


def test_what_would_have_no_effect_is_refused() -> None:
    with pytest.raises(TypeError, match="loaded already"):
        reward_function(CountingScorer(), device="cpu")
    with pytest.raises(ConfigError, match="another model"):
        reward_function(CountingScorer("mine", "other"), a_calibrator(CountingScorer()))


@pytest.mark.parametrize(
    ("rank", "cuda", "device"),
    [("1", True, "cuda:1"), ("1", False, "auto"), ("", True, "auto"), ("x", True, "auto")],
)
def test_each_of_several_processes_loads_it_on_its_own_gpu(
    rank: str, cuda: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    asked: list[str] = []

    def load(_rm: str, *, device: str) -> CountingScorer:
        asked.append(device)
        return CountingScorer()

    monkeypatch.setattr(module, "load_reward_model", load)
    reward_function("my-rm")
    reward_function("my-rm", device="cpu")
    assert asked == [device, "cpu"]


# --- in TRL's trainers --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rm(tmp_path_factory: pytest.TempPathFactory, minilm_dir: Path) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("rm"), minilm_dir)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer causal model with random weights, whose words are those of these tests and some Markdown."""
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
    tokenizers = pytest.importorskip("tokenizers", reason="needs the [hf] extra")
    torch.manual_seed(0)
    specials = ["<unk>", "<|im_start|>", "<|im_end|>"]
    words = [*specials, "user", "assistant", *WORDS, "**bold**", "**so**", "!"]
    raw = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>")
    )
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        unk_token="<unk>",
        eos_token="<|im_end|>",
        pad_token="<unk>",
        padding_side="left",
    )
    tokenizer.chat_template = TEMPLATE + "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    folder = tmp_path_factory.mktemp("policy")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def run_trl(
    kind: str, policy: Path, reward: Any, output: Path, *, steps: int = 3, chat: bool = True
) -> list[dict[str, Any]]:
    """A real run of so many steps; what it logged of each."""
    trl = pytest.importorskip("trl", reason="needs the [hf] extra")
    datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")
    config, trainer = (getattr(trl, f"{kind}{what}") for what in ("Config", "Trainer"))
    asked = ["why good", "how long", "why bad", "how short"]
    args = config(
        output_dir=str(output),
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=12,
        max_steps=steps,
        learning_rate=5e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        seed=0,
        disable_tqdm=True,
        beta=0.0,
    )
    run = trainer(
        model=str(policy),
        reward_funcs=reward,
        args=args,
        train_dataset=datasets.Dataset.from_dict({"prompt": as_messages("user", asked) if chat else asked}),
    )
    run.train()
    return [row for row in run.state.log_history if "reward" in row]


class Recording:
    """A reward function that keeps what it was asked and said."""

    def __init__(self, inner: RewardFunction) -> None:
        self.inner, self.__name__ = inner, inner.name
        self.calls: list[tuple[list[Any], list[Any], list[float]]] = []

    def __call__(self, prompts: list[Any], completions: list[Any], **more: Any) -> list[float]:
        rewards = self.inner(prompts, completions, **more)
        self.calls.append((prompts, completions, rewards))
        return rewards


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["GRPO", "RLOO"])
@pytest.mark.parametrize("chat", [True, False])
def test_a_run_of_trl_is_rewarded_as_the_calibrator_says(
    kind: str, chat: bool, policy: Path, rm: Path, tmp_path: Path
) -> None:
    model = load_reward_model(rm, device="cpu")
    known = a_calibrator(model, weights={"bold": -3.0, "words": 0.5})
    reward = Recording(reward_function(model, save_calibrator(known, tmp_path / "c.json")))
    logged = run_trl(kind, policy, reward, tmp_path / "a", chat=chat)
    assert len(logged) == len(reward.calls) == 3
    for row, (prompts, completions, rewards) in zip(logged, reward.calls, strict=True):
        texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
        assert rewards == pytest.approx(
            (model(prompts, texts) + known.adjust_texts(prompts, texts)).tolist(), abs=1e-5
        )
        assert row["reward"] == pytest.approx(np.mean(rewards), abs=1e-4)
        assert row["rewards/charm_reward/mean"] == pytest.approx(np.mean(rewards), abs=1e-4)
        assert row["charm_reward/style"] == pytest.approx(known.adjust_texts(prompts, texts).mean(), abs=1e-4)
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"]) for row in logged)
    assert max(row["grad_norm"] for row in logged) > 0
    again = run_trl(kind, policy, reward.inner, tmp_path / "b", chat=chat)
    assert [row["reward"] for row in again] == [row["reward"] for row in logged]


@pytest.mark.slow
def test_grpo_moves_the_policy_where_the_calibrator_points(policy: Path, tmp_path: Path) -> None:
    """With a model that has no opinion, what is rewarded is style alone: a taste for bold makes the policy bold, a distaste plain."""

    class Indifferent(CountingScorer):
        def __call__(self, prompts: Any, responses: Any) -> np.ndarray:
            return np.zeros(len(responses))

    shares = {}
    for weight in (3.0, -3.0):
        model = Indifferent()
        reward = Recording(reward_function(model, a_calibrator(model, weights={"bold": weight})))
        run_trl("GRPO", policy, reward, tmp_path / str(weight), steps=30)
        last = [c[0]["content"] for _, completions, _ in reward.calls[-5:] for c in completions]
        shares[weight] = np.mean([text.count("**") / 2 for text in last])
    assert shares[3.0] > 1.5 * shares[-3.0]


def test_a_file_that_says_no_model_is_told(rm: Path, tmp_path: Path) -> None:
    path = save_calibrator(a_calibrator(), tmp_path / "c.json")
    with pytest.warns(CharmWarning, match="does not say which model"):
        reward = reward_function(rm, path, device="cpu")
    assert len(reward(["why good"], ["good bad"])) == 1
