"""Hundreds of malicious answers through the real commands: each a typed error, and no key in anything shown, logged or written."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm import store
from charm_rm.remote import client as client_module
from charm_rm.remote.patience import Patience
from judge_fakes import many_responses
from remote.conftest import FastClock
from remote.fault_server import FaultServer
from remote.key_forms import found_in
from remote.malice import ROLES, Case, cases, odd_but_usable

Charm = Callable[..., Result]
SEED = 0
KEY = "sk-canary_8f3b/1c2d+9e7a6f50"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for a try, one more try after a pause that is none, answers up to 10 MB."""
    begin = client_module.Client.__init__

    def quick(self: Any, base_url: str, **options: Any) -> None:
        patience = Patience(retries=1, clock=FastClock(1000))
        begin(self, base_url, **options | {"timeout": 0.5, "patience": patience, "max_bytes": 10_000_000})

    monkeypatch.setattr(client_module.Client, "__init__", quick)
    monkeypatch.setenv("CHARM_TEST_KEY", KEY)


@pytest.fixture
def attack(
    charm: Charm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Case], tuple[Result, pl.DataFrame | None]]]:
    """Run the command that a case attacks; what it said, and the table that it wrote. The key is nowhere."""
    responses = store.save(many_responses(2, ("a", "b")), tmp_path_factory.mktemp("in") / "responses.parquet")
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    def run(case: Case) -> tuple[Result, pl.DataFrame | None]:
        folder = tmp_path_factory.mktemp("out")
        log.truncate(log.seek(0))
        with FaultServer(case.script()).running() as server:
            result = charm("--debug", *_command(case.role, server.url, responses, folder))
        shown = result.output + log.getvalue()
        for path in folder.rglob("*"):
            if path.is_file():
                shown += f"\n{path.name}\n" + path.read_bytes().decode("latin-1")
        assert not found_in(shown, KEY), f"{case} gives the key away"
        assert "fault in charm" not in result.output, f"{case}: {result.output}"
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            f"{case}: {result.exception!r}"
        )
        written = folder / "out.parquet"
        return result, pl.read_parquet(written) if written.exists() else None

    yield run
    root.removeHandler(handler)
    root.setLevel(level)


def _command(role: str, url: str, responses: Path, folder: Path) -> list[object]:
    common = [
        "-o",
        folder / "out.parquet",
        "--cache",
        folder / "store.sqlite",
        "--api-key-env",
        "CHARM_TEST_KEY",
    ]
    common += ["--concurrency", 2]
    if role == "judge":
        return ["judge", responses, "--judge", "openai:m", "--base-url", f"{url}/v1", *common]
    kind, what = role.split()
    path = f"/{what}" if kind == "vllm" and what != "models" else ""
    return ["score", responses, "--rm", f"{kind}:{url}{path}", *common]


def attacked(attack: Any, chosen: list[Case]) -> None:
    for case in chosen:
        result, table = attack(case)
        assert result.exit_code in (1, 2), f"{case}: {result.output}"
        assert "error:" in result.output, f"{case}: {result.output}"
        assert table is None, f"{case}: a table was written"


def test_honest_servers_are_believed(attack: Any) -> None:
    for role in ROLES:
        result, table = attack(Case("honest", role, lambda _asked, right: right))
        assert result.exit_code == 0, (role, result.output)
        assert table is not None
        assert table.height == (2 if role == "judge" else 4)


def test_a_few_malicious_answers(attack: Any) -> None:
    attacked(attack, cases(SEED)[:: len(cases(SEED)) // 12])


@pytest.mark.slow
def test_hundreds_of_malicious_answers(attack: Any, tell: Callable[[str], None]) -> None:
    chosen = cases(SEED)
    assert len(chosen) >= 130
    attacked(attack, chosen)
    tell(f"malicious answers of servers: {len(chosen)}, each a typed error, the key in none")


@pytest.mark.slow
def test_what_is_odd_but_usable_changes_no_figure(attack: Any, tell: Callable[[str], None]) -> None:
    chosen = odd_but_usable(SEED)
    honest = {role: attack(Case("honest", role, lambda _asked, right: right))[1] for role in ROLES}
    right = 0
    for case in chosen:
        result, table = attack(case)
        assert (result.exit_code == 0) == (table is not None)
        if table is not None:
            right += 1
            assert figures(table).equals(figures(honest[case.role])), f"{case}"
    assert right > len(chosen) / 2
    tell(f"odd answers of servers: {len(chosen)}, {right} read to the right figures, the others typed errors")


def figures(table: pl.DataFrame) -> pl.DataFrame:
    """Scores as they are; of margins who wins: where log-probabilities are lost, the judge's words decide, by 0 or 1."""
    return table if "score" in table.columns else table.select("prompt_id", "policy", pl.col("margin").sign())
