"""The only home of torch, transformers, peft, trl and datasets: scoring and training reward models.

Importing this package loads none of them; each verb does when it is called, and raises
:class:`~charm_rm.errors.MissingExtra` where the ``[hf]`` extra is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .extras import require

if TYPE_CHECKING:
    from .datasets_io import dataset_batches, is_dataset_source, load_any_responses, load_dataset_responses
    from .doctor import diagnose
    from .embedding import load_embedder
    from .implicit import load_dpo_reward
    from .loading.registry import find_entry, list_entries
    from .pair_ranker import load_pair_ranker
    from .scoring.batching import plan_batches
    from .scoring.encoding import Encoded, ResponseEncoder
    from .scoring.engine import run_plan, run_rows
    from .scoring.local import LocalModel, LocalReward
    from .scoring.responses import ScoredTexts, score_responses, score_texts
    from .scoring.reward import RewardModel, load_reward_model
    from .selection import Selected, best_of_n
    from .shipped import shipped_smollm2
    from .training.anchors import Anchor
    from .training.card import write_mismatch_section
    from .training.reward_function import RewardFunction, reward_function
    from .training.settings import HeldOut, TrainResult, TrainSettings
    from .training.train import train_reward_model

_HOME = {
    "Anchor": "training.anchors",
    "diagnose": "doctor",
    "Encoded": "scoring.encoding",
    "HeldOut": "training.settings",
    "LocalModel": "scoring.local",
    "LocalReward": "scoring.local",
    "ResponseEncoder": "scoring.encoding",
    "RewardFunction": "training.reward_function",
    "RewardModel": "scoring.reward",
    "ScoredTexts": "scoring.responses",
    "Selected": "selection",
    "TrainResult": "training.settings",
    "TrainSettings": "training.settings",
    "best_of_n": "selection",
    "dataset_batches": "datasets_io",
    "find_entry": "loading.registry",
    "list_entries": "loading.registry",
    "is_dataset_source": "datasets_io",
    "load_any_responses": "datasets_io",
    "load_dpo_reward": "implicit",
    "load_embedder": "embedding",
    "load_pair_ranker": "pair_ranker",
    "load_dataset_responses": "datasets_io",
    "load_reward_model": "scoring.reward",
    "plan_batches": "scoring.batching",
    "reward_function": "training.reward_function",
    "run_plan": "scoring.engine",
    "run_rows": "scoring.engine",
    "score_responses": "scoring.responses",
    "score_texts": "scoring.responses",
    "shipped_smollm2": "shipped",
    "train_reward_model": "training.train",
    "write_mismatch_section": "training.card",
}

__all__ = [
    "Anchor",
    "Encoded",
    "HeldOut",
    "LocalModel",
    "LocalReward",
    "ResponseEncoder",
    "RewardFunction",
    "RewardModel",
    "ScoredTexts",
    "Selected",
    "TrainResult",
    "TrainSettings",
    "best_of_n",
    "dataset_batches",
    "diagnose",
    "find_entry",
    "is_dataset_source",
    "list_entries",
    "load_any_responses",
    "load_dataset_responses",
    "load_dpo_reward",
    "load_embedder",
    "load_pair_ranker",
    "load_reward_model",
    "plan_batches",
    "require",
    "reward_function",
    "run_plan",
    "run_rows",
    "score_responses",
    "score_texts",
    "shipped_smollm2",
    "train_reward_model",
    "write_mismatch_section",
]


def __getattr__(name: str) -> Any:
    """Load the public verbs when first asked for (PEP 562), so that importing stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
