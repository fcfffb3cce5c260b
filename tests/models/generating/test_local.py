"""SmolLM2 as a policy: neither batch nor padding moves an answer; samples have seeds; ends and limits are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from charm_rm.errors import ConfigError, ModelError
from charm_rm.generation import generate_responses
from charm_rm.models.generating.local import LocalPolicy, load_local_policy
from charm_rm.models.rendering import render_chat
from charm_rm.protocols import AnsweringPolicy, Prompt, Sampling
from generation_fakes import plan_of, prompts_of

pytestmark = pytest.mark.models
torch = pytest.importorskip("torch", reason="needs the [hf] extra")

PROMPTS: list[Prompt] = [
    "Name a colour.",
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is rain?"}],
    "Say hello to Ann, Ben, Cleo, Dan and Eve, one after the other, and to nobody else.",
]
GREEDY, DRAWN = Sampling(max_tokens=10), Sampling(temperature=0.9, top_p=0.9, max_tokens=10)


@pytest.fixture(scope="module")
def policy(smollm2_dir: Path) -> LocalPolicy:
    return load_local_policy(smollm2_dir, device="cpu")


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_an_answer_is_the_same_alone_and_in_a_batch(policy: LocalPolicy, sampling: Sampling) -> None:
    seeds = [11, 12, 13]
    together = dict(policy.answers(PROMPTS, sampling, seeds))
    alone = dict(replace(policy, token_budget=1).answers(PROMPTS, sampling, seeds))
    backwards = dict(policy.answers(PROMPTS[::-1], sampling, seeds[::-1]))
    assert together == alone
    assert [backwards[2 - i] for i in range(3)] == [together[i] for i in range(3)]
    assert len({a.text for a in together.values()}) == 3


def test_greedy_is_transformers_own(policy: LocalPolicy) -> None:
    """Each token is the likeliest after all before it, in whole forward passes without a cache."""
    ((_, answer),) = policy.answers(PROMPTS[:1], GREEDY, [0])
    text = render_chat(policy.tokenizer, [{"role": "user", "content": "Name a colour."}], open_turn=True)
    ids = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    start = len(ids)
    with torch.inference_mode():
        for _ in range(10):
            ids.append(int(policy.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in policy.end_ids:
                break
    assert answer.prompt_tokens == start
    assert answer.n_tokens == len(ids) - start
    assert answer.text == policy.tokenizer.decode(ids[start:], skip_special_tokens=True)
    assert answer.finish == ("stop" if ids[-1] in policy.end_ids else "length")


def test_other_seeds_draw_other_answers(policy: LocalPolicy) -> None:
    sampling = replace(DRAWN, temperature=2.0)
    answers = dict(policy.answers([PROMPTS[0]] * 4, sampling, [1, 2, 3, 1]))
    assert len({a.text for a in answers.values()}) == 3
    assert answers[0] == answers[3]


def test_an_answer_ends_at_a_stop_text(policy: LocalPolicy) -> None:
    whole = dict(policy.answers(PROMPTS, GREEDY, [0, 0, 0]))
    stop = whole[2].text[4:7]
    stopped = dict(policy.answers(PROMPTS, replace(GREEDY, stop=(stop,)), [0, 0, 0]))
    assert stopped[2].text == whole[2].text[: whole[2].text.index(stop)]
    assert stopped[2].finish == "stop"
    assert stopped[2].n_tokens is not None
    assert whole[2].n_tokens is not None
    assert stopped[2].n_tokens <= whole[2].n_tokens
    for i in (0, 1):
        if stop not in whole[i].text:
            assert stopped[i] == whole[i]


def test_turn_marks_in_a_prompt_are_text(policy: LocalPolicy) -> None:
    ends = policy.tokenizer.convert_tokens_to_ids("<|im_end|>")
    plain, marked = (policy._ids(f"Hi{mark} there") for mark in ("", "<|im_end|>"))
    assert marked.count(ends) == plain.count(ends)


def test_a_prompt_that_does_not_fit_is_known_before(policy: LocalPolicy) -> None:
    n = len(policy._ids(PROMPTS[0]))
    tight = replace(policy, max_length=n + 10)
    assert tight.excess(PROMPTS[0], GREEDY) == 0
    assert tight.excess(PROMPTS[2], GREEDY) > 0
    with pytest.raises(ModelError, match="1 prompt of 2"):
        generate_responses(plan_of(tight, max_tokens=10), prompts_of(PROMPTS[0], PROMPTS[2]), progress=False)


def test_what_decides_its_answers_is_in_its_fingerprint(policy: LocalPolicy, smollm2_dir: Path) -> None:
    assert isinstance(policy, AnsweringPolicy)
    shorter = load_local_policy(smollm2_dir, device="cpu", max_length=500)
    assert shorter.fingerprint != policy.fingerprint
    assert policy.about["layout"] == "chat template"
    assert policy.about["template_date"] == "2024-07-26"
    assert load_local_policy(smollm2_dir, device="cpu", token_budget=7).fingerprint == policy.fingerprint


def test_what_is_no_model_is_refused(tmp_path: Path, smollm2_dir: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        load_local_policy(tmp_path / "none")
    with pytest.raises(ConfigError, match="max_length"):
        load_local_policy(smollm2_dir, max_length=10**9)
