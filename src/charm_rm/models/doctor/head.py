"""The reward head: are its weights those of a trained model, and what of its outputs is the reward?"""

from __future__ import annotations

from typing import Any

from ..extras import require
from ..loading.head_names import find_head
from ..scoring.reward import RewardModel
from .check import Check

# So many standard errors around the initialisation's mean and spread.
_NEAR = 2.0


def check_head(model: RewardModel) -> Check:
    """Weights that are all zero, not numbers, or as drawn at initialisation tell of a head never trained."""
    head = find_head(model.model) or _last_linear(model.model)
    matrices = [] if head is None else [p.detach().double() for p in head.parameters() if p.dim() > 1]
    if head is None or not matrices:
        return Check("head", "skipped", "no linear head was found to look at")
    weight = matrices[-1]  # of several layers the last gives the score
    n, mean, sd = weight.numel(), float(weight.mean()), float(weight.std(unbiased=False))
    dtypes = sorted({str(p.dtype).removeprefix("torch.") for p in head.parameters()})
    shape = " x ".join(str(s) for s in weight.shape)
    data = {"weights": n, "mean": mean, "sd": sd, "dtype": dtypes}
    if not bool(weight.isfinite().all()):
        data |= {"mean": None, "sd": None}
        return _bad("the head has weights that are not finite", data)
    if not bool(weight.any()):
        return _bad("all weights of the head are zero, so every response gets the same score", data)
    found = f"loaded from the checkpoint: {shape}, sd {sd:.3g}, in {', '.join(dtypes)}"
    if _as_drawn(model.model.config, head, n, mean, sd):
        return Check(
            "head",
            "warn",
            f"{found}; mean and sd are those of a fresh head",
            fix="if this model was trained, a low learning rate explains it: see that its accuracy is above chance "
            "(charm evaluate); if not, train it (charm train)",
            data=data,
        )
    return Check("head", "ok", found, data=data)


def check_outputs(model: RewardModel) -> Check:
    """How many outputs the head has, and which of them, or what of them, is the reward."""
    n = model.n_outputs
    taken = model.output
    found = f"{n} output{'' if n == 1 else 's'}; the reward is {taken}"
    return Check("outputs", "ok", found, data={"n_outputs": n, "reward": taken})


def _last_linear(model: Any) -> Any | None:
    """Where the head has a name of its own: a model ends with it."""
    linear = [m for m in model.modules() if isinstance(m, require("torch").nn.Linear)]
    return linear[-1] if linear else None


def _as_drawn(config: Any, head: Any, n: int, mean: float, sd: float) -> bool:
    """True where mean and sd are within sampling error of N(0, initializer_range²), and no bias was learnt."""
    drawn = getattr(config, "initializer_range", None)
    if not drawn or any(bool(p.detach().any()) for p in head.parameters() if p.dim() == 1):
        return False
    return bool(abs(mean) < _NEAR * drawn / n**0.5 and abs(sd / drawn - 1) < _NEAR / (2 * n) ** 0.5)


def _bad(found: str, data: dict[str, Any]) -> Check:
    return Check(
        "head",
        "fail",
        found,
        fix="use the checkpoint that was trained as a reward model, or train one (charm train --new-head)",
        data=data,
    )
