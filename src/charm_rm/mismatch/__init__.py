"""Mismatch and favouritism: what an RM prefers against what people prefer."""

from .audits import Audit, audit, measure_favouritism, measure_mismatch, save_audit
from .candidates import place_candidates
from .carrying import Influence, influence, save_influence
from .compare import FavourComparison, compare_favour, save_comparison
from .degree import both_ways, mismatch_degree
from .families import FamilyContrasts, family_contrasts, read_groups, save_families
from .makers import known_makers, makers_of
from .metrics import METRICS, Metric
from .summary import mean_absolute_mismatch

__all__ = [
    "METRICS",
    "Audit",
    "FamilyContrasts",
    "FavourComparison",
    "Influence",
    "Metric",
    "audit",
    "both_ways",
    "compare_favour",
    "family_contrasts",
    "influence",
    "known_makers",
    "makers_of",
    "mean_absolute_mismatch",
    "measure_favouritism",
    "measure_mismatch",
    "mismatch_degree",
    "place_candidates",
    "read_groups",
    "save_audit",
    "save_comparison",
    "save_families",
    "save_influence",
]
