"""The implicit DPO reward, beside a slow twin and beside TRL's own log-probabilities."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.errors import CharmWarning, ConfigError, ModelError
from charm_rm.models.implicit import TOKEN_BUDGET, ImplicitReward, load_dpo_reward
from charm_rm.protocols import ScalarReward
from models.tiny_entries import config

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")
transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} {{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def texts(n: int) -> tuple[list[str], list[str]]:
    """Prompts and responses of mixed lengths, an empty response among them."""
    rng = np.random.default_rng(0)
    prompts = [" ".join(f"p{i}" for i in rng.integers(0, 200, 1 + k % 7)) for k in range(n)]
    responses = [" ".join(f"r{i}" for i in rng.integers(0, 200, k % 11)) for k in range(n)]
    return prompts, responses


@pytest.fixture(scope="module")
def pair(make_tokenizer: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A policy and its reference, both random."""
    folders = []
    for seed, name in enumerate(("policy", "reference")):
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp(name)
        tokenizer = make_tokenizer(TEMPLATE)
        transformers.LlamaForCausalLM(config("Llama", tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    return folders[0], folders[1]


@pytest.fixture(scope="module")
def reward(pair: tuple[Path, Path]) -> ImplicitReward:
    return load_dpo_reward(*pair)


def by_hand(reward: ImplicitReward, prompt: str, response: str) -> tuple[float, int]:
    """Token by token, each with the whole text before it: the log-ratio, and how many tokens it is of."""
    tokenizer = reward.tokenizer
    start = f"<s><user> {prompt} </s><assistant> "
    before = tokenizer(start, add_special_tokens=False)["input_ids"]
    whole = tokenizer(f"{start}{response} </s>", add_special_tokens=False)["input_ids"]
    total = 0.0
    for sign, model in ((1, reward.policy), (-1, reward.reference)):
        with torch.inference_mode():
            for i in range(len(before), len(whole)):
                p = model(torch.tensor([whole[:i]])).logits[0, -1].double().softmax(-1)[whole[i]]
                total += sign * float(p.log())
    return total, len(whole) - len(before)


def test_rewards_are_those_of_the_slow_twin(pair: tuple[Path, Path], reward: ImplicitReward) -> None:
    prompts, responses = texts(6)
    assert isinstance(reward, ScalarReward)
    by_token = [by_hand(reward, p, r) for p, r in zip(prompts, responses, strict=True)]
    sums, lengths = np.array(by_token).T
    assert np.std(sums) > 0.1
    np.testing.assert_allclose(reward(prompts, responses), sums, atol=1e-4)
    tenth = load_dpo_reward(*pair, beta=0.1, normalise=True)
    np.testing.assert_allclose(tenth(prompts, responses), 0.1 * sums / lengths, atol=1e-5)


def test_batches_and_padding_change_nothing(reward: ImplicitReward, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, responses = texts(16)
    alone = np.array([reward([p], [r])[0] for p, r in zip(prompts, responses, strict=True)])
    for budget in (1, 40, 4096):
        monkeypatch.setitem(TOKEN_BUDGET, "cpu", budget)
        np.testing.assert_allclose(reward(prompts, responses), alone, atol=1e-4, rtol=0)


def test_a_policy_equal_to_its_reference_rewards_nothing(pair: tuple[Path, Path]) -> None:
    np.testing.assert_array_equal(load_dpo_reward(pair[0], pair[0])(*texts(5)), np.zeros(5))


def test_trl_computes_the_same_log_probabilities(
    pair: tuple[Path, Path], reward: ImplicitReward, tmp_path: Path
) -> None:
    """TRL's DPO trainer writes the reference's log-probabilities of each pair into its data set."""
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    prompts, responses = texts(4)
    rows = [
        {
            "prompt": [{"role": "user", "content": p}],
            "chosen": [{"role": "assistant", "content": r}],
            "rejected": [{"role": "assistant", "content": "r7"}],
        }
        for p, r in zip(prompts, responses, strict=True)
    ]
    settings = trl.DPOConfig(
        output_dir=str(tmp_path), precompute_ref_log_probs=True, report_to=[], use_cpu=True, bf16=False,
        per_device_train_batch_size=2,
    )  # fmt: skip
    sums = []
    for folder in pair:
        trainer = trl.DPOTrainer(
            transformers.AutoModelForCausalLM.from_pretrained(folder),
            ref_model=transformers.AutoModelForCausalLM.from_pretrained(folder),
            args=settings,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=transformers.AutoTokenizer.from_pretrained(folder),
        )
        sums.append(np.array(trainer.train_dataset["ref_chosen_logps"]))
    np.testing.assert_allclose(reward(prompts, responses), sums[0] - sums[1], atol=1e-4)


class TestLongTexts:
    def test_are_shortened_and_said(self, reward: ImplicitReward) -> None:
        short = replace(reward, max_length=20)
        with pytest.warns(CharmWarning, match=r"1 of 2 conversations \(50\.0%\) were longer than 20"):
            scores = short(["p1", "p1"], ["r1", "r1 " * 60])
        assert scores[0] == pytest.approx(reward(["p1"], ["r1"])[0], abs=1e-5)

    @pytest.mark.parametrize(("n_prompt", "n_response"), [(60, 3), (3, 60), (60, 60)])
    def test_neither_side_is_lost(self, reward: ImplicitReward, n_prompt: int, n_response: int) -> None:
        long = ["p1 " * n_prompt], ["r1 " * n_response]
        (full,) = reward.encode_many(*long)
        (row,) = replace(reward, max_length=24).encode_many(*long)
        assert row.truncated
        assert len(row.ids) == 24
        kept = row.ids[row.start :]
        assert full.ids[full.start : full.start + len(kept)] == kept
        assert row.start >= min(full.start, 6)
        assert full.ids[full.start - row.start : full.start] == row.ids[: row.start]


class TestRefusals:
    def test_different_tokenizers(
        self, pair: tuple[Path, Path], make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        other = shutil.copytree(pair[1], tmp_path / "other")
        tokenizer = make_tokenizer(TEMPLATE)
        tokenizer.add_tokens(["extra"])
        tokenizer.save_pretrained(other)
        with pytest.raises(ModelError, match="different tokenizers"):
            load_dpo_reward(pair[0], other)

    def test_another_padding_is_no_difference(
        self, pair: tuple[Path, Path], make_tokenizer: Callable[..., Any], tmp_path: Path
    ) -> None:
        other = shutil.copytree(pair[1], tmp_path / "other")
        make_tokenizer(TEMPLATE, side="left", pad="<unk>").save_pretrained(other)
        np.testing.assert_array_equal(
            load_dpo_reward(pair[0], other)(*texts(3)), load_dpo_reward(*pair)(*texts(3))
        )

    @pytest.mark.parametrize(
        ("template", "message"),
        [
            (
                "{% if add_generation_prompt %}think{% endif %}{{ messages[-1]['content'] }}",
                "told from the prompt",
            ),
            (TEMPLATE.replace("<assistant> {% endif", "<assistant> p1 {% endif"), "told from the prompt"),
            ("{{ raise_exception('no') }}", "refuses a conversation"),
            (None, "no chat template"),
        ],
    )
    def test_templates_that_will_not_do(
        self, pair: tuple[Path, Path], tmp_path: Path, template: str | None, message: str
    ) -> None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(pair[0])
        tokenizer.chat_template = template
        folder = shutil.copytree(pair[0], tmp_path / "mine")
        (folder / "chat_template.jinja").unlink()
        tokenizer.save_pretrained(folder)
        with pytest.raises(ModelError, match=message):
            load_dpo_reward(folder, pair[1])(["p1"], ["r1"])

    def test_a_reward_model_is_no_policy(self, pair: tuple[Path, Path], tiny_rm_dir: Path) -> None:
        with pytest.raises(ModelError, match="lm_head"):
            load_dpo_reward(tiny_rm_dir, pair[1])

    def test_a_broken_folder(self, pair: tuple[Path, Path], tmp_path: Path) -> None:
        folder = shutil.copytree(pair[0], tmp_path / "mine")
        (folder / "model.safetensors").write_bytes(b"nonsense")
        with pytest.raises(ModelError, match="causal language model"):
            load_dpo_reward(folder, pair[1])

    @pytest.mark.parametrize(
        "setting",
        [
            {"beta": 0.0}, {"beta": float("nan")}, {"dtype": "int8"}, {"device": "toaster"}, {"max_length": 1},
            {"max_length": 99999},
        ],
    )  # fmt: skip
    def test_settings_out_of_the_question(self, pair: tuple[Path, Path], setting: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            load_dpo_reward(*pair, **setting)

    def test_values_that_are_not_finite(self, reward: ImplicitReward, pair: tuple[Path, Path]) -> None:
        broken = load_dpo_reward(*pair)
        with torch.no_grad():
            broken.policy.lm_head.weight.fill_(float("nan"))
        with pytest.raises(ModelError, match="2 of 2 scores are not finite"):
            broken(["p1", "p2"], ["r1", "r2"])


def test_the_fingerprint_is_of_both_models_and_the_settings(pair: tuple[Path, Path]) -> None:
    policy, reference = pair
    made = [
        load_dpo_reward(policy, reference),
        load_dpo_reward(reference, policy),
        load_dpo_reward(policy, reference, beta=0.5),
        load_dpo_reward(policy, reference, normalise=True),
        load_dpo_reward(policy, reference, max_length=20),
        load_dpo_reward(policy, reference, dtype="bfloat16"),
    ]
    assert len({m.fingerprint for m in made}) == len(made)
    assert load_dpo_reward(policy, reference).fingerprint == made[0].fingerprint


@pytest.mark.parametrize("response", ["\n\nhello", "  hello", "    def f(): pass", "hello", ""])
def test_white_space_at_the_start_of_a_response(smollm2_dir: Path, response: str) -> None:
    """It melts into the line end before it in one tokenising of the whole; the response is all the same read whole."""
    reward = load_dpo_reward(smollm2_dir, smollm2_dir)
    (split,) = reward.encode_many(["Say hello."], [response])
    assert reward.tokenizer.decode(split.ids[split.start :]).startswith(response)
    assert reward.tokenizer.decode(split.ids[: split.start]).endswith("assistant\n")
