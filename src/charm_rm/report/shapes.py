"""What the report, and the summary of a run, count on in the files that stages wrote."""

from __future__ import annotations

from typing import Any

from ..reading.shapes import NUMBER, Maybe
from ..tables import NUMBER as NUMBERS
from ..tables import TEXT, TRUTH

_MAYBE_NUMBER = Maybe(NUMBER)
_ESTIMATE = Maybe({"value": NUMBER, **dict.fromkeys(("std_err", "ci_low", "ci_high"), _MAYBE_NUMBER)})
_COMPARED = (
    "ci_low",
    "ci_high",
    "floor",
    "baseline_value",
    "difference",
    "diff_ci_low",
    "diff_ci_high",
    "p_value",
)
_EFFECT = [{"metric": str, "n": int, **dict.fromkeys(("value", "placebo_value", *_COMPARED), _MAYBE_NUMBER)}]
_DETECTABLE = dict.fromkeys(("elo", "power", "wanted", "detectable", "floor"), _MAYBE_NUMBER)
# One finding by several ways of counting: favour shown to one policy.
_VARIANT = {
    "name": str,
    "policy": str,
    "role": Maybe(str),
    "favour": NUMBER,
    **dict.fromkeys(("ci_low", "ci_high", "q_value"), _MAYBE_NUMBER),
    "sharpness": _ESTIMATE,
}

AUDIT: dict[str, Any] = {
    "title": Maybe(str),
    "warnings": Maybe([str]),
    "variants": Maybe([_VARIANT]),
    "favouritism": Maybe([dict]),
    "sharpness": _ESTIMATE,
    "rank_correlation": Maybe({"spearman": _ESTIMATE, "kendall": _ESTIMATE}),
    "provenance": Maybe(
        {
            "input": Maybe(dict),
            "settings": Maybe({"outcome": Maybe(str), "ties": Maybe(str), "temperature": _MAYBE_NUMBER}),
            "ratings": Maybe(dict),
            "files": Maybe([dict]),
        }
    ),
    "summary": Maybe(
        {
            "policies": Maybe(int),
            "prompts": Maybe(int),
            "slope": _MAYBE_NUMBER,
            "effect": Maybe(_EFFECT),
            "mean_abs_mismatch": _ESTIMATE,
            "detectable_favour": Maybe(_DETECTABLE),
        }
    ),
}
MANIFEST: dict[str, Any] = {
    "name": Maybe(str), "simulated": Maybe(bool), "votes_simulated": Maybe(bool), "warnings": Maybe([str]), "stages": Maybe(dict),
}  # fmt: skip
GENERATED: dict[str, Any] = {
    "policies": Maybe([{"policy": str, "source": Maybe(str), "settings": Maybe(dict), "counts": Maybe(dict)}])
}
EVALUATION: dict[str, Any] = {"warnings": Maybe([str])}
# Of the offsets' provenance.
OFFSETS: dict[str, Any] = {
    "warnings": Maybe([str]),
    "effect": Maybe([{"metric": str, **dict.fromkeys(("before", "in_sample", "cross_fitted", "floor"), _MAYBE_NUMBER)}]),
}  # fmt: skip

# Of an explanation's summary.
EXPLAINED: dict[str, Any] = {
    "r_squared": Maybe(
        [{"held_out": bool, "value": NUMBER, "ci_low": _MAYBE_NUMBER, "ci_high": _MAYBE_NUMBER}]
    )
}

# Tables that are no nouns: their columns, and what they hold.
LEDGER = {"policy": TEXT, "reference": TEXT, **dict.fromkeys(("kept", "flipped", "tied", "dropped"), NUMBERS)}
ALIGNMENT = {"metric": TEXT, **dict.fromkeys(("n", "value", *_COMPARED), NUMBERS)}
BENCHMARKS = {
    **dict.fromkeys(("benchmark", "subset", "metric"), TEXT),
    **dict.fromkeys(("n", "accuracy", "baseline_accuracy", "better", "worse", "q_value", *_COMPARED[:2], *_COMPARED[5:]), NUMBERS),
    "partial": TRUTH,
}  # fmt: skip
FLIPS = {"chosen_policy": TEXT, "rejected_policy": TEXT, "margin": NUMBERS, "flipped": TRUTH}
BESIDE = {
    "metric": TEXT,
    **dict.fromkeys(("n", "floor", "before", "pair", "joint", "style", "placebo", "length_only"), NUMBERS),
}
# Of a calibrator, beyond what its own file is checked for.
_HELD_OUT = ("before", "after", "ci_low", "ci_high", "floor", "placebo", "length_only")
CALIBRATOR: dict[str, Any] = {
    "held_out": Maybe([{"metric": str, **dict.fromkeys(_HELD_OUT, _MAYBE_NUMBER)}]),
    "provenance": Maybe({"warnings": Maybe([str])}),
}
