"""Near names: the same parts are one model; another size, version, date, tuning or quantisation is another, and said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.policy_names import fold_name, near_names, near_policies


def only(name: str, other: str) -> tuple[str, str] | None:
    found = near_names(name, [other])
    return (found[0].nearness, found[0].reason) if found else None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt4o-2024-05-13", "GPT-4o (2024-05-13)"),
        ("gpt-4o-20240513", "GPT-4o (2024-05-13)"),
        ("openai/gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama 3 8B Instruct"),
        ("claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet (20241022)"),
        ("Sonnet 3.5 Claude", "claude-3.5-sonnet"),
        ("deep-seek-v3", "DeepSeek-V3"),
        ("anthropic:messages:claude-opus-4-1-20250805", "Claude Opus 4.1 (20250805)"),
        ("Mixtral-8x7B-Instruct-v0.1", "Mixtral 8x7B Instruct 0.1"),
    ],
)
def test_the_same_parts_are_the_same_model(one: str, other: str) -> None:
    assert only(one, other) == only(other, one) == ("same parts", "case, punctuation, order or maker alone")
    assert near_policies(one, [other]) == f" Did you mean {other!r}?"


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("gemma-2-9b-it-SimPO", "Gemma 2 9B IT", "tuning simpo only in yours"),
        ("gemma-2-9b-it-NewTO", "Gemma 2 9B IT", "tuning newto only in yours"),
        ("gemma-2-9b", "Gemma 2 9B IT", "tuning it only in theirs"),
        ("Llama-2-7b-chat", "Llama 2 70B Chat", "size 7b, not 70b"),
        ("llama-2-7b-chat", "llama-27b-chat", "version 2 only in yours; size 7b, not 27b"),
        ("Qwen-14B-Chat", "Qwen-1.4B-Chat", "size 14b, not 1.4b"),
        ("gpt-4o-2024-08-06", "GPT-4o (2024-05-13)", "date 20240806, not 20240513"),
        ("gpt-4o", "GPT-4o (2024-05-13)", "date 20240513 only in theirs"),
        ("gpt-3.5-turbo-0301", "GPT-3.5 Turbo (0125)", "date 0301, not 0125"),
        ("Mistral-7B-Instruct-v0.3", "Mistral 7B Instruct v0.2", "version 0.3, not 0.2"),
        ("llama-3.1-70b-instruct", "Llama 3 70B Instruct", "version 3.1, not 3"),
        ("Llama-2-70b-chat-GPTQ", "Llama 2 70B Chat", "quantisation gptq only in yours"),
        ("llama-3.1-405b-instruct-fp8", "Llama 3.1 405B Instruct (BF16)", "quantisation fp8, not bf16"),
        ("Command R (08-2024)", "Command R+ (08-2024)", "variant plus only in theirs"),
        ("gpt-4o", "gpt-4o-mini", "variant mini only in theirs"),
        ("o3-mini", "o3-mini (High)", "variant high only in theirs"),
        ("claude-3-haiku", "claude-3-opus", "variant haiku, not opus"),
        ("mistral-7b-orca", "mistral-7b", "word orca only in yours"),
        ("mistral-7b-dpo", "mistral-7b-ppo", "tuning dpo, not ppo"),
    ],
)
def test_another_model_is_said_to_be_another_with_the_reason(one: str, other: str, reason: str) -> None:
    assert only(one, other) == ("another", reason)
    assert near_policies(one, [other]) == f" Near: {other!r}, a different model? ({reason})"


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("clude-3-haiku", "Claude 3 Haiku", "spelling: clude, claude"),
        ("gpt-4o-min", "gpt-4o-mini", "spelling: min, mini"),
        ("velvte", "velvet", "spelling: velvte, velvet"),
        ("gpt-40", "gpt-4o", "spelling: 0 and o, or 1 and l"),
    ],
)
def test_a_slip_of_one_letter_is_a_spelling(one: str, other: str, reason: str) -> None:
    assert only(one, other) == ("spelling", reason)


@pytest.mark.parametrize(
    ("one", "other"), [("zzz", "oak"), ("mistral-7b", "mixtral-8x7b"), ("gpt-4", "phi-4"), ("", "x")]
)
def test_what_is_not_akin_is_not_near(one: str, other: str) -> None:
    assert near_names(one, [other]) == []
    assert near_policies(one, [other]) == ""


def test_the_nearest_come_first_and_the_same_model_before_all() -> None:
    known = [
        "Llama 3 70B Instruct",
        "Llama 3.1 8B Instruct",
        "Llama 2 70B Chat",
        "Llama 3 8B Instruct",
        "oak",
    ]
    found = near_names("meta-llama/Llama-3-8B-Instruct", known)
    assert [n.name for n in found] == ["Llama 3 8B Instruct", "Llama 3 70B Instruct", "Llama 3.1 8B Instruct"]
    assert near_policies("meta-llama/Llama-3-8B-Instruct", known) == " Did you mean 'Llama 3 8B Instruct'?"


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_will_do_and_a_name_is_near_itself(name: str, others: list[str]) -> None:
    found = near_names(name, [*others, name])
    assert len(found) <= 3
    assert {n.name for n in found} <= {*others, name}
    assert near_names(name, [name])[0].nearness == "same parts"
    assert fold_name(fold_name(name)) == fold_name(name)


@given(
    st.sampled_from(["7b", "v0.2", "2024-05-13", "SimPO", "it", "awq", "mini", "thinking"]),
    st.sampled_from("+-"),
)
def test_one_part_more_is_never_the_same_model(part: str, side: str) -> None:
    base, more = "falcon-3-instruct", f"falcon-3-instruct-{part}"
    one, other = (base, more) if side == "+" else (more, base)
    assert [n.nearness for n in near_names(one, [other])] == ["another"]
