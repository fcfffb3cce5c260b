"""What each feature counts, by hand, in its raw number."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from charm_rm.features import FEATURES, measure
from charm_rm.features.measure import measure_raw
from charm_rm.features.texts import text_frame

CODE = "Look:\n```python\n# header\n- item **b** !\n```\nDone."


def raw(name: str, response: str, prompt: str = "") -> float:
    """The raw number of one feature of one response."""
    return float(measure_raw(text_frame([prompt], [response]), [FEATURES[name]])[0, 0])


@pytest.mark.parametrize(
    ("name", "response", "expected"),
    [
        ("words", "Don't stop, 3rd naïve_one.", 5),
        ("words", "你好,世界 ok", 5),
        ("words", "สวัสดี", 4),  # four letters, two of them with marks
        ("words", "한국어 문장", 2),
        ("words", "... -- !", 0),
        ("words", CODE, 6),
        ("characters", "a b\n", 4),
        ("headers", "# A\n### B\n####### no\n#no\n   ## C\n    # code", 3),
        ("headers", CODE, 0),
        ("bold", "**a** and **b c**, ** no **, **no\nline**, ***both***", 3),
        ("bullets", "- a\n* b\n + c\n• d\n-no\n--- \n", 4),
        ("bullets", CODE, 0),
        ("numbered", "1. a\n2) b\n  10. c\n2024. no\n1.no", 3),
        ("list_items", "- a\n1. b", 2),
        ("code_blocks", CODE, 1),
        ("code_blocks", "```\nopen", 1),
        ("code_blocks", "a ``` b", 0),
        ("table_rows", "| a | b |\n|---|:-:|\n| 1 | 2 |  \nx | y", 2),
        ("links", "[a](https://b.c) ![i](x.png) https://d.e www.f.g [no] (x)", 4),
        ("links", "[a](https://www.b.c) http://www.d.e", 2),
        ("quotations", 'He said "yes" and “no”, «oui», 「はい」.\n> quoted\nan odd "', 5),
        ("exclamations", "Hi! 好！\n```\na != b\n```", 2),
        ("emoji", "👨‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 1️⃣ ❤️ ☝🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ✅ © ✓ →", 9),
        ("hedges", "Perhaps it might; it depends. Mighty maybes.", 3),
        ("first_person", "I'm sure my dog likes me; i and Island do not.", 3),
        ("refusal", "I'm sorry, but no.", 1),
        ("refusal", "  **I apologize** for that", 1),
        ("refusal", "As an AI language model, I", 1),
        ("refusal", "I can’t help with that.", 1),
        ("refusal", "Sure! Sorry is a word.", 0),
        ("refusal", "Hello! I'm so sorry", 1),
        ("refusal", "I don’t actually have access to the news.", 1),
        ("refusal", "As a responsible and ethical assistant, I must", 1),
        ("refusal", "As a rule, it rains.", 0),
        ("flattery", "What a complex and nuanced question!", 1),
        ("flattery", "You’re absolutely right.", 1),
        ("flattery", "The way to do great work is", 0),
        ("closing_offer", "I hope this poem helps you!", 1),
        ("closing_offer", "This can be of great help.", 0),
        ("truncated", "We are so proud of this launch #launch", 0),
        ("flattery", "That's a great question! Well", 1),
        ("flattery", "A good idea is to walk.", 0),
        ("closing_offer", "Text.\n\nLet me know if you need more!", 1),
        ("closing_offer", "Let me know. " + "x" * 500, 0),
        ("word_length", "ab cdef", 3),
        ("type_token_ratio", "The the cat THE", 0.5),
        ("distinct_tokens", "The the cat, cat THE", 0.6),
        ("distinct_tokens", "物体 物", 2 / 3),
        ("digits", "In 1999, ٣ of 10", 7),
        ("paragraphs_per_word", "one two\n\nthree\n \n\nfour", 0.75),
        ("sentence_length", "One two. Three four five six! Seven", Fraction(7, 3)),
        ("sentence_length", "1. One two\n2. Three four", 3),
        ("truncated", "It goes on and on and", 1),
        ("truncated", "It goes on and on.", 0),
        ("truncated", "Fruit:\n- apples and pears and plums and figs", 0),
        ("truncated", "Paris", 0),
        ("truncated", "Run this.\n```\nls", 1),
        ("truncated", "Run this.\n```\nls\n```", 0),
        ("non_latin", "привет", 1),
        ("non_latin", "abc где", 0.5),
        ("non_latin", "naïve façade", 0),
    ],
)
def test_by_hand(name: str, response: str, expected: float) -> None:
    assert raw(name, response) == pytest.approx(float(expected))


def test_overlap_is_of_different_words_of_the_response() -> None:
    assert raw("prompt_overlap", "The cat, the CAT sat", "a cat is the what") == pytest.approx(2 / 3)
    assert raw("prompt_overlap", "", "a") == 0
    assert raw("prompt_overlap", "a", "") == 0


def test_logarithms_are_taken_where_the_definition_says_so() -> None:
    found = measure([""], ["one two"], features=["words", "word_length"])
    assert found.tolist() == [[pytest.approx(math.log(3)), 3.0]]
