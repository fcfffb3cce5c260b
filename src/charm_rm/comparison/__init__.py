"""Several reward models or judges side by side, on human ratings and on benchmarks."""

from .evaluations import Evaluated, is_evaluation, read_evaluation
from .models import compare_models
from .result import ModelComparison, save_models

__all__ = [
    "Evaluated",
    "ModelComparison",
    "compare_models",
    "is_evaluation",
    "read_evaluation",
    "save_models",
]
