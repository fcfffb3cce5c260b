"""A figure is one place: a file that registers it is enough, and what it states is held."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from charm_rm.report import figures, write_report
from charm_rm.report.figures import _registry, draw_figures, drawn_by_us
from charm_rm.report.gather import gather
from report.synthetic import build_run, names

DEFINITION = '''
"""How many prompts each pair shares."""

from charm_rm.report.charts import Row, interval_rows
from charm_rm.report.figures._registry import both, figure


@figure("shared_prompts", title="Prompts in common", section="mismatch", needs=("before", "offsets"), order=5)
def shared_prompts(findings, audited, offsets):
    rows = [Row(r["policy"], r["n"], f"{r['policy']}\\n{r['n']} prompts") for r in audited.mismatch.head(3).to_dicts()]
    yield both(
        lambda w: interval_rows(rows, width=w, axis="prompts"), alt="Prompts of three pairs.", caption="Read it so."
    )
'''


@pytest.fixture
def one_file_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file more in the folder of figures."""
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "shared_prompts.py").write_text(DEFINITION, encoding="utf-8")
    draw_figures(gather(build_run(tmp_path / "any", policies=names(4))))  # what is shipped is read first
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder)])
    known = dict(_registry.REGISTERED)
    yield
    _registry.REGISTERED.clear()
    _registry.REGISTERED.update(known)
    sys.modules.pop(f"{figures.__name__}.shared_prompts", None)


@pytest.mark.usefixtures("one_file_more")
def test_one_file_puts_a_figure_on_the_page_in_the_folder_and_in_the_list(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(5))
    page = write_report(folder).read_text(encoding="utf-8")
    section = page[page.index('<section id="mismatch">') : page.index('<section id="change">')]
    assert 'aria-label="Prompts of three pairs."' in section
    assert "<figcaption>Read it so.</figcaption>" in section
    assert "200 prompts" in section
    assert (folder / "figures" / "shared_prompts.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (folder / "figures" / "shared_prompts.png").read_bytes().startswith(b"\x89PNG")
    provenance = page[page.index('<section id="provenance">') :]
    assert (
        "<td>Prompts in common</td><td>Mismatch</td><td>figures/shared_prompts.svg, .png</td>" in provenance
    )
    (folder / "offsets.parquet").unlink()  # what it needs is gone, and so are its files of before
    assert "Read it so." not in write_report(folder).read_text(encoding="utf-8")
    assert not list((folder / "figures").glob("shared_prompts.*"))


def test_without_that_file_there_is_no_such_figure(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(5))
    assert "Prompts in common" not in write_report(folder).read_text(encoding="utf-8")
    assert not drawn_by_us("shared_prompts")


@pytest.mark.parametrize(
    ("stem", "ours"),
    [
        ("favour", True),
        ("mismatch_before_3", True),
        ("mismatch_before_x", False),
        ("mine", False),
        ("_1", False),
    ],
)
def test_files_of_ours_are_told_by_the_figures_names(stem: str, ours: bool) -> None:
    assert drawn_by_us(stem) is ours


def test_figures_stand_in_the_order_of_the_page(tmp_path: Path) -> None:
    found = draw_figures(gather(build_run(tmp_path / "run", policies=names(5))))
    sections = [get_args(_registry.Section).index(f.section) for f in found.values()]
    assert sections == sorted(sections)
    # This run calibrates by offsets; figures of style are of runs by style (test_style_section.py), those of a study in test_study.py.
    assert set(get_args(_registry.Section)) - {"style", "study"} == {f.section for f in found.values()}
    assert [key for key, f in found.items() if f.section == "change"] == ["favour_after", "mismatch_after"]


def test_a_section_that_is_none_and_a_name_that_is_taken_are_refused() -> None:
    with pytest.raises(ValueError, match="no section 'nowhere'"):
        _registry.figure("lost", title="Lost", section="nowhere")(iter)  # type: ignore[arg-type]
    assert drawn_by_us("favour")  # what is shipped has been read
    with pytest.raises(ValueError, match="two figures are called 'favour'"):
        _registry.figure("favour", title="Again", section="favour")(iter)  # type: ignore[arg-type]
    assert "lost" not in _registry.REGISTERED
