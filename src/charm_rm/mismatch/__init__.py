"""Mismatch and favouritism: what an RM prefers against what people prefer."""

from .audits import Audit, audit, measure_favouritism, measure_mismatch, save_audit
from .degree import both_ways, mismatch_degree
from .metrics import METRICS, Metric
from .summary import mean_absolute_mismatch

__all__ = [
    "METRICS",
    "Audit",
    "Metric",
    "audit",
    "both_ways",
    "mean_absolute_mismatch",
    "measure_favouritism",
    "measure_mismatch",
    "mismatch_degree",
    "save_audit",
]
