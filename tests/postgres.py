"""A real PostgreSQL for tests: a cluster of its own, on a socket in a folder of its own, as a user who is not root."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# PostgreSQL refuses to run as root; Debian's package makes this user.
_USER = "postgres"
# This user alone needs the password; all others are trusted.
LOCKED, PASSWORD = "locked", "open sesame/@"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, the newest that is there: Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parent.name))
    return next((f for f in reversed(folders) if (f / "initdb").exists()), None)


def why_not() -> str | None:
    """Why no cluster can be started here; None where one can."""
    if binaries() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_USER)
        except KeyError:
            return "PostgreSQL does not run as root, and there is no user postgres"
    return None


@dataclass(frozen=True)
class Cluster:
    """A running server; ``folder`` holds its socket and its data."""

    folder: Path
    user: str
    durable: bool = False

    def url(self, database: str, **query: str) -> str:
        """The URL of a database, by the socket."""
        more = "".join(f"&{key}={value}" for key, value in query.items())
        return f"postgresql://{self.user}@/{database}?host={self.folder}{more}"

    def new_database(self) -> str:
        """The name of a fresh, empty database."""
        name = f"study_{secrets.token_hex(6)}"
        self.run(f'CREATE DATABASE "{name}"', database="postgres")
        return name

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=60 -c fsync={'on' if self.durable else 'off'}"
        _pg_ctl(self.folder, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def kill(self) -> None:
        """SIGKILL to the server and all its processes: nothing is finished, nothing is closed."""
        import psutil

        server = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        all_ = [server, *server.children(recursive=True)]
        for process in all_:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(all_, timeout=20)

    def run(self, statement: str, *, database: str) -> None:
        """Run one statement, as the server's owner."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Start a server in a new folder; stopped, and the folder removed, at the end. ``durable``: it waits for the disk, as a real one does."""
    bin_ = binaries()
    assert bin_ is not None
    # Sockets have short names, and another user must get there: so not pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="charm-pg-", dir="/tmp"))
    user = _USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        shutil.chown(folder, _USER, _USER)
    data = str(folder / "data")
    try:
        _as_user(
            str(bin_ / "initdb"),
            "-D",
            data,
            "--auth=trust",
            "-U",
            user,
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        )
        (folder / "data" / "pg_hba.conf").write_text(
            f"local all {LOCKED} scram-sha-256\nlocal all all trust\n"
        )
        running = Cluster(folder, user, durable)
        running.start()
        try:
            yield running
        finally:
            _pg_ctl(folder, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pg_ctl(folder: Path, *words: str) -> None:
    _as_user(str(binaries() / "pg_ctl"), "-D", str(folder / "data"), *words)  # type: ignore[operator]


def _as_user(*words: str) -> None:
    who = {"user": _USER, "group": _USER, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(words, check=True, capture_output=True, cwd="/", timeout=60, **who)  # type: ignore[call-overload]
