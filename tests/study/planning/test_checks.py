"""Checks have a right side that can be told by reading, and look like other comparisons."""

from __future__ import annotations

import polars as pl

from charm_rm.study.nouns import CHECK, Comparisons
from charm_rm.study.planning.checks import attention_checks
from charm_rm.tables import Responses

TOPICS = {
    "rivers": "rivers glaciers estuary sediment current",
    "violins": "violins orchestra melody rosin luthier",
    "bakeries": "bakeries sourdough yeast flour crust",
    "volcanoes": "volcanoes magma eruption crater basalt",
}


def _texts(*, longer: str = "", listed: str = "") -> Responses:
    """Three policies answer a question on each topic; ``longer`` and ``listed`` name topics whose answers have another form."""
    rows = []
    for topic, words in TOPICS.items():
        for policy in ("ant", "bee", "cow"):
            said = f"By {policy[0]}: " + " ".join([words] * 8)
            said = said * 4 if topic == longer else said
            said = "- " + said if topic == listed else said
            rows.append((topic, f"About {words}", policy, said))
    return Responses(pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row"))


def test_the_right_answer_speaks_of_the_question_and_the_other_one_of_something_else() -> None:
    checks = attention_checks(_texts(), n=4, votes_wanted=5, seed=0)
    assert checks.height == 4
    assert checks["prompt_id"].n_unique() == 4
    for row in Comparisons(checks).frame.iter_rows(named=True):
        right, wrong = ("a", "b") if row["expected"] == "a" else ("b", "a")
        assert row[f"answered_{right}"] is None
        assert row[f"answered_{wrong}"] not in (None, row["prompt_id"])
        assert row["policy_a"] < row["policy_b"]
        assert (row["kind"], row["inclusion"], row["votes_wanted"]) == (CHECK, None, 5)


def test_answers_of_another_form_or_length_do_not_stand_beside_each_other() -> None:
    for odd in ({"longer": "rivers"}, {"listed": "rivers"}):
        checks = attention_checks(_texts(**odd), n=4, votes_wanted=1, seed=0)
        assert "rivers" not in checks["prompt_id"].to_list()
        assert "rivers" not in [*checks["answered_a"], *checks["answered_b"]]


def test_which_side_is_right_is_as_chance_has_it_and_seeded() -> None:
    sides = [attention_checks(_texts(), n=1, votes_wanted=1, seed=seed)["expected"][0] for seed in range(30)]
    assert 5 < sides.count("a") < 25
    one, again = (attention_checks(_texts(), n=3, votes_wanted=1, seed=7) for _ in range(2))
    assert one.equals(again)


def test_texts_that_tell_nothing_give_no_checks() -> None:
    vague = _texts().frame.with_columns(prompt=pl.lit("Go on"))
    assert attention_checks(Responses(vague), n=3, votes_wanted=1, seed=0).is_empty()
    messages = _texts().frame.with_columns(
        prompt=pl.concat_list(pl.struct(role=pl.lit("user"), content=pl.col("prompt")))
    )
    assert attention_checks(Responses(messages), n=3, votes_wanted=1, seed=0).height == 3
