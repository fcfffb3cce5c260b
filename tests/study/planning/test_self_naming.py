"""Answers that say whose they are are found; answers that only speak of models are not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm.responses import load_responses
from charm_rm.study.planning.self_naming import self_naming
from charm_rm.tables import Responses

TELLING = (
    "I am Vicuna, a language model trained by researchers from LMSYS.",
    "Hi! I'm Claude. How can I help?",
    "My name is ChatGPT, and I like tea.",
    "I’m an AI assistant called Qwen.",
    "As an AI developed by OpenAI, I don't have feelings.",
    "As a large language model trained by Mistral AI, I cannot say.",
    "I was created by Anthropic to be helpful.",
    "You can call me Llama 3.",
    "Sure. I am GPT-4, and here is the answer.",
    "I am **zorblax**, your assistant.",  # the name of a policy of this study
    "i'm an ai language model made by the team at Hugging Face",
)
SILENT = (
    "He served as CEO of Google from 1998 to 2001.",
    "As a Bard, you have inspiration dice.",
    "Claude Monet was a painter; so was Vincent.",
    "I am a language model and cannot do that.",
    "You can use tools such as ChatGPT, developed by OpenAI.",
    "As an example, Google was founded by Page.",
    "I am sure that llamas are made by nature.",
    "I love the film made by Meta films.",
    "",
)


def _found(*texts: str) -> list[str]:
    frame = pl.DataFrame(
        {
            "prompt_id": [f"p{i}" for i in range(len(texts))],
            "prompt": "Who are you?",
            "policy": "zorblax-7b-chat",
            "response": texts,
        }
    )
    named = self_naming(Responses(frame))["prompt_id"].to_list()
    return [text for i, text in enumerate(texts) if f"p{i}" in named]


def test_who_says_a_name_in_the_first_person_is_found() -> None:
    assert _found(*TELLING) == list(TELLING)


def test_who_only_speaks_of_names_is_not() -> None:
    assert _found(*SILENT) == []


def test_a_hostile_text_takes_no_time() -> None:
    assert _found("i am " * 20_000 + "\n" + "as " * 50_000) == []


@pytest.mark.realdata
@pytest.mark.slow
def test_answers_of_alpaca_eval_that_name_their_maker(real_data: Path) -> None:
    """123 of 37,029 at the time of writing, most of them Claude's; none of the many that speak of Google's founder."""
    found = self_naming(load_responses(real_data / "alpaca_eval" / "responses.parquet"))
    assert 100 < found.height < 150
    assert "alpaca_eval-007" not in found["prompt_id"].to_list()
