"""The documentation keeps up with the code: generated pages, links, named functions, columns."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from charm_rm import tables
from charm_rm.cli import main
from charm_rm.pipeline.template import config_template

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
NOUNS = [
    getattr(tables, name)
    for name in (
        *("Battles", "Ratings", "Responses", "Scores", "Margins", "WinRates", "Mismatch", "Favouritism"),
        *("Offsets", "Preferences"),
    )
]


def _maker(name: str) -> ModuleType:
    """The script that writes a page of the documentation."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _prose(page: Path) -> str:
    """The page without its code blocks and code spans' links."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def _links(page: Path) -> Iterator[tuple[str, str]]:
    """(text, target) of every relative link."""
    for text, target in LINK.findall(_prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield text, target


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the page's headings."""
    headings = re.findall(r"^#+ +(.+)$", _prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_the_command_line_page_is_fresh() -> None:
    fresh = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == _maker("make_cli").render()
    assert fresh, "docs/cli.md is stale; write it with: python docs/make_cli.py"


def test_the_table_of_features_is_fresh() -> None:
    fresh = (ROOT / "docs" / "style.md").read_text(encoding="utf-8") == _maker("make_features").render()
    assert fresh, "docs/style.md is stale; write it with: python docs/make_features.py"


def test_the_plans_are_fresh() -> None:
    made = _maker("make_scale")
    fresh = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8") == made.render(made.Assumed())
    assert fresh, "docs/scale.md is stale; write it with: python docs/make_scale.py"


def test_the_list_of_pages_for_language_models_is_fresh_and_whole() -> None:
    made = _maker("make_llms").render()
    assert (ROOT / "llms.txt").read_text(encoding="utf-8") == made, "write it with: python docs/make_llms.py"
    lost = [
        p.name
        for p in (ROOT / "docs").glob("*.md")
        if p.name != "README.md" and f"(docs/{p.name})" not in made
    ]
    assert lost == [], "pages that docs/README.md does not list"


def test_every_command_and_option_is_on_the_page() -> None:
    page = _maker("make_cli").render()
    assert "## charm ratings fit" in page
    assert "- `--link hard|sigmoid`" in page
    assert "- `-o, --output PATH`" in page
    assert "(default `1000`)" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = []
    for _, target in _links(page):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize(
    "page",
    [ROOT / "docs" / "method.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))],
    ids=lambda p: p.name,
)
def test_every_function_named_is_where_the_link_says(page: Path) -> None:
    gone = []
    for text, target in _links(page):
        name = text.strip("`")
        if target.endswith(".py") and text.startswith("`") and name.isidentifier():
            source = (page.parent / target).read_text(encoding="utf-8")
            if not re.search(rf"^\s*(def|class) {name}\b", source, flags=re.MULTILINE):
                gone.append(f"{name} in {target}")
    assert gone == []


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_column_is_documented(noun: type[tables.Table]) -> None:
    page = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    section = page.split(f"\n### {noun.__name__}\n", 1)[1].split("\n#", 1)[0]
    rows = "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| "))
    assert [c.name for c in noun.columns if f"`{c.name}`" not in rows] == []


def test_the_configuration_shown_is_the_one_written() -> None:
    shown = re.search(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert shown is not None
    assert shown[1].strip() == config_template().strip()


def test_what_the_tutorial_quotes_is_what_the_example_prints() -> None:
    done = CliRunner().invoke(main, ["audit", "--example"], env={"COLUMNS": "200"})
    printed = {line.strip() for line in done.stdout.splitlines()}
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    quoted = [
        line.strip()
        for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(quoted) > 8
    assert [line for line in quoted if line not in printed] == []
