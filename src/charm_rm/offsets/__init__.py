"""Score offsets that bring a reward model's win rates to what human ratings say, and applying them."""

from __future__ import annotations

from .apply import apply_offsets
from .joint import solve_joint_offsets
from .pair import solve_offsets
from .streamed import solve_streamed_joint_offsets

__all__ = ["apply_offsets", "solve_joint_offsets", "solve_offsets", "solve_streamed_joint_offsets"]
