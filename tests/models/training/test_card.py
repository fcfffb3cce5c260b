"""The mismatch section of a model card: added, replaced, turned the same way, escaped."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import polars as pl
import pytest
import yaml
from markdown_it import MarkdownIt

from charm_rm.errors import UnreadableFile
from charm_rm.mismatch import METRICS
from charm_rm.models.training.card import BEGIN, write_card, write_mismatch_section
from charm_rm.models.training.settings import TrainResult, TrainSettings
from charm_rm.tables import Mismatch
from charm_rm.visible import visible


def mismatch(*rows: tuple[str, str, float]) -> Mismatch:
    frame = pl.DataFrame(
        [
            {
                "policy": policy,
                "reference": reference,
                "n": 10,
                "win_rate": 0.5 + value,
                "expected": 0.5,
                "mismatch": value,
                "ci_low": value - 0.1,
                "ci_high": value + 0.2,
                "mismatch_degree": 2 * abs(value),
                "verdict": "wins too often",
                **dict.fromkeys(
                    (
                        "mismatch_degree_ci_low",
                        "mismatch_degree_ci_high",
                        "p_value",
                        "q_value",
                        "win_rate_soft",
                        "mismatch_soft",
                        "mismatch_degree_soft",
                    ),
                    0.0,
                ),
            }
            for policy, reference, value in rows
        ]
    )
    return Mismatch(frame)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text("# model\n\nText.\n", encoding="utf-8")
    return tmp_path


def test_a_second_writing_replaces_the_first(folder: Path) -> None:
    pair = ("x", "y")
    write_mismatch_section(folder, mismatch((*pair, 0.3)), mismatch((*pair, 0.2)))
    write_mismatch_section(folder, mismatch((*pair, 0.3)), mismatch((*pair, 0.1)), note="Ratings of May.")
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# model\n\nText.\n")
    assert text.count(BEGIN) == 1
    assert "| x | y | 0.500 | +0.300 (+0.200 to +0.500) | +0.100 (+0.000 to +0.300) |" in text
    assert "Ratings of May." in text


def test_every_figure_of_the_effect_stands_before_the_pairs(folder: Path) -> None:
    effect = [
        {"metric": name, "n": 1, "value": 0.1, "baseline_value": 0.3, "difference": -0.2, "floor": 0.02}
        | {"diff_ci_low": -0.25, "diff_ci_high": -0.15, "p_value": 0.01, "placebo_value": 0.2}
        for name in METRICS
    ]
    write_mismatch_section(folder, mismatch(("x", "y", 0.3)), mismatch(("x", "y", 0.1)), effect=effect)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| 0.300 | 0.100 | 0.200 | 0.020 | -0.200 [-0.250, -0.150] | 0.010 |" in text
    for metric in METRICS.values():
        assert metric.label.replace("|", r"\|") in text
    assert text.index("placebo") < text.index("| x | y |")


def test_a_pair_that_turned_round_is_turned_back(folder: Path) -> None:
    """Wins too often before, too rarely after: the audit then names the pair from the other side."""
    write_mismatch_section(folder, mismatch(("x", "y", 0.3)), mismatch(("y", "x", 0.1)))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| x | y | 0.500 | +0.300 (+0.200 to +0.500) | -0.100 (-0.300 to +0.000) |" in text


def test_policy_names_cannot_break_the_table(folder: Path) -> None:
    write_mismatch_section(folder, mismatch(("a|b\n# c", "<img>", 0.3)), mismatch(("a|b\n# c", "<img>", 0.1)))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert r"| a\|b # c | \<img\> |" in text


HOSTILE = [
    "a: [b]\n---\n# owned",
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png) [y](javascript:alert(1))",
    "`; rm -rf ~; `",
    "x' ; rm -rf $HOME #",
    'q"); import os; os.system("x',
    "<!-- mismatch: begin --> | <!-- mismatch: end -->",
    "b\x1b[2J\u202ec",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_in_every_place(tmp_path: Path, name: str) -> None:
    provenance = {
        "base": name,
        "base_sha256": None,
        "training_pairs_sha256": "0" * 64,
        "versions": {"charm": "1"},
    }
    provenance["held_out_pairs_sha256"] = None
    counts = {"train": 1, "truncated": 0, "dropped": 0}
    result = TrainResult(
        tmp_path.joinpath(name.replace("/", "_")), 1, 0.5, None, None, counts, (), provenance
    )
    write_card(tmp_path, result, settings=TrainSettings(), layout="pair")
    rows = mismatch((name, f"{name}!", 0.3)), mismatch((name, f"{name}!", 0.1))
    write_mismatch_section(tmp_path, *rows, note=f"Audited: {name} against {name}.")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e"} & set(text)

    _, front, card = text.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == visible(name)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(card)
    inner = [child for token in tokens for child in token.children or ()]
    assert not {"html_inline", "link_open", "image", "hr"} & {t.type for t in (*tokens, *inner)}
    assert [t.content.strip() for t in tokens if t.type == "html_block"] == [
        BEGIN,
        BEGIN.replace("begin", "end"),
    ]
    assert sum(t.type == "heading_open" and t.tag == "h1" for t in tokens) == 1
    cells = [
        "".join(child.content for child in token.children or ()) for token in tokens if token.type == "inline"
    ]
    shown = " ".join(visible(name.replace("\n", " ")).split())
    assert cells.count(shown) >= 2  # the base model, and the policy in its row
    command, code = (token.content for token in tokens if token.type == "fence")
    folder = visible(result.output.name)
    assert shlex.split(command)[4] == folder
    assert ast.literal_eval(code.partition("from_pretrained(")[2].strip()[:-1]) == folder


def test_a_plain_name_stays_plain(tmp_path: Path) -> None:
    provenance = {
        "base": "org/some-rm_v1.5",
        "base_sha256": None,
        "training_pairs_sha256": "0",
        "versions": {},
    }
    provenance["held_out_pairs_sha256"] = None
    counts = {"train": 1, "truncated": 0, "dropped": 0}
    result = TrainResult(tmp_path / "my-model", 1, 0.5, None, None, counts, (), provenance)
    text = write_card(tmp_path, result, settings=TrainSettings(), layout="pair").read_text()
    assert "base_model: org/some-rm_v1.5\n" in text
    assert "--rm my-model -o" in text
    assert 'from_pretrained("my-model")' in text


def test_long_tables_are_cut_and_say_so(folder: Path) -> None:
    rows = [(f"p{i:02}", "ref", 0.01 * i) for i in range(1, 26)]
    write_mismatch_section(folder, mismatch(*rows), mismatch(*rows))
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "5 more pairs are left out." in text
    assert "| p25 |" in text
    assert "| p05 |" not in text


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no model card"):
        write_mismatch_section(tmp_path, mismatch(("x", "y", 0.3)), mismatch(("x", "y", 0.2)))
