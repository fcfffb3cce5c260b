"""A function of one's own by name, ``module:function``: found, loaded, called, and its answer read as numbers.

The module is imported, so its code runs: name modules that you trust. The current folder is searched too.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CharmError, ConfigError, ModelError, did_you_mean
from .memo import content_key

# What a function of so many lists is given: to score, and to judge.
_GIVEN = {2: "two lists: (prompts, responses)", 3: "three lists: (prompts, first, second)"}


@dataclass(frozen=True)
class OwnFunction:
    """A function, what people call it, and a hash of its name and its module's source."""

    function: Callable[..., Any]
    source: str
    fingerprint: str

    def __call__(self, *texts: list[Any]) -> NDArray[np.float64]:
        """What the function answers to lists of texts, as numbers of whatever shape.

        Raises:
            ModelError: the function fails, or its answer is no array of numbers.
        """
        answer = self.call(*texts)
        try:
            values: NDArray[np.float64] = np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise bad_answer(self.source, f"{type(answer).__name__} is no array of numbers") from error
        return values

    def call(self, *texts: list[Any], **more: Any) -> Any:
        """Whatever the function answers.

        Raises:
            ModelError: the function fails.
        """
        try:
            return self.function(*texts, **more)
        except CharmError:
            raise
        except Exception as error:  # a person's own function: anything may come
            if not self._can_take(*texts, **more):
                raise self._other_arguments(len(texts), error) from error
            raise failed(self.source, error) from error

    def _can_take(self, *texts: list[Any], **more: Any) -> bool:
        """Whether its parameters fit; also where that cannot be told."""
        try:
            inspect.signature(self.function).bind(*texts, **more)
        except TypeError:
            return False
        except ValueError:
            return True
        return True

    def _other_arguments(self, n: int, error: BaseException) -> ModelError:
        given = _GIVEN.get(n, f"{n} lists")
        return ModelError(
            f"does not take what it is given: {error}",
            where=self.source,
            fix=f"write it as a function of {given}",
        )

    def takes(self, argument: str) -> bool:
        """Whether the function can be given an argument of this name."""
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return False
        return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def load_function(spec: str) -> OwnFunction:
    """The function named by ``module:function``.

    Raises:
        ConfigError: there is no such module or function.
        ModelError: its module cannot be imported.
    """
    module_name, colon, name = spec.partition(":")
    if not (module_name and colon and name.isidentifier()):
        raise ConfigError(f"{spec!r} does not name a function", fix="write python:MODULE:FUNCTION")
    module = _import(module_name)
    function = getattr(module, name, None)
    if function is None:
        raise ConfigError(
            f"module {module_name!r} has no function {name!r}.{did_you_mean(name, dir(module))}",
            fix="check the name",
        )
    if not callable(function):
        raise ConfigError(f"{spec!r} is a {type(function).__name__}, not a function", fix="name a function")
    return OwnFunction(function, f"python:{spec}", content_key("callable", spec, _source_hash(module)))


def bad_answer(source: str, what: str, *, wanted: str = "number per text") -> ModelError:
    """An answer that cannot be used."""
    return ModelError(what, where=source, fix=f"return one {wanted}, in the order of the texts")


def failed(source: str, error: BaseException) -> ModelError:
    """A function, or its module, that raises."""
    return ModelError(
        f"fails with {type(error).__name__}: {error}",
        where=source,
        fix="run `charm --debug ...` for the traceback",
    )


# --- details ------------------------------------------------------------------------------------


def _import(name: str) -> Any:
    try:
        with _current_folder_first():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise failed(f"python:{name}", error) from error
        raise ConfigError(
            f"no Python module {error.name!r}",
            where=f"python:{name}",
            fix=f"give the module's name, not its file's: python:{name.removesuffix('.py')}:FUNCTION"
            if name.endswith(".py")
            else "check the name; run in the folder that holds it",
        ) from error
    except CharmError:
        raise
    except Exception as error:  # the module's own code runs here: anything may come
        raise failed(f"python:{name}", error) from error


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
