"""Results -> one self-contained HTML page that opens offline, and figures as SVG and PNG."""

from __future__ import annotations

from pathlib import Path

from .. import store

__all__ = ["write_report"]


def write_report(directory: str | Path, *, output: str | Path | None = None, force: bool = False) -> Path:
    """Write the report of a run (or of one audit) and return the page's path.

    Reads what lies in ``directory``; sections without files are left out. The page goes to
    ``directory/report.html``, figures to ``directory/figures/``; both are derived from the run and may
    always be written again. Another ``output`` that exists needs ``force``.

    Raises:
        UnreadableFile: there is no audit in ``directory``, or one of its files is damaged.
        OutputExists: ``output`` was given, exists, and ``force`` is off.
        WriteFailed: the disk is full; what was there before is untouched.
    """
    from .figures import draw_figures
    from .gather import gather
    from .page import render_page

    directory = Path(directory)
    page = directory / "report.html" if output is None else store.refuse_existing(output, force=force)
    findings = gather(directory)
    figures = draw_figures(findings)
    text = render_page(findings, figures)
    for key, figure in figures.items():
        store.write_text(figure.wide.svg, directory / "figures" / f"{key}.svg", force=True)
        with store.replacing(directory / "figures" / f"{key}.png", force=True) as temporary:
            temporary.write_bytes(figure.wide.png())
    return store.write_text(text, page, force=True)
