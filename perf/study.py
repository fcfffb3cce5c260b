"""Fifty raters voting at once, against the real server in a process of its own: votes a second, and how long a page or a vote takes.

    python perf/study.py                     SQLite
    python perf/study.py --database-url URL  an empty PostgreSQL database

Raters here wait for nothing but the server, and they share this machine with it: people, who read, ask a hundred times less often.
Each votes on 20 of 600 comparisons. Every vote is on disk before its answer is sent.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from charm_rm.study.database import create_study, open_study  # noqa: E402
from study.web.crowd import Crowd, saved, server, tokens  # noqa: E402
from study.web.served import study  # noqa: E402

RATERS, VOTES, COMPARISONS = 50, 20, 600


def main() -> None:
    """Create a study, serve it, let all vote, and print one Markdown row."""
    url = sys.argv[2] if sys.argv[1:2] == ["--database-url"] else None
    with tempfile.TemporaryDirectory() as folder:
        where = None if url else Path(folder) / "study.db"
        with create_study(where, study(COMPARISONS, wanted=10, repeats=0.1), url=url) as database:
            people = tokens(database, RATERS)
        arguments = [] if url else [str(where)]
        environment = {"CHARM_STUDY_DATABASE_URL": url} if url else {}
        with server([*arguments, "--votes-per-minute", "100000"], **environment) as running:
            crowd = Crowd(running.url, VOTES)
            started = time.perf_counter()
            books = crowd.vote(people)
            seconds = time.perf_counter() - started
        with open_study(where, url=url) as database:
            lost = saved(database) != books
    n = sum(len(book) for book in books.values())
    middle, slow = np.quantile(crowd.latencies, [0.5, 0.99]) * 1000
    print("| database | votes | seconds | votes/s | p50 | p99 | lost or doubled |")
    print("|---|---|---|---|---|---|---|")
    name = "PostgreSQL" if url else "SQLite"
    print(
        f"| {name} | {n:,} | {seconds:.1f} | {n / seconds:.0f} | {middle:.0f} ms | {slow:.0f} ms | {'some' if lost else 'none'} |"
    )
    if lost:
        sys.exit("votes are not those that were acknowledged")


if __name__ == "__main__":
    main()
