"""Several reward models or judges side by side, on human ratings and on benchmarks."""

from .evaluations import Evaluated, is_evaluation, read_evaluation
from .models import compare_models
from .result import NO_DIFFERENCE, ModelComparison, save_models

__all__ = [
    "NO_DIFFERENCE",
    "Evaluated",
    "ModelComparison",
    "compare_models",
    "is_evaluation",
    "read_evaluation",
    "save_models",
]
