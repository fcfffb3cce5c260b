"""Results -> one self-contained HTML page that opens offline, and figures as SVG and PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .. import store
from ..errors import SchemaError

if TYPE_CHECKING:
    from .figures import Figure

__all__ = ["write_report"]


def write_report(
    directory: str | Path,
    *,
    output: str | Path | None = None,
    force: bool = False,
    title: str | None = None,
    date: str | None = None,
    study: str | Path | None = None,
) -> Path:
    """Write the report of a run (or of one audit) and return the page's path.

    Reads what lies in ``directory``; sections without files are left out. The page goes to
    ``directory/report.html``, figures to ``directory/figures/``; both are derived from the run and may
    always be written again. Another ``output`` that exists needs ``force``. ``title`` stands at the head (default: the name
    of the run, or of the audited file), and ``date`` where it is given: without one the same data give the same page at any time. ``study``
    is the folder of a study's analysis (default: ``directory/study``, where there is one).

    Raises:
        SchemaError: ``directory`` is the analysis of a study.
        UnreadableFile: there is no audit in ``directory``, or one of its files is damaged.
        OutputExists: ``output`` was given, exists, and ``force`` is off.
        WriteFailed: the disk is full; what was there before is untouched.
    """
    from .figures import draw_figures
    from .gather import gather
    from .page import render_page

    directory = Path(directory)
    page = directory / "report.html" if output is None else store.refuse_existing(output, force=force)
    _refuse_analysis(directory)
    findings = gather(directory, study=study)
    figures = draw_figures(findings)
    text = render_page(findings, figures, title=title, date=date)
    _write_figures(figures, directory / "figures")
    return store.write_text(text, page, force=True)


def _refuse_analysis(directory: Path) -> None:
    """The folder of a study's analysis is no run: it has a page of its own, and is a section of a run's report."""
    if (directory / "study.json").is_file() and (directory / "differences.parquet").is_file():
        raise SchemaError(
            f"{directory}: the analysis of a study, no folder of a run or an audit",
            fix=f"open {directory / 'study.html'}; as a section of a run's report: charm report RUN --study {directory}",
        )


def _write_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write every figure; those of an earlier report that this one lacks go, nobody else's do."""
    from .figures import drawn_by_us

    for key, figure in figures.items():
        store.write_text(figure.picture.wide.svg, folder / f"{key}.svg", force=True)
        with store.replacing(folder / f"{key}.png", force=True) as temporary:
            temporary.write_bytes(figure.picture.wide.png())
    for file in folder.glob("*.*"):
        if file.suffix in (".svg", ".png") and drawn_by_us(file.stem) and file.stem not in figures:
            file.unlink()
