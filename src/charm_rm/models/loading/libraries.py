"""How the libraries are called: silent, and with one error that names the model where they have many."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator

from ...errors import CharmError, ModelError, first_line
from ..extras import require


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the libraries' own bars and reports: what matters in them is a typed error here."""
    logging = require("transformers").utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # TRL and peft use names that transformers has begun to rename.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def as_model_error(
    source: str | os.PathLike[str],
    *,
    kind: str = "reward model",
    by: str = "AutoModelForSequenceClassification (num_labels 1)",
    or_else: str = ", or be known to the registry (docs/models.md)",
) -> Iterator[None]:
    """Turn the loaders' many errors into one that names the model, and what it should load with."""
    try:
        yield
    except CharmError:
        raise
    except Exception as error:  # half a dozen libraries and perhaps the model's own code: anything may come
        raise ModelError(
            f"cannot be loaded as a {kind}: {first_line(error)}",
            where=os.fspath(source),
            fix=f"it should load with {by} and AutoTokenizer{or_else}",
        ) from error
