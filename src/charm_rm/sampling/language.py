"""The language of a prompt, by py3langid: its model is in the package, small, and the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any

from ..errors import BadSetting, did_you_mean
from ..extras import require

UNKNOWN = "und"  # ISO 639: undetermined
# Below this share of belief the language is unknown: two or three words of most languages.
_BELIEF = 0.5
_LONGEST = 2_000  # characters that are looked at


def language_finder() -> Callable[[str], str]:
    """A function of a text that gives its ISO 639-1 code, ``und`` where it is too short or too mixed to tell.

    Raises:
        MissingExtra: py3langid is not installed.
    """
    find = _identifier().classify

    def language(text: str) -> str:
        code, _belief = find(text[:_LONGEST])
        return str(code)

    return language


def check_languages(codes: Collection[str]) -> None:
    """Refuse codes that are never found.

    Raises:
        BadSetting: a code is unknown.
        MissingExtra: py3langid is not installed.
    """
    known = {*_identifier().labels, UNKNOWN}
    for code in codes:
        if code not in known:
            raise BadSetting(
                f"the language {code!r} is not known.{did_you_mean(code, known)}",
                setting="languages",
                fix=f"use one of {', '.join(sorted(known))}",
            )


@cache
def _identifier() -> Any:
    langid = require("py3langid.langid", extra="sample", what="telling languages")
    return langid.LanguageIdentifier.from_model_file(
        langid.MODEL_FILE, norm_probs=True, min_confidence=_BELIEF
    )
