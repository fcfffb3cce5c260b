"""A process that has imported all that `charm` needs, and forks a child for each line of arguments: a server that starts in no time.

    {"arguments": ["study", "serve", ...]}   ->   "pid 123", and then whatever the command prints

What runs in the child is the command itself. It can be killed like any process.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import charm_rm.cli.study.serve
import charm_rm.study.database
import charm_rm.study.web.admin
import charm_rm.study.web.app
import charm_rm.study.web.server  # noqa: F401
from charm_rm.cli import main


def breed() -> None:
    """Fork until the standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are nobody's zombies
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            main(json.loads(line))
            os._exit(0)
        print(f"pid {pid}", flush=True)


if __name__ == "__main__":
    breed()
