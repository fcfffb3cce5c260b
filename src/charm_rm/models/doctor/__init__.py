"""Is a reward model's score what it is taken for? Faults that come before any statistics, each with its fix.

:func:`diagnose` examines a model on responses and gives a :class:`Diagnosis`; :func:`quick_checks` is the
cheap part of it, and :func:`refuse_unsound` raises where that part finds what would make scores wrong.
"""

from .check import Check, Status
from .diagnosis import Diagnosis
from .drift import Drift
from .examine import diagnose, quick_checks, refuse_unsound

__all__ = ["Check", "Diagnosis", "Drift", "Status", "diagnose", "quick_checks", "refuse_unsound"]
