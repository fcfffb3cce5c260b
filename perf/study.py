"""Fifty raters voting at once, against the real server in a process of its own: votes a second, and how long a page or a vote takes.

    python perf/study.py                                          SQLite
    python perf/study.py --database-url URL                       an empty PostgreSQL database
    python perf/study.py --cluster                                PostgreSQL, of a cluster that is started for it
    python perf/study.py --comparisons 20000 --beside OLD/src     a larger study; another checkout's server in turn with this one

Raters here wait for nothing but the server, and they share this machine with it: people, who read, ask a hundred times less often.
Each votes on 20 comparisons (--votes). Every vote is on disk before its answer is sent. CPU is the server's own, a vote with its page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import postgres  # noqa: E402
from charm_rm.study.database import create_study, open_study  # noqa: E402
from study.web.crowd import Crowd, saved, server, tokens  # noqa: E402
from study.web.served import study  # noqa: E402

RATERS = 50
_HEAD = (
    "server",
    "database",
    "comparisons",
    "votes",
    "votes/s",
    "p50",
    "p99",
    "CPU a vote",
    "lost or doubled",
)


def main() -> None:
    """Create a study, serve it, let all vote, and print a Markdown row for each round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database-url", help="an empty PostgreSQL database; one round")
    parser.add_argument("--cluster", action="store_true", help="start a PostgreSQL of its own")
    parser.add_argument("--comparisons", type=int, default=600)
    parser.add_argument("--votes", type=int, default=20, help="of each rater")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--beside", type=Path, help="src folder of another checkout, served in turn with this one"
    )
    args = parser.parse_args()
    sources = {"this": None, **({"other": args.beside} if args.beside else {})}
    print(f"| {' | '.join(_HEAD)} |\n{'|---' * len(_HEAD)}|", flush=True)
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.cluster(durable=True)) if args.cluster else None
        for _ in range(args.rounds):
            for name, source in sources.items():
                url = cluster.url(cluster.new_database()) if cluster else args.database_url
                row = measure(url, args.comparisons, args.votes, source)
                print(f"| {name} | {' | '.join(row)} |", flush=True)
                if row[-1] != "none":
                    sys.exit("votes are not those that were acknowledged")


def measure(url: str | None, comparisons: int, votes: int, source: Path | None) -> list[str]:
    """One round in a new study: all but the first cell of a row."""
    with tempfile.TemporaryDirectory() as folder:
        where = None if url else Path(folder) / "study.db"
        with create_study(where, study(comparisons, wanted=10, repeats=0.1), url=url) as database:
            people = tokens(database, RATERS)
        environment = {"CHARM_STUDY_DATABASE_URL": url} if url else {}
        if source:
            environment["PYTHONPATH"] = str(source.resolve())
        arguments = [*([] if url else [str(where)]), "--votes-per-minute", "100000"]
        with server(arguments, **environment) as running:
            crowd = Crowd(running.url, votes)
            started = time.perf_counter()
            books = crowd.vote(people)
            seconds = time.perf_counter() - started
            spent = sum(psutil.Process(running.pid).cpu_times()[:2])
        with open_study(where, url=url) as database:
            lost = saved(database) != books
    n = sum(len(book) for book in books.values())
    middle, slow = np.quantile(crowd.latencies, [0.5, 0.99]) * 1000
    kind = "PostgreSQL" if url else "SQLite"
    figures = [
        f"{n:,}",
        f"{n / seconds:.0f}",
        f"{middle:.0f} ms",
        f"{slow:.0f} ms",
        f"{1000 * spent / n:.1f} ms",
    ]
    return [kind, f"{comparisons:,}", *figures, "some" if lost else "none"]


if __name__ == "__main__":
    main()
