"""All features, by group. A module that defines features is named here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from . import form, language, length, markdown, prompt, tone  # noqa: F401  (each registers its features)
from .registry import Feature, choose, registered

FEATURES: Mapping[str, Feature] = MappingProxyType(registered())
DEFAULT_FEATURES: tuple[str, ...] = tuple(name for name, feature in FEATURES.items() if feature.default)


def find_features(names: Sequence[str]) -> list[Feature]:
    """The features of these names, in their order.

    Raises:
        ConfigError: one is unknown ("did you mean"), or named twice.
    """
    return choose(names, dict(FEATURES))
