"""What tests of the study share: a real PostgreSQL, and studies in either kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import postgres


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL server of this session's own; skipped, with the reason, where none can be started."""
    pytest.importorskip("psycopg", reason="needs the [postgresql] extra")
    if reason := postgres.why_not():
        pytest.skip(reason)
    with postgres.cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where a new study can be, as arguments: ``create_study(study=..., **place)``. For what is the same SQL in both kinds of database."""
    return _place(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """As ``place``, for what each kind of database does in its own way: locks, transactions, numbers, what a text may hold."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "sqlite":
        return {"where": tmp_path / "study.db"}
    running = request.getfixturevalue("cluster")
    return {"where": None, "url": running.url(running.new_database())}


@pytest.fixture
def clock() -> Callable[[], float]:
    """Seconds that go on by one at every look."""
    seconds = iter(range(1_000_000_000, 2_000_000_000))
    return lambda: float(next(seconds))


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait for the disk: for tests of rules, not of what outlives a crash of the machine."""
    engine = pytest.importorskip("charm_rm.study.database.engine", reason="needs the [study] extra")
    monkeypatch.setattr(engine, "DURABLE", ("journal_mode=WAL", "synchronous=OFF"))
