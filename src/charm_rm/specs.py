"""What ``--rm`` and ``--judge`` take, in words -> a preference model.

Filled where the kinds of models meet: this is the one place that knows all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .protocols import ScalarReward


def load_scorer(rm: str, **loading: Any) -> ScalarReward:
    """The scalar reward that ``rm`` names; ``loading`` is as for :func:`charm_rm.models.load_reward_model`.

    Raises:
        ModelError: it is no reward model, or cannot be loaded.
        ConfigError: ``loading`` is out of the question.
    """
    from .models import load_reward_model

    return load_reward_model(rm, **loading)
