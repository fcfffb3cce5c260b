"""Makers by name: known ones, and none for names that do not say."""

from __future__ import annotations

import time

import pytest

from charm_rm import load_ratings
from charm_rm.mismatch import known_makers, makers_of


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("gpt-4o-mini-2024-07-18", "OpenAI"),
        ("gpt4_1106_preview", "OpenAI"),
        ("ChatGPT-4o Latest (20250326)", "OpenAI"),
        ("o1-preview", "OpenAI"),
        ("o3 (2025-04-16)", "OpenAI"),
        ("claude", "Anthropic"),
        ("claude-2.1", "Anthropic"),
        ("Claude Opus 4.1 (Thinking 16K, 20250805)", "Anthropic"),
        ("gemini-pro", "Google"),
        ("google/gemma-2-9b-it", "Google"),
        ("Gemma 3n E4B IT", "Google"),
        ("palm-2", "Google"),
        ("Meta-Llama-3.1-405B-Instruct-Turbo", "Meta"),
        ("llama-2-70b-chat-hf", "Meta"),
        ("Mixtral-8x22B-Instruct-v0.1", "Mistral AI"),
        ("mistral-medium", "Mistral AI"),
        ("Qwen1.5-110B-Chat", "Alibaba"),
        ("QwQ-32B-Preview", "Alibaba"),
        ("Yi-34B-Chat", "01.AI"),
        ("deepseek-llm-67b-chat", "DeepSeek"),
        ("Command R (08-2024)", "Cohere"),
        ("Llama 3.1 Nemotron 70B Instruct", "NVIDIA"),
        ("wizardlm-70b", "Microsoft"),
    ],
)
def test_known_names(name: str, maker: str) -> None:
    assert makers_of([name]) == {name: maker}


@pytest.mark.parametrize(
    "name",
    [
        "gemma-2-9b-it-SimPO",
        "OpenHermes-2.5-Mistral-7B",
        "dolphin-2.2.1-mistral-7b",
        "Nous Hermes 2 Mixtral 8x7B DPO",
        "DeepSeek-R1-Distill-Llama-8B",
        "llama-3-8b-instruct-simpo",
        "my-llama",
        "gpt",
        "octopus",
        "yield",
        "",
    ],
)
def test_names_that_do_not_say_are_not_guessed(name: str) -> None:
    assert makers_of([name]) == {}


def test_most_of_the_shipped_ratings_have_a_maker() -> None:
    names = load_ratings("arena").policies
    assert len(makers_of(names)) > 0.9 * len(names)
    assert set(makers_of(names).values()) <= set(known_makers())


@pytest.mark.parametrize(
    "unit", ["-(", "-(a)", "-4", "-instruct", " 7b", "--", "-v1.", "llama-", "qwen-7b-", "-vl"]
)
@pytest.mark.parametrize("start", ["qwen-7b", "llama-3-8b", "mistral-7b", "gemma-2b", "yi-34b", "qwen-"])
def test_names_made_to_break_patterns_take_no_time(start: str, unit: str) -> None:
    began = time.perf_counter()
    makers_of([start + unit * 400 + "!"])
    assert time.perf_counter() - began < 0.5
