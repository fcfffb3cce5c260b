"""What `auto` chooses, by hand: of those compared with the policy, the least favoured near its rating."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning, SeveralSamples, UnknownPolicy
from charm_rm.pipeline.stages.calibrate import calibrate
from charm_rm.pipeline.stages.style import calibrate_style
from charm_rm.settings import AuditSettings, CalibrateSettings
from charm_rm.tables import Margins, Ratings, Scores

pytestmark = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")  # a handful of policies
RATED = {name: 900.0 + 50 * i for i, name in enumerate("abcdefgh")} | {"low": 500.0, "far": 1700.0}
QUICK = AuditSettings(draws=0)


def _ratings() -> Ratings:
    frame = pl.DataFrame(
        {"policy": list(RATED), "rating": list(RATED.values()), "std_err": [3.0] * len(RATED)}
    )
    return Ratings(frame)


def _scores(favour: dict[str, float]) -> Scores:
    """Scores that follow the ratings, plus what is added to a policy (in log-odds)."""
    rng = np.random.default_rng(0)
    rows = [
        {"prompt_id": f"p{i}", "policy": p, "score": r * np.log(10) / 400 + favour.get(p, 0.0) + rng.gumbel()}
        for i in range(300)
        for p, r in RATED.items()
    ]
    return Scores(pl.DataFrame(rows))


def test_auto_takes_the_most_favoured_and_a_reference_near_it() -> None:
    offsets = calibrate(_scores({"b": 1.5}), _ratings(), CalibrateSettings(), QUICK, seed=0)
    assert offsets.provenance["over"] == ["b"]
    (reference,) = offsets.provenance["references"]
    assert reference not in {"b", "low", "far"}  # against these it would win rarely or nearly always


def test_what_is_named_stays_and_the_other_side_is_chosen() -> None:
    settings = CalibrateSettings(references=("d",))
    offsets = calibrate(_scores({"b": 1.5}), _ratings(), settings, QUICK, seed=0)
    assert (offsets.provenance["over"], offsets.provenance["references"]) == (["b"], ["d"])
    settings = CalibrateSettings(over="c")
    assert calibrate(_scores({"b": 1.5}), _ratings(), settings, QUICK, seed=0).provenance["over"] == ["c"]


def test_several_policies_over_one_reference() -> None:
    settings = CalibrateSettings(over=("a", "b"), references="c")
    offsets = calibrate(_scores({}), _ratings(), settings, QUICK, seed=0)
    assert set(offsets.policies) == {"a", "b", "c"}


def test_judged_pairs_limit_what_can_be_a_reference() -> None:
    """Against one baseline alone the baseline is the only reference there can be."""
    rng = np.random.default_rng(1)
    rows = [
        {"prompt_id": f"p{i}", "policy": p, "reference": "a", "margin": level + rng.logistic()}
        for i in range(200)
        for p, level in {"b": 1.5, "c": 0.4, "d": 0.6, "far": 3.0}.items()
    ]
    offsets = calibrate(Margins(pl.DataFrame(rows)), _ratings(), CalibrateSettings(), QUICK, seed=0)
    assert offsets.provenance["references"] == ["a"]


def test_held_out_policies_take_no_part() -> None:
    settings = CalibrateSettings(method="joint", references=(), held_out=("far",))
    assert "far" not in calibrate(_scores({}), _ratings(), settings, QUICK, seed=0).policies
    with pytest.raises(UnknownPolicy, match=r"held_out.*Did you mean 'far'"):
        calibrate(_scores({}), _ratings(), CalibrateSettings(held_out=("fra",)), QUICK, seed=0)


@pytest.mark.parametrize("draws", [0, 100])
@pytest.mark.parametrize(
    "settings",
    [CalibrateSettings(method="joint", references=()), CalibrateSettings(over="b", references="c")],
)
def test_a_ranking_upside_down_is_warned_of(settings: CalibrateSettings, draws: int) -> None:
    right = _scores({})
    wrong = Scores(right.frame.with_columns(-pl.col("score")))
    audit = AuditSettings(draws=draws)
    with pytest.warns(CharmWarning, match="offsets would hide that") as said:
        offsets = calibrate(wrong, _ratings(), settings, audit, seed=0)
    (note,) = (str(w.message) for w in said if "would hide" in str(w.message))
    assert note in offsets.provenance["warnings"]
    assert "Spearman correlation -1.00" in note or "Spearman correlation -0.9" in note
    assert "check the sign of the scores" in note
    offsets = calibrate(right, _ratings(), settings, audit, seed=0)
    assert not any("would hide" in note for note in offsets.provenance["warnings"])


@pytest.mark.parametrize("method", ["pair", "joint", "style"])
def test_several_samples_are_refused_with_what_to_do_instead(method: str) -> None:
    once = _scores({}).frame
    twice = Scores(pl.concat([once.with_columns(sample=pl.lit(i, pl.Int64)) for i in range(2)]))
    with pytest.raises(
        SeveralSamples, match=r"(?s)solved on one response of each.*--sample first.*charm apply"
    ):
        if method == "style":
            calibrate_style(
                twice, None, _ratings(), CalibrateSettings(method="style", sharpness=True), draws=0, seed=0
            )
        else:
            settings = (
                CalibrateSettings(method="joint")
                if method == "joint"
                else CalibrateSettings(over="a", references="b")
            )
            calibrate(twice, _ratings(), settings, QUICK, seed=0)
