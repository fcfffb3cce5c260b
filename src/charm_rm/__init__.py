"""CHARM: is your reward model or LLM judge playing favourites, by how much, and how to fix it.

The public names, in pipeline order. Each is loaded when first used, so that importing the package costs
nothing and needs neither torch nor transformers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmarks import load_benchmark
    from .best_of import best_samples
    from .comparison import compare_models
    from .errors import CharmError, CharmWarning
    from .estimates import Estimate
    from .evaluate import alignment_with_ratings, evaluate_benchmark
    from .features import StyleFeatures, measure_features
    from .given import as_judgements, as_offsets, as_scores, as_source
    from .judgements import load_judgements
    from .judging import judge_responses, measure_position_bias, plan_pairs
    from .margins import margins_from_scores, pair_margins, score_matrix, tally_margins
    from .mismatch import (
        Audit,
        audit,
        compare_favour,
        family_contrasts,
        influence,
        measure_favouritism,
        measure_mismatch,
        place_candidates,
        save_audit,
    )
    from .models import (
        best_of_n,
        diagnose,
        load_reward_model,
        reward_function,
        score_responses,
        train_reward_model,
    )
    from .offsets import apply_offsets, solve_joint_offsets, solve_offsets
    from .pipeline import run_pipeline
    from .preferences import as_preferences, load_preferences
    from .ratings import (
        as_battles,
        as_ratings,
        expected_win_rate,
        fit_ratings,
        load_battles,
        load_ratings,
        match_ratings,
        resolve_names,
    )
    from .relabel import relabel_preferences
    from .report import write_report
    from .responses import as_responses, load_responses, sample_instructions, split_prompts
    from .samples import choose_sample
    from .scores import load_scores
    from .sources import load_example, load_source
    from .specs import load_judge, load_scorer
    from .store import load, save
    from .streaming import stream_scores
    from .study.analysis import analyse_study
    from .study.nouns import StudyModel
    from .study.planning.plan import plan_study
    from .style import (
        apply_calibrator,
        calibrated,
        expect_favour,
        explain_favour,
        load_calibrator,
        save_calibrator,
        solve_style_offsets,
    )
    from .tables import (
        Battles,
        Favouritism,
        Margins,
        Mismatch,
        Offsets,
        Preferences,
        Ratings,
        Responses,
        Scores,
        WinRates,
    )

_HOMES = {
    "errors": ["CharmError", "CharmWarning"],
    "tables": [
        "Battles",
        "Ratings",
        "Responses",
        "Scores",
        "Margins",
        "WinRates",
        "Mismatch",
        "Favouritism",
        "Offsets",
        "Preferences",
    ],
    "estimates": ["Estimate"],
    "store": ["load", "save"],
    "given": ["as_source", "as_scores", "as_judgements", "as_offsets"],
    "ratings": [
        "as_battles",
        "as_ratings",
        "load_battles",
        "fit_ratings",
        "load_ratings",
        "match_ratings",
        "resolve_names",
        "expected_win_rate",
    ],
    "responses": ["as_responses", "load_responses", "sample_instructions", "split_prompts"],
    "features": ["measure_features", "StyleFeatures"],
    "best_of": ["best_samples"],
    "samples": ["choose_sample"],
    "scores": ["load_scores"],
    "sources": ["load_source", "load_example"],
    "streaming": ["stream_scores"],
    "judgements": ["load_judgements"],
    "specs": ["load_scorer", "load_judge"],
    "models": [
        "load_reward_model",
        "diagnose",
        "score_responses",
        "train_reward_model",
        "reward_function",
        "best_of_n",
    ],
    "judging": ["plan_pairs", "judge_responses", "measure_position_bias"],
    "margins": ["score_matrix", "pair_margins", "margins_from_scores", "tally_margins"],
    "mismatch": [
        "audit",
        "Audit",
        "measure_mismatch",
        "place_candidates",
        "measure_favouritism",
        "save_audit",
        "compare_favour",
        "family_contrasts",
        "influence",
    ],
    "offsets": ["solve_offsets", "solve_joint_offsets", "apply_offsets"],
    "style": [
        "solve_style_offsets",
        "apply_calibrator",
        "calibrated",
        "load_calibrator",
        "save_calibrator",
        "expect_favour",
        "explain_favour",
    ],
    "preferences": ["as_preferences", "load_preferences"],
    "relabel": ["relabel_preferences"],
    "benchmarks": ["load_benchmark"],
    "evaluate": ["evaluate_benchmark", "alignment_with_ratings"],
    "comparison": ["compare_models"],
    "study.nouns": ["StudyModel"],
    "study.planning.plan": ["plan_study"],
    "study.analysis": ["analyse_study"],
    "report": ["write_report"],
    "pipeline": ["run_pipeline"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
