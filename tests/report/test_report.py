"""The report as files: what is written, what is refused, what is left out, what is escaped."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import OutputExists, SchemaError, UnreadableFile
from charm_rm.report import write_report
from charm_rm.report.figures import draw_figures
from charm_rm.report.gather import gather
from charm_rm.report.groups import groups
from charm_rm.report.page import render_page
from report.synthetic import HOSTILE, build_run, names, write_audit


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_run(tmp_path_factory.mktemp("run") / "demo", policies=names(5), simulated=True)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("plain_charts")
def test_the_page_names_that_of_the_evaluation_where_there_is_one(run: Path) -> None:
    assert not gather(run).evaluation_page
    page = run / "evaluation" / "evaluation.html"
    page.write_text("<p>It</p>")
    try:
        found = gather(run)
        assert "evaluation/evaluation.html" in render_page(found, draw_figures(found))
    finally:
        page.unlink()


class Outline(HTMLParser):
    """Tags with attributes, and the text outside style and script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag]


def test_every_section_of_a_whole_run(page: str) -> None:
    ids = {a.get("id") for a in Outline(page).named("section")}
    assert ids == {
        *("ratings", "favour", "mismatch", "change", "offsets"),
        *("labels", "evaluation", "warnings", "terms", "provenance"),
    }


def test_links_lead_to_sections(page: str) -> None:
    outline = Outline(page)
    targets = {a["id"] for _, a in outline.tags if a.get("id")}
    links = [str(a["href"]) for a in outline.named("a")]
    assert links
    assert {href[1:] for href in links} <= targets


def test_verdict_has_the_audits_own_numbers(run: Path, page: str) -> None:
    top = store.read_json(run / "before" / "audit.json")
    favour = store.read_frame(run / "before" / "favouritism.parquet").sort("favour")[-1].to_dicts()[0]
    text = Outline(page).text
    assert f"Most favoured: {favour['policy']}, +{favour['favour']:.0f}\xa0Elo" in text
    assert f"Sharpness {top['sharpness']['value']:.2f}" in text


