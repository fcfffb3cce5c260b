"""Data sets of the Hugging Face hub, with huggingface_hub; checked by the hashes that the hub lists."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CharmError, RemoteError, RemoteRefused, first_line
from ..extras import require
from .checks import refuse_wrong
from .registry import Entry


def fetch_from_hub(entry: Entry, folder: Path, *, bar: bool = False) -> str:
    """Fetch what ``folder`` lacks of an entry; return the commit that it is of.

    huggingface_hub goes on with a download that broke off.

    Raises:
        RemoteRefused: there is no such data set, or one must log in for it.
        RemoteError: the hub cannot be reached, or what it sends is not what it lists.
        MissingExtra: huggingface_hub is not installed.
    """
    hub = require("huggingface_hub", extra="data", what="fetching from the hub")
    where = f"{entry.repo} on the hub"
    endpoint = os.environ.get("HF_ENDPOINT")  # at this moment; the library has read it when it was loaded
    with _as_remote_error(where, entry), _bars(bar):
        about = hub.HfApi(endpoint=endpoint).dataset_info(
            entry.repo, revision=entry.revision, files_metadata=True
        )
        checks = {one.rfilename: _check(one) for one in about.siblings if entry.holds(one.rfilename)}
        if not checks:
            raise RemoteRefused(
                "the data set has none of the files that are looked for",
                status=404,
                where=where,
                fix=f"look at {entry.page}: it may have changed",
            )
        hub.snapshot_download(
            entry.repo, repo_type="dataset", revision=about.sha, allow_patterns=list(checks),
            local_dir=folder, endpoint=endpoint,
        )  # fmt: skip
    for file, check in checks.items():
        refuse_wrong(folder / file, check, where=f"{where}, {file}")
    return str(about.sha)


def _check(file: Any) -> str | None:
    """What the hub says of a file's content: SHA-256 of large files, the git id of others."""
    if file.lfs is not None:
        return f"sha256:{file.lfs.sha256}"
    return f"git:{file.blob_id}" if file.blob_id else None


@contextlib.contextmanager
def _bars(bar: bool) -> Iterator[None]:
    tools = require("huggingface_hub.utils", extra="data", what="fetching from the hub")
    before = tools.are_progress_bars_disabled()
    (tools.enable_progress_bars if bar else tools.disable_progress_bars)()
    try:
        yield
    finally:
        (tools.disable_progress_bars if before else tools.enable_progress_bars)()


@contextlib.contextmanager
def _as_remote_error(where: str, entry: Entry) -> Iterator[None]:
    try:
        yield
    except CharmError:
        raise
    except Exception as error:  # network, login, no such data set: the hub has many ways to say no
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int) and 400 <= status < 500:
            raise RemoteRefused(
                f"the hub says {status}: {first_line(error)}",
                status=status,
                where=where,
                fix=f"look at {entry.page}; a gated data set needs its terms accepted there, and `hf auth login`",
            ) from error
        raise RemoteError(
            f"cannot be fetched: {first_line(error)}",
            where=where,
            fix="check the network and run again: it goes on where it was; or give a local mirror: --data-dir",
        ) from error
