"""Reading answers: probabilities where there are any, the last label else, and never a silent tie."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.judging import Reply, Verdict, load_template, read_verdict
from charm_rm.judging.templates import LabelReading, TokenReading
from charm_rm.judging.verdicts import first_token_preference, last_label

TOKENS = load_template("alpaca-eval-like")
LABELS = load_template("arena-hard-like")
probability = st.floats(1e-6, 1.0)


@given(probability, probability)
def test_first_token_preference_is_a_share(a: float, b: float) -> None:
    found = first_token_preference({"A": math.log(a), "B": math.log(b), "x": -30.0}, TOKENS.tokens)  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == pytest.approx(a / (a + b))
    assert found[1] == pytest.approx(min(a + b, 1.0))


@given(st.lists(probability, min_size=4, max_size=4))
def test_variants_are_summed_and_exchanging_the_names_exchanges_the_shares(p: list[float]) -> None:
    logs = [math.log(x) for x in p]
    one = dict(zip(["A", " A", "B", "(B"], logs, strict=True))
    other = dict(zip(["B", " B", "A", "(A"], logs, strict=True))
    first, turned = (first_token_preference(x, TOKENS.tokens) for x in (one, other))  # type: ignore[arg-type]
    assert first is not None
    assert turned is not None
    assert first[0] == pytest.approx((p[0] + p[1]) / sum(p))
    assert first[0] + turned[0] == pytest.approx(1.0, abs=1e-12)


def test_case_matters_unless_the_file_says_otherwise() -> None:
    logprobs = {"a": -0.1, "B": -3.0}
    strict, loose = (TokenReading(("A",), ("B",), ignore_case=c) for c in (False, True))
    rest = (
        1 - math.exp(-0.1) - math.exp(-3)
    )  # A: at most all that is left over, here less than the last one listed
    assert first_token_preference(logprobs, strict) == pytest.approx(
        (rest / (rest + math.exp(-3)), rest + math.exp(-3))
    )
    found = first_token_preference(logprobs, loose)
    assert found is not None
    assert found[0] == pytest.approx(1 / (1 + math.exp(-2.9)))


def test_a_side_that_is_not_listed_is_as_likely_as_the_last_listed() -> None:
    found = first_token_preference({"A": -0.1, "The": -4.0, "I": -5.0}, TOKENS.tokens)  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == pytest.approx(1 / (1 + math.exp(-4.9)))


def test_neither_side_listed_falls_back_to_the_text() -> None:
    verdict = read_verdict(Reply("B", top_logprobs={"The": -0.2}), TOKENS)
    assert (verdict.p_first, verdict.how) == (0.0, "text")


@pytest.mark.parametrize("logprobs", [{}, {"A": -math.inf, "B": -math.inf}, {"A": math.nan}])
def test_probabilities_that_say_nothing(logprobs: dict[str, float]) -> None:
    verdict = read_verdict(Reply("hm", top_logprobs=logprobs), TOKENS)
    assert math.isnan(verdict.p_first)
    assert verdict.how == "unread"


@pytest.mark.parametrize(
    ("text", "p"),
    [
        ("so\n[[A>>B]]", 0.95),
        ("[[A>B]] at first, but no: [[B>>A]].", 0.05),
        ("**[[ b > a ]]**", 0.25),
        ("[[A=B]]\n\n", 0.5),
        ("[[A>B]", None),
        ("A>B", None),
        ("[[A>>>B]]", None),
        ("[[C>A]]", None),
        ("", None),
        ("[[A>B]] " + "x" * 100_000, 0.75),
        ("[[" * 50_000, None),
        ("[[A" + " " * 100_000, None),
    ],
)
def test_the_last_label_counts(text: str, p: float | None) -> None:
    assert last_label(text, LABELS.verdict) == p  # type: ignore[arg-type]


def test_in_an_answer_cut_short_only_a_label_at_the_end_counts() -> None:
    quoted = Reply('The first says "[[A>>B]]", which is', finish="length")
    assert read_verdict(quoted, LABELS).how == "unread"
    assert read_verdict(Reply("so: **[[A>>B]]**", finish="length"), LABELS).p_first == 0.95
    assert read_verdict(Reply("B", finish="length"), TOKENS).p_first == 0.0


@pytest.mark.parametrize(
    ("text", "p"),
    [("A", 1.0), ("Answer B.", 0.0), ("**A**", 1.0), ("Both", None), ("A>B", None), ("a", None)],
)
def test_labels_without_brackets_stand_apart(text: str, p: float | None) -> None:
    assert last_label(text, TOKENS.verdict) == p  # type: ignore[arg-type]


def test_a_longer_label_is_not_taken_for_a_shorter_one() -> None:
    reading = LabelReading({"A": 1.0, "A+": 0.9, "B": 0.0})
    assert last_label("(A+)", reading) == 0.9


@pytest.mark.parametrize("finish", ["refusal", "content_filter"])
def test_a_refusal_is_no_verdict_whatever_it_says(finish: str) -> None:
    verdict = read_verdict(Reply("[[A>B]]", finish=finish), LABELS)
    assert math.isnan(verdict.p_first)
    assert verdict.how == "refused"


def test_an_answer_that_was_not_read_is_kept_in_part() -> None:
    verdict = read_verdict(Reply("I cannot choose. " * 100), LABELS)
    assert verdict.answer is not None
    assert verdict.answer.endswith("I cannot choose.")
    assert len(verdict.answer) <= 160


@given(
    st.one_of(st.just(math.nan), st.floats(0, 1)),
    st.sampled_from(["logprobs", "text", "refused", "unread", "model"]),
    st.one_of(st.none(), st.integers(0, 10)),
    st.booleans(),
)
def test_verdicts_survive_storage(p: float, how: str, tokens: int | None, cut: bool) -> None:
    verdict = Verdict(p, how, tokens, None, truncated=cut)  # type: ignore[arg-type]
    back = Verdict.from_json(verdict.to_json())
    assert repr(back) == repr(verdict)


@pytest.mark.parametrize("top", [{"A": -0.001}, {"A": 0.0}, {"A": 0.0, "B": -math.inf}])
def test_one_candidate_is_a_verdict_and_no_tie(top: dict[str, float]) -> None:
    """What is not listed has at most what the listed ones leave over."""
    verdict = read_verdict(Reply("A", top_logprobs=top), load_template("alpaca-eval-like"))
    assert verdict.how == "logprobs"
    assert verdict.p_first is not None
    assert verdict.p_first > 0.99