def test_figures_are_whole_svg_and_png(run: Path) -> None:
    svgs = sorted((run / "figures").glob("*.svg"))
    assert {p.stem for p in svgs} >= {
        "ratings",
        "favour",
        "mismatch_before",
        "offsets",
        "ledger",
        "benchmarks",
    }
    for svg in svgs:
        ElementTree.parse(svg)
        assert svg.with_suffix(".png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.usefixtures("plain_charts")
def test_a_simulated_run_says_so(page: str, tmp_path: Path) -> None:
    assert "Simulated run." in Outline(page).text
    real = write_report(build_run(tmp_path / "real", policies=names(4), simulated=False))
    assert "Simulated run." not in real.read_text(encoding="utf-8")


def test_nothing_is_fetched_and_only_our_script_runs(page: str) -> None:
    outline = Outline(page)
    for tag, attributes in outline.tags:
        assert not {"src", "srcset", "style"} & set(attributes), tag
        assert not [k for k in attributes if k.startswith("on")], tag
    assert [a["href"] for a in outline.named("link")] == ["data:,"]
    assert len(outline.named("script")) == len(outline.named("style")) == 1
    policy = next(a["content"] for a in outline.named("meta") if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "url(" not in page
    assert "@import" not in page


def test_headings_go_down_one_at_a_time(page: str) -> None:
    levels = [int(t[1]) for t, _ in Outline(page).tags if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_charts_and_tables_are_described(page: str) -> None:
    outline = Outline(page)
    charts = outline.named("svg")
    assert charts
    assert all(a.get("role") == "img" and a.get("aria-label") for a in charts)
    assert len(outline.named("caption")) == len(outline.named("table"))


@pytest.mark.usefixtures("plain_charts")
def test_a_plain_audit_directory_is_enough(tmp_path: Path) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    policies, rating = names(4), np.array([1250.0, 1200, 1150, 1100])
    write_audit(
        tmp_path, policies=policies, rating=rating, favour=rating * 0, references=None, prompts=100, rng=rng
    )
    outline = Outline(write_report(tmp_path).read_text(encoding="utf-8"))
    ids = {a.get("id") for a in outline.named("section")}
    assert ids == {"ratings", "favour", "mismatch", "terms", "provenance"}


def test_a_run_is_called_by_its_manifest_or_its_folder(tmp_path: Path) -> None:
    for folder, called in ((tmp_path / ".audit.x1y2.part", "audit"), (tmp_path / "mine", "mine")):
        run = build_run(folder, policies=names(2))
        assert gather(run).name == called
        store.write_json({"name": "simpo"}, run / "manifest.json", force=True)
        assert gather(run).name == "simpo"


def test_groups_by_hand(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", policies=["r", "o", "x", "y"])
    found = {g.name: g for g in groups(gather(run))}
    assert {n: g.pairs for n, g in found.items()} == {
        "Calibrated pair": 1,
        "Calibrated policies": 3,
        "Held-out policies": 1,
        "All pairs": 6,
    }
    for stage in ("before", "after"):
        rows = store.read_frame(run / stage / "mismatch.parquet").to_dicts()
        held_out = [abs(r["mismatch"]) for r in rows if {r["policy"], r["reference"]} == {"x", "y"}]
        assert getattr(found["Held-out policies"], stage) == pytest.approx(held_out[0])
        mean = sum(abs(r["mismatch"]) for r in rows) / 6
        assert getattr(found["All pairs"], stage) == pytest.approx(mean)


@pytest.mark.usefixtures("plain_charts")
def test_mismatch_alone_is_enough(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", policies=names(2))
    only = tmp_path / "only"
    only.mkdir()
    (run / "before" / "mismatch.parquet").rename(only / "mismatch.parquet")
    outline = Outline(write_report(only).read_text(encoding="utf-8"))
    assert "Largest mismatch: " in outline.text
    assert "Favouritism" not in outline.text


@pytest.mark.usefixtures("plain_charts")
def test_few_references_give_bars_and_many_a_map(tmp_path: Path) -> None:
    one = build_run(tmp_path / "one", policies=names(6), references=names(6)[:1])
    every = build_run(tmp_path / "every", policies=names(6))
    few, many = (set(draw_figures(gather(folder))) for folder in (one, every))
    assert "mismatch_before_1" in few
    assert "mismatch_before" not in few
    assert "mismatch_before" in many
    assert "mismatch_before_1" not in many


def test_another_output_is_replaced_only_by_force(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputExists):
        write_report(run, output=other)
    assert other.read_text(encoding="utf-8") == "mine"
    assert write_report(run, output=other, force=True) == other
    assert "CHARM" in other.read_text(encoding="utf-8")


@pytest.mark.usefixtures("plain_charts")
def test_figures_of_an_earlier_report_do_not_linger(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    (folder / "offsets.parquet").unlink()
    (folder / "figures").mkdir()
    older = [folder / "figures" / name for name in ("offsets.svg", "offsets.png", "mismatch_before_3.svg")]
    mine = folder / "figures" / "mine.svg"
    for file in (*older, mine):
        file.write_text("<svg/>", encoding="utf-8")
    write_report(folder)
    assert not any(file.exists() for file in older)
    assert mine.exists()


def test_the_default_page_may_be_written_again_and_is_the_same(run: Path, page: str) -> None:
    assert write_report(run).read_text(encoding="utf-8") == page


def test_hostile_text_is_shown_and_not_run(tmp_path: Path) -> None:
    every = " ".join(HOSTILE)
    folder = build_run(tmp_path / "run", policies=[*HOSTILE, *names(2)], text=every, warnings=HOSTILE)
    outline = Outline(write_report(folder).read_text(encoding="utf-8"))
    assert len(outline.named("script")) == 1
    assert not outline.named("img")
    assert not [a for _, a in outline.tags if any(k.startswith("on") for k in a)]
    for text in HOSTILE:
        assert outline.text.count(text) >= 10
        assert any(text in (a.get("data-tip") or "") for a in outline.named("path"))
    for svg in (folder / "figures").glob("*.svg"):
        tags = {e.tag.rsplit("}", 1)[-1] for e in ElementTree.parse(svg).iter()}
        assert not tags & {"script", "img", "image", "foreignObject", "a"}


def test_control_characters_do_not_break_the_page(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=["bad\x00\x1b[31m\u202ename", *names(3)])
    text = write_report(folder).read_text(encoding="utf-8")
    assert "bad\ufffd\ufffd[31m\ufffdname" in text
    assert not {"\x00", "\x1b", "\u202e"} & set(text)


def test_a_folder_without_an_audit_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds no audit") as caught:
        write_report(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "report.html").exists()
    (tmp_path / "evaluation.html").touch()
    with pytest.raises(UnreadableFile) as has_its_own:
        write_report(tmp_path)
    assert str(has_its_own.value.fix).startswith("open evaluation.html in it")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = build_run(tmp_path / "run", policies=names(4))
    offsets = folder / "offsets.parquet"
    offsets.write_bytes(offsets.read_bytes()[:100])
    with pytest.raises(UnreadableFile, match="offsets"):
        write_report(folder)
    pl.DataFrame({"policy": ["a"]}).write_parquet(offsets)
    with pytest.raises(SchemaError, match="delta"):
        write_report(folder)
    offsets.unlink()
    (folder / "manifest.json").write_text(json.dumps([1]), encoding="utf-8")
    with pytest.raises(UnreadableFile, match="should be an object"):
        write_report(folder)
