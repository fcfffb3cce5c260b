"""What style explains, in the report: figures and table where a folder has it, and none where it has not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import UnreadableFile
from charm_rm.report import write_report
from charm_rm.report.figures import draw_figures
from charm_rm.report.gather import gather
from charm_rm.style import Explanation, write_explanation
from report.synthetic import HOSTILE, build_run, names


def explained(policies: list[str], group: str = "markdown") -> Explanation:
    rows = []
    for k, policy in enumerate(policies):
        parts = {"favour": 120.0 - 30 * k, "style": 80.0 - 30 * k, "unexplained": 40.0}
        told = [(kind, kind, value) for kind, value in parts.items()]
        told += [("group", group, 100.0 - 30 * k), ("group", "favour", -20.0)]
        rows += [
            {
                "policy": policy,
                "kind": kind,
                "part": part,
                "elo": value,
                "ci_low": value - 10,
                "ci_high": value + 10,
            }
            for kind, part, value in told
        ]
    frame = pl.DataFrame(rows).with_columns(
        held_out=True,
        group=pl.lit(None, pl.String),
        std_err=5.0,
        difference=pl.lit(None, pl.Float64),
        weight=pl.lit(None, pl.Float64),
    )
    row = {"held_out": True, "value": 0.57, "ci_low": 0.36, "ci_high": 0.69}
    return Explanation(frame, summary={"r_squared": [row]})


@pytest.mark.parametrize("where", ["", "before"])
@pytest.mark.usefixtures("plain_charts")
def test_a_folder_with_an_explanation_shows_it(tmp_path: Path, where: str) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    assert "What style explains" not in write_report(folder).read_text(encoding="utf-8")
    write_explanation(folder / where, explained(names(4)))
    page = write_report(folder).read_text(encoding="utf-8")
    section = page[page.index('<section id="favour">') : page.index('<section id="mismatch">')]
    assert f"What explains the favour shown to {names(4)[0]}" in section
    assert "R²: 0.57 [0.36, 0.69] on policies left out of the weights." in section
    assert "What style explains of favour, in Elo points" in section
    for figure in ("explanation", "explanation_map"):
        assert (folder / "figures" / f"{figure}.svg").exists()


def test_steps_end_where_the_favour_does(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    write_explanation(folder, explained(names(4)))
    tips = draw_figures(gather(folder))["explanation"].picture.wide.tips
    assert [tip.splitlines()[1] for tip in tips.values()] == [
        "markdown +100 Elo [+90, +110]",
        "favour \u221220 Elo [\u221230, \u221210]",  # a group of that name
        "unexplained +40 Elo [+30, +50]",
        "favour +120 Elo [+110, +130]",
    ]


def test_names_that_would_run_are_text(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    write_explanation(folder, explained(list(HOSTILE), group=HOSTILE[0]))
    page = write_report(folder).read_text(encoding="utf-8")
    for text in HOSTILE[:3]:
        assert text not in page


def test_a_damaged_explanation_is_refused(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    found = explained(names(4))
    store.save(
        Explanation(found.frame, summary={"r_squared": [{"value": "x"}]}), folder / "explanation.parquet"
    )
    with pytest.raises(UnreadableFile, match=r"r_squared\[0\]"):
        write_report(folder)
