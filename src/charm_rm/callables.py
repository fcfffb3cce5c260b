"""A function of one's own as a reward or a judge: ``module:function``, checked on every call.

The module is imported, so its code runs: name modules that you trust. The current folder is searched too.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CharmError, ConfigError, ModelError, did_you_mean
from .memo import content_key
from .protocols import Prompt


@dataclass(frozen=True)
class CallableReward:
    """A :class:`~charm_rm.protocols.ScalarReward` of a function (prompts, responses) -> scores."""

    function: Callable[..., Any]
    source: str
    fingerprint: str

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """(n,) finite rewards.

        Raises:
            ModelError: the function fails, or its answer is no array of so many finite numbers.
        """
        scores = _call(self.function, self.source, list(prompts), list(responses))
        if not np.isfinite(scores).all():
            raise _bad_answer(
                self.source, f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite"
            )
        return scores


@dataclass(frozen=True)
class CallableJudge:
    """A :class:`~charm_rm.protocols.PairwisePreference` of a function (prompts, first, second) -> probabilities."""

    function: Callable[..., Any]
    source: str
    fingerprint: str

    def __call__(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) probabilities that the first is better; NaN: no verdict.

        Raises:
            ModelError: the function fails, or its answer is no array of so many probabilities.
        """
        preferences = _call(self.function, self.source, list(prompts), list(first), list(second))
        outside = (preferences < 0) | (preferences > 1)
        if outside.any():
            raise _bad_answer(self.source, f"{preferences[outside][0]:g} is not between 0 and 1")
        return preferences


def load_callable_reward(spec: str) -> CallableReward:
    """The function named by ``module:function`` as a reward model."""
    return CallableReward(*_load(spec))


def load_callable_judge(spec: str) -> CallableJudge:
    """The function named by ``module:function`` as a judge."""
    return CallableJudge(*_load(spec))


# --- details ------------------------------------------------------------------------------------


def _load(spec: str) -> tuple[Callable[..., Any], str, str]:
    """The function, what people call it, and a hash of its name and its module's source."""
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name.isidentifier()):
        raise ConfigError(f"{spec!r} does not name a function", mend="write python:MODULE:FUNCTION")
    module = _import(module_name)
    function = getattr(module, name, None)
    if function is None:
        raise ConfigError(
            f"module {module_name!r} has no function {name!r}.{did_you_mean(name, dir(module))}",
            mend="check the name",
        )
    if not callable(function):
        raise ConfigError(f"{spec!r} is a {type(function).__name__}, not a function", mend="name a function")
    return function, f"python:{spec}", content_key("callable", spec, _source_hash(module))


def _import(name: str) -> Any:
    try:
        with _current_folder_first():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _failed(f"python:{name}", error) from error
        raise ConfigError(
            f"no Python module {error.name!r}",
            where=f"python:{name}",
            mend="check the name; run in the folder that holds it",
        ) from error
    except CharmError:
        raise
    except Exception as error:  # the module's own code runs here: anything may come
        raise _failed(f"python:{name}", error) from error


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Find modules in the current folder, as ``python -m`` does and an installed command does not."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _source_hash(module: Any) -> str:
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""


def _call(function: Callable[..., Any], source: str, *texts: list[Any]) -> NDArray[np.float64]:
    try:
        answer = function(*texts)
    except CharmError:
        raise
    except Exception as error:  # a person's own function: anything may come
        raise _failed(source, error) from error
    try:
        values: NDArray[np.float64] = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _bad_answer(source, f"{type(answer).__name__} is no array of numbers") from error
    if values.shape != (len(texts[0]),):
        raise _bad_answer(source, f"{len(texts[0])} texts went in, an array of shape {values.shape} came out")
    return values


def _bad_answer(source: str, what: str) -> ModelError:
    return ModelError(what, where=source, mend="return one number per text, in the order of the texts")


def _failed(source: str, error: BaseException) -> ModelError:
    return ModelError(
        f"fails with {type(error).__name__}: {error}",
        where=source,
        mend="run `charm --debug ...` for the traceback",
    )
