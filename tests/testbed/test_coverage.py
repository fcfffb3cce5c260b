"""Votes on real answers: the stated quality by hand, no reward for length, votes that follow it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.ratings import fit_ratings
from charm_rm.tables import Responses
from charm_rm.testbed import INSTRUCTIONS, RULE, annotate, quality_of, vote_on
from charm_rm.testbed.coverage import covered, repeated

PROMPT = "Explain how a compass shows north to hikers."


@pytest.mark.parametrize(
    ("response", "quality"),
    [
        ("A compass shows north; hikers read it.", 1.0),  # compass, shows, north, hikers
        ("The COMPASS points north.", 0.5),
        ("Ask a hiker.", 0.25),  # hiker and hikers are alike by five letters
        ("", 0.0),
        ("north north north north", 0.0),  # a quarter covered, half of the runs said before
        ("compass north compass north compass north", 0.0),  # half covered, half of the runs said before
    ],
)
def test_by_hand(response: str, quality: float) -> None:
    assert quality_of(PROMPT, response) == pytest.approx(quality)


@given(st.text(max_size=80), st.text(max_size=200))
def test_it_is_a_share(prompt: str, response: str) -> None:
    assert 0 <= quality_of(prompt, response) <= covered(prompt, response) <= 1
    assert 0 <= repeated(response) < 1


def test_more_words_earn_nothing() -> None:
    answer = "A compass shows north to hikers."
    assert quality_of(
        PROMPT, f"{answer} Many thanks, and good luck on every trail that waits."
    ) == quality_of(PROMPT, answer)
    assert quality_of(PROMPT, f"# Title\n- **{answer}**") == quality_of(PROMPT, answer)


def _answers() -> Responses:
    rows = [
        (str(i), prompt, policy, prompt if policy == "good" else prompt.split()[0])
        for i, prompt in enumerate(INSTRUCTIONS)
        for policy in ("good", "bad", "unseen")
    ]
    return Responses(pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row"))


def test_votes_follow_the_rule_and_are_the_same_for_a_seed() -> None:
    votes = vote_on(_answers(), n=4000, seed=1, policies=["good", "bad"])
    assert votes.frame.equals(vote_on(_answers(), n=4000, seed=1, policies=["good", "bad"]).frame)
    assert votes.provenance["simulated"] is True
    assert votes.provenance["rule"] == RULE
    assert set(votes.frame["policy_a"]) | set(votes.frame["policy_b"]) == {"good", "bad"}
    rated = dict(fit_ratings(votes).frame.select("policy", "rating").iter_rows())
    assert rated["good"] - rated["bad"] == pytest.approx(
        4 * 400 / 2.302585, abs=90
    )  # log-odds of 4, where q is 1 against 0


def test_the_instructions_are_distinct() -> None:
    assert len(set(INSTRUCTIONS)) == len(INSTRUCTIONS) == 48
    assert all(covered(one, one) == 1 for one in INSTRUCTIONS)


def test_annotators_choose_by_quality_and_length() -> None:
    """Of answers that cover alike the longer one is chosen mostly; of equal length the one that covers more; blank ones are shown to nobody."""
    texts = {
        "long": "the moon is bright and far away tonight my friend",
        "short": "the moon",
        "off": "a b",
        "blank": " ",
    }
    rows = [
        {"prompt_id": f"q{i}", "prompt": "Describe the moon.", "policy": policy, "response": text}
        for i in range(40)
        for policy, text in texts.items()
    ]
    frame = annotate(Responses(pl.DataFrame(rows)), n=600, seed=1).frame
    assert 200 < frame.height < 600
    assert "blank" not in set(frame["chosen_policy"]) | set(frame["rejected_policy"])
    won = frame.group_by("chosen_policy", "rejected_policy").len()
    share = {(c, r): n for c, r, n in won.iter_rows()}
    assert share["long", "short"] > 2.5 * share.get(("short", "long"), 1)
    assert share["short", "off"] > 10 * share.get(("off", "short"), 1)
    again = annotate(Responses(pl.DataFrame(rows)), n=600, seed=1)
    assert again.frame.equals(frame)
