"""Short commands killed at exact file-system events; in a file of its own, since a file's tests run in one worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kills.plans import Outcome, Plan, judge, kill
from kills.test_kills import CORE, RUN, Tell, words

EVENTS = 10
# Figures take seconds to draw.
_DRAWN = 5


@pytest.fixture(scope="module")
def short(
    inputs: Path,
    config_without_model: Path,
    config_from_instructions: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Plan]:
    """Commands that are done in a second; those with an output of before replace it (``--force``)."""
    scores, ratings = inputs / "scores.parquet", inputs / "ratings.parquet"
    known = (scores, "--ratings", ratings, "--draws", 100)
    parts = tmp_path_factory.mktemp("parts")
    for i in range(3):
        pl.read_parquet(scores)[i::3].write_parquet(parts / f"{i}.parquet")
    offsets = tmp_path_factory.mktemp("offsets") / "offsets.parquet"
    solve = ("--over", "velvet", "--ref", "thistle")
    _charm("calibrate", *known, *solve, "-o", offsets)
    applied = offsets.with_name("applied.parquet")
    _charm("apply", scores, offsets, "-o", applied)
    beside = (f"a={scores}", f"b={applied}", *known[1:], "-o", "beside")
    old = {
        name: tmp_path_factory.mktemp("old")
        for name in ("audit", "calibrate", "relabel", "report", "generate")
    }
    _charm("audit", *known, "--seed", 5, "-o", old["audit"] / "audit")
    _charm("audit", *known, "-o", old["report"] / "audit")
    _charm("calibrate", *known, "--over", "satin", "--ref", "reed", "-o", old["calibrate"] / "offsets.csv")
    relabel = ("relabel", scores, inputs / "responses.parquet", offsets, "-o", "prefs")
    _charm(*relabel[:-1], old["relabel"] / "prefs", "--strategy", "sampled", "-k", 2)

    _charm(
        *("generate", inputs / "responses.parquet", "--policy", f"outputs:{inputs / 'responses.parquet'}"),
        *("-o", old["generate"] / "answers"),
    )

    def plan(command: tuple[object, ...], *outputs: str, output: str | None = None, **more: Any) -> Plan:
        return Plan(command, output, whole=outputs, kills=EVENTS, events=True, preload=CORE, **more)

    return {
        "ratings fit": plan(
            ("ratings", "fit", inputs / "battles.parquet", "-o", "r.parquet"), "r.parquet", output="r.parquet"
        ),
        "audit": replace(
            plan(("audit", *known, "-o", "audit", "--force"), "audit", before=old["audit"]), kills=_DRAWN
        ),
        "audit --engine streaming": replace(
            plan(("audit", parts, *known[1:], "--engine", "streaming", "-o", "audit", "--force"), "audit", before=old["audit"]),
            kills=_DRAWN,
        ),
        "calibrate": plan(
            ("calibrate", *known, *solve, "-o", "offsets.csv", "--force"), "offsets.csv", before=old["calibrate"]
        ),
        "sample": plan(
            ("sample", inputs / "responses.parquet", "-n", 20, "-o", "p.parquet"), "p.parquet", output="p.parquet"
        ),
        "apply": plan(("apply", scores, offsets, "-o", "s.jsonl"), "s.jsonl", output="s.jsonl"),
        "relabel": plan((*relabel, "--force"), "prefs", before=old["relabel"]),
        "compare": plan(("compare", scores, *known, "-o", "compared"), "compared", output="compared"),
        "compare several": replace(
            plan(("compare", *beside), "beside", output="beside"), kills=_DRAWN
        ),
        "influence": plan(
            ("influence", *known[:-2], "--policy", "velvet", "-o", "influence"), "influence", output="influence"
        ),
        "generate": plan(
            (
                *("generate", inputs / "responses.parquet", "--policy", "python:kills.hooks:slow_answer"),
                *("--samples", 4, "--no-cache", "-o", "answers", "--force"),
            ),
            "answers", before=old["generate"],
        ),
        "report": replace(plan(("report", "audit"), before=old["report"]), kills=_DRAWN),
        "run of given scores": replace(
            plan(("run", config_without_model, "-o", "small"), "small/offsets.parquet", "small/prefs"),
            differs=RUN, kills=2 * EVENTS,
        ),
        "run from instructions": replace(
            plan(
                ("run", config_from_instructions, "-o", "small"),
                "small/instructions.parquet", "small/generated", "small/before/margins.parquet", "small/offsets.parquet",
            ),
            differs=RUN, kills=EVENTS,
        ),
    }  # fmt: skip


def _charm(*arguments: object) -> None:
    from charm_rm.cli import main

    main([str(a) for a in arguments], standalone_mode=False)


SHORT = (
    *(
        "ratings fit",
        "audit",
        "audit --engine streaming",
        "calibrate",
        "sample",
        "apply",
        "relabel",
        "compare",
        "compare several",
        "influence",
        "generate",
        "report",
    ),
    "run of given scores",
    "run from instructions",
)


@pytest.fixture(scope="module")
def killed_at_events(
    short: dict[str, Plan], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Outcome]]:
    assert tuple(short) == SHORT
    return kill(short, tmp_path_factory.mktemp("short"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_at_file_system_events(
    short: dict[str, Plan], killed_at_events: dict[str, Outcome], tell: Tell, name: str
) -> None:
    plan, outcome = short[name], killed_at_events[name]
    judge(plan, outcome)
    assert len(outcome.kills) >= min(plan.kills, outcome.events or 0)
    tell(words(name, outcome))
