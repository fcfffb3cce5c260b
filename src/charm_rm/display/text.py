"""The text that a result's command prints, as a string."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from ..shown import Shown


def text(result: Shown, *, top: int, width: int) -> str:
    """What the command prints of a result: ``top`` rows of each table (0: all), lines of at most ``width`` cells."""
    from ..cli.look import printed_as_text

    out = io.StringIO()
    with printed_as_text(width=width), contextlib.redirect_stdout(out):
        _printer(result)(result, top)
    return out.getvalue().rstrip("\n")


def _printer(result: Shown) -> Callable[[Any, int], None]:
    """The function that prints results of this class; any other table as a table."""
    return next((_PRINTERS[k.__name__] for k in type(result).__mro__ if k.__name__ in _PRINTERS), _table)


def _audit(result: Any, top: int) -> None:
    from ..cli.print_audit import print_audit

    print_audit(result, title=_title(result.provenance.get("input", {}), "the table given"), top=top)


def _comparison(result: Any, top: int) -> None:
    from ..cli.compare import print_comparison

    print_comparison(result, first="the first model", second="the second", top=top)


def _models(result: Any, top: int) -> None:
    from ..cli.print_models import print_models

    print_models(result, top=top)


def _study(result: Any, top: int) -> None:
    from ..cli.print_study import print_study

    print_study(result, top=top)


def _families(result: Any, _top: int) -> None:
    from ..cli.families import print_families

    print_families(result)


def _influence(result: Any, top: int) -> None:
    from ..cli.influence import print_influence

    title = _title(result.provenance.get("input", {}), "the table given")
    print_influence(result, title=title, top=top or 10**9)


def _offsets(result: Any, top: int) -> None:
    from ..cli.calibrate import print_offsets

    if "link" in result.provenance:  # solved here; those of a plain table say nothing of how
        print_offsets(result, top=top)
    else:
        _table(result, top)


def _calibrator(result: Any, top: int) -> None:
    from ..cli.calibrator import print_calibrator

    print_calibrator(result, top=top)


def _explanation(result: Any, top: int) -> None:
    from ..cli.explain import print_explanation

    if result.summary:
        print_explanation(result, by="feature", top=top)
    else:
        _table(result, top)


def _ratings(result: Any, top: int) -> None:
    from ..cli.ratings import print_ratings

    print_ratings(
        result, title=f"Ratings: {_title(result.provenance, 'the table given')}", top=top, as_json=False
    )


def _relabelled(result: Any, top: int) -> None:
    from ..cli.relabel import print_ledger

    print_ledger(result, top=top)


def _benchmark(result: Any, _top: int) -> None:
    from ..cli.evaluation_tables import print_evaluation

    print_evaluation([result], None)


def _alignment(result: Any, _top: int) -> None:
    from ..cli.evaluation_tables import print_evaluation

    print_evaluation([], result)


def _table(result: Any, top: int) -> None:
    from ..cli.common import heading, print_frame
    from .short import short

    heading(short(result))
    for name, frame in result.tables().items():
        print_frame(frame, title="" if name == "frame" else name, limit=top or None)


def _title(record: Any, otherwise: str) -> str:
    return str(record.get("source") or otherwise)


_PRINTERS: dict[str, Callable[[Any, int], None]] = {
    "Audit": _audit,
    "FavourComparison": _comparison,
    "ModelComparison": _models,
    "StudyAnalysis": _study,
    "FamilyContrasts": _families,
    "Influence": _influence,
    "Offsets": _offsets,
    "Calibrator": _calibrator,
    "Explanation": _explanation,
    "Ratings": _ratings,
    "Relabelled": _relabelled,
    "BenchmarkResult": _benchmark,
    "AlignmentResult": _alignment,
}
