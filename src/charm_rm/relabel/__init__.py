"""Preference pairs from calibrated scores, with a ledger of what calibration did to the labels."""

from __future__ import annotations

from .folder import save_relabelled, what_p_chosen_is
from .preferences import STRATEGIES, Relabelled, relabel_preferences

__all__ = ["STRATEGIES", "Relabelled", "relabel_preferences", "save_relabelled", "what_p_chosen_is"]
