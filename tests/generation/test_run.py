"""Asking a policy: what is known is not asked again, what fails loses nothing, what decides an answer decides its key."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.conversations import uniform_prompts
from charm_rm.errors import BadSetting, CharmWarning, ConfigError, ModelError
from charm_rm.generation import generate_responses, plan_requests, seed_of
from charm_rm.memo import Memo
from charm_rm.protocols import JOINS_SYSTEM, Answer, Prompt
from generation_fakes import FakePolicy, many_prompts, parrot, plan_of, prompts_of

SIX = many_prompts(6)


def test_every_prompt_is_answered_as_it_is_with_marks() -> None:
    texts = {"A?": "Yes.", "B?": "", "C?": "I'm sorry, but I cannot.", "D?": "long"}
    finish = {"D?": "length"}
    policy = FakePolicy(lambda p, _: Answer(texts[str(p)], finish.get(str(p), "stop"), 5, 2))
    done = generate_responses(plan_of(policy), prompts_of(*texts), progress=False)
    assert done.frame.select(
        "prompt_id", "response", "finish_reason", "n_tokens", "empty", "refusal"
    ).rows() == [
        ("p0", "Yes.", "stop", 2, False, False),
        ("p1", "", "stop", 2, True, False),
        ("p2", "I'm sorry, but I cannot.", "stop", 2, False, True),
        ("p3", "long", "length", 2, False, False),
    ]
    assert (done.asked, done.known, done.usage.tokens_in, done.usage.tokens_out) == (4, 0, 20, 8)


def test_what_is_known_is_not_asked_again() -> None:
    policy = FakePolicy()
    with Memo.open(None) as memo:
        first = generate_responses(plan_of(policy), SIX, memo=memo, progress=False)
        again = generate_responses(plan_of(policy), SIX, memo=memo, progress=False)
        more = generate_responses(plan_of(policy), many_prompts(9), memo=memo, progress=False)
    assert (first.asked, again.asked, again.known, more.asked, more.known) == (6, 0, 6, 3, 6)
    assert len(policy.asked) == 9
    assert first.frame.equals(again.frame)
    assert first.usage == again.usage
    assert again.spent.calls == 0


@pytest.mark.parametrize("streams", [True, False])
def test_a_policy_that_fails_midway_loses_nothing_that_came(streams: bool) -> None:
    """Of a policy that answers in blocks, the block under way is begun again."""
    with Memo.open(None) as memo:
        broken = FakePolicy(streams=streams, fail_after=5)
        with pytest.raises(ConnectionError):
            generate_responses(plan_of(broken), SIX, memo=memo, progress=False)
        whole = FakePolicy(streams=streams)
        done = generate_responses(plan_of(whole), SIX, memo=memo, progress=False)
    assert len(whole.asked) == (1 if streams else 2)
    assert done.known == (5 if streams else 4)
    assert done.frame.equals(generate_responses(plan_of(FakePolicy()), SIX, progress=False).frame)


def test_blocks_are_the_same_whatever_was_known() -> None:
    whole = FakePolicy(streams=False)
    generate_responses(plan_of(whole), many_prompts(10), progress=False)
    assert whole.calls == [4, 4, 2]
    blocks = [whole.asked[:4], whole.asked[4:8], whole.asked[8:]]
    with Memo.open(None) as memo, pytest.raises(ConnectionError):
        generate_responses(
            plan_of(FakePolicy(streams=False, fail_after=6)), many_prompts(10), memo=memo, progress=False
        )
    with Memo.open(None) as memo:
        half = FakePolicy(streams=False, fail_after=6)
        with pytest.raises(ConnectionError):
            generate_responses(plan_of(half), many_prompts(10), memo=memo, progress=False)
        rest = FakePolicy(streams=False)
        generate_responses(plan_of(rest), many_prompts(10), memo=memo, progress=False)
    assert [rest.asked[:4], rest.asked[4:]] == blocks[1:]


@given(
    change=st.sampled_from(
        [
            {"temperature": 0.5}, {"top_p": 0.9}, {"max_tokens": 9}, {"stop": ("x",)}, {"system": "Be brief."},
            {"seed": 3}, {"name": "elm"},
        ]
    )
)  # fmt: skip
def test_all_that_decides_an_answer_decides_its_key(change: dict[str, object]) -> None:
    drawn = {"temperature": 0.7}
    before = set(plan_requests(plan_of(FakePolicy(), **drawn), SIX).requests)
    after = set(plan_requests(plan_of(FakePolicy(), **drawn | change), SIX).requests)
    assert not before & after
    other = set(plan_requests(plan_of(FakePolicy(fingerprint="another"), **drawn), SIX).requests)
    assert not before & other


@pytest.mark.parametrize("change", [{"top_p": 0.9}, {"seed": 3}, {"name": "elm"}])
def test_what_decides_nothing_at_temperature_0_asks_nothing_again(change: dict[str, object]) -> None:
    before = plan_requests(plan_of(FakePolicy()), SIX).requests
    assert set(plan_requests(plan_of(FakePolicy(), **change), SIX).requests) == set(before)


def test_samples_have_seeds_of_their_own_and_adding_some_keeps_the_others() -> None:
    policy = FakePolicy()
    with Memo.open(None) as memo:
        two = generate_responses(plan_of(policy, temperature=1.0, samples=2), SIX, memo=memo, progress=False)
        three = generate_responses(
            plan_of(policy, temperature=1.0, samples=3), SIX, memo=memo, progress=False
        )
    assert two.frame["sample"].to_list() == [0, 1] * 6
    assert two.frame["response"].n_unique() == 12
    assert (three.asked, three.known) == (6, 12)
    assert (
        three.frame.filter(three.frame["sample"] < 2)["response"].to_list() == two.frame["response"].to_list()
    )
    with pytest.raises(BadSetting, match="samples at temperature 0"):
        plan_of(policy, samples=2)


@given(st.integers(0, 2**40), st.text(max_size=5), st.integers(0, 50))
def test_seeds_fit_31_bits_and_differ(seed: int, prompt: str, sample: int) -> None:
    plan = plan_of(FakePolicy(), temperature=1.0, seed=seed)
    one = seed_of(plan, prompt, sample)
    assert 0 <= one < 2**31
    assert one == seed_of(plan, prompt, sample)
    assert len({seed_of(replace(plan, name=name), prompt, sample) for name in ("a", "b", "oak")}) == 3


def test_equal_prompts_are_asked_once() -> None:
    policy = FakePolicy()
    done = generate_responses(plan_of(policy), prompts_of("A?", "B?", "A?"), progress=False)
    assert len(policy.asked) == 2
    assert done.frame["response"][0] == done.frame["response"][2]


# --- what goes wrong ----------------------------------------------------------------------------


def test_prompts_that_do_not_fit_are_refused_before_anything_is_asked_or_left_out() -> None:
    policy = FakePolicy(room=20)
    prompts = prompts_of("short", "x" * 30, "y" * 13)
    with pytest.raises(ModelError, match=r"2 prompts of 3 .*by up to 20 tokens\): 'p1', 'p2'") as caught:
        generate_responses(plan_of(policy, max_tokens=10), prompts, progress=False)
    assert "--too-long skip" in str(caught.value)
    assert policy.asked == []
    with pytest.warns(CharmWarning, match="2 prompts left out: too long"):
        done = generate_responses(plan_of(policy, max_tokens=10), prompts, too_long="skip", progress=False)
    assert done.frame["prompt_id"].to_list() == ["p0"]
    assert (done.too_long, done.asked) == (2, 1)


def test_a_prompt_that_a_server_finds_too_long_is_one_too() -> None:
    policy = FakePolicy(lambda p, s: Answer("", "too_long") if "x" in str(p) else parrot(p, s))
    prompts = prompts_of("short", "xxx")
    with pytest.raises(ModelError, match="1 prompt of 2 .*'p1'"):
        generate_responses(plan_of(policy), prompts, progress=False)
    with pytest.warns(CharmWarning, match="1 prompt left out"):
        assert generate_responses(plan_of(policy), prompts, too_long="skip", progress=False).too_long == 1
    with pytest.raises(ConfigError, match="too_long 'cut' is unknown"):
        generate_responses(plan_of(policy), prompts, too_long="cut")


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_policy_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"policy 'oak' \(fake\): all 6 answers are empty"):
        generate_responses(plan_of(FakePolicy(lambda *_: Answer(text, "stop"))), SIX, progress=False)


def test_a_policy_that_leaves_prompts_out_is_refused_and_what_it_said_is_kept() -> None:
    class Forgetful(FakePolicy):
        def answers(self, prompts, sampling, seeds):  # type: ignore[no-untyped-def]
            return (pair for pair in super().answers(prompts, sampling, seeds) if pair[0] != 2)

    with Memo.open(None) as memo:
        with pytest.raises(ModelError, match="left 1 prompt unanswered"):
            generate_responses(plan_of(Forgetful()), SIX, memo=memo, progress=False)
        assert generate_responses(plan_of(FakePolicy()), SIX, memo=memo, progress=False).asked == 1


def test_calls_that_failed_are_left_out_and_asked_again() -> None:
    def answer(prompt: Prompt, seed: int) -> Answer:
        return Answer("", "error") if prompt == SIX["prompt"][1] else parrot(prompt, seed)

    with Memo.open(None) as memo:
        with pytest.warns(CharmWarning, match="1 prompt left out: no answer"):
            done = generate_responses(plan_of(FakePolicy(answer)), SIX, memo=memo, progress=False)
        assert (done.failed, done.frame.height, done.usage.calls) == (1, 5, 5)
        again = generate_responses(plan_of(FakePolicy()), SIX, memo=memo, progress=False)
    assert (again.asked, again.frame.height) == (1, 6)


def test_many_answers_cut_off_are_told() -> None:
    policy = FakePolicy(lambda p, s: replace(parrot(p, s), finish="length"))
    with pytest.warns(CharmWarning, match="6 of 6 answers are cut off at 1,024 tokens"):
        generate_responses(plan_of(policy), SIX, progress=False)


def test_answers_are_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "memo.sqlite"
    with Memo.open(path) as memo:
        generate_responses(plan_of(FakePolicy()), SIX, memo=memo, progress=False)
    with Memo.open(path) as memo:
        policy = FakePolicy()
        assert generate_responses(plan_of(policy), SIX, memo=memo, progress=False).known == 6
        assert policy.asked == []


OWN = [{"role": "system", "content": "You are a cat."}, {"role": "user", "content": "A?"}]


@pytest.mark.parametrize(
    ("prompts", "system", "joins", "said"),
    [
        (["A?", OWN], "Be brief.", False, ["1 prompt of 2 has a system message of its own: it follows the policy's"]),
        ([OWN, OWN], "Be brief.", False, ["2 prompts of 2 have a system message of their own"]),
        ([OWN, "A?"], None, False, []),
        (["A?"], "Be brief.", False, []),
        (["A?"], "Be brief.", True, ["no place for a system message: its system prompt goes before the first request"]),
        ([OWN, "A?"], None, True, ["no place for a system message: what 1 prompt of 2 has goes before the first request"]),
        (["A?"], None, True, []),
    ],
)  # fmt: skip
def test_system_messages_that_are_joined_are_told_with_a_count(
    prompts: list[Any], system: str | None, joins: bool, said: list[str]
) -> None:
    policy = FakePolicy()
    policy.about = {JOINS_SYSTEM: joins}  # type: ignore[attr-defined]
    table = pl.DataFrame(
        {"prompt_id": [str(i) for i in range(len(prompts))], "prompt": uniform_prompts(prompts)}
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CharmWarning)
        generate_responses(plan_of(policy, system=system), table, progress=False)
    told = [str(one.message) for one in caught]
    assert len(told) == len(said)
    assert all(words in one for words, one in zip(said, told, strict=True))
