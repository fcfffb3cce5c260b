"""In which precision a model may be asked to run."""

from __future__ import annotations

from typing import Literal

from ..errors import ConfigError

DTypeName = Literal["float32", "bfloat16", "float16", "auto"]


def check_dtype(dtype: str, *, float16: bool = False) -> None:
    """Refuse a precision that this kind of model does not run in; ``auto`` is the one that it was saved in.

    Only reward heads may run in ``float16``: log-probabilities over a vocabulary overflow its range.

    Raises:
        ConfigError: the message names those that are possible.
    """
    known = ("float32", "bfloat16", "float16", "auto") if float16 else ("float32", "bfloat16", "auto")
    if dtype not in known:
        raise ConfigError(
            f"dtype {dtype!r} is unknown",
            fix=f"use --dtype {', '.join(known[:-1])} or {known[-1]} (dtype= in Python)",
        )
