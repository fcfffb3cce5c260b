"""The workspace of a draw: its memory does not grow, and it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from charm_rm.sampling.workspace import KEPT, Fate, Workspace, prompt_of

_FILL = """
import resource
from charm_rm.sampling.workspace import KEPT, Fate, Prompt, Workspace
with Workspace.open(seed=0) as work:
    for i in range(150_000):
        text = f"{i} " + "some words that are long " * 40
        prompt = Prompt(text, text, f"{i:064x}", str(i), "s", i, {}, None)
        work.repeats(prompt)
        work.add(prompt, Fate(KEPT))
        if i in (74_999, 149_999):
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts() -> None:
    """75 MB of texts, and as much again: beyond SQLite's 64 MB they lie on disk."""
    done = subprocess.run([sys.executable, "-c", _FILL], capture_output=True, text=True, check=True)
    half, whole = map(int, done.stdout.split())
    assert whole - half < 15


def test_copies_are_counted_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with Workspace.open(seed=0) as work:
        for place, text in enumerate(["one", " one", "two"]):
            prompt = prompt_of(text, prompt_id=None, source="s", place=place, kept={}, stratum=None)
            assert work.repeats(prompt) is (place == 1)
            if place != 1:
                work.add(prompt, Fate(KEPT))
        assert work.sql.execute("SELECT copies FROM prompts ORDER BY row").fetchall() == [(2,), (1,)]
        assert work.texts(work.rows_kept()) == ["one", "two"]
    assert list(tmp_path.iterdir()) == []
