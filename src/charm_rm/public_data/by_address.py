"""Files fetched by their addresses, with pooch: one after the other, each kept once it is whole and right."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import RemoteError, RemoteRefused, first_line
from ..extras import require
from .checks import is_right, refuse_wrong
from .registry import Entry

_TRIES, _SECONDS = 3, 60


def fetch_files(entry: Entry, folder: Path, *, bar: bool = False) -> str:
    """Fetch what ``folder`` lacks of an entry; return the revision.

    A download that breaks off is tried three times. What is there already and right is not fetched again.

    Raises:
        RemoteRefused: the server does not have a file, or refuses it.
        RemoteError: the server cannot be reached, or what it sends is not the right file; that is removed.
        MissingExtra: pooch is not installed.
    """
    pooch = require("pooch", extra="data", what="fetching files")
    requests = require("requests", extra="data", what="fetching files")
    pooch.get_logger().setLevel(logging.ERROR)
    for file in entry.files:
        path, check = folder / file, entry.checks.get(file)
        # Without a check a file that lies there may be whole: pooch and this folder keep none that is not.
        if path.is_file() and (check is None or is_right(path, check)):
            continue
        path.unlink(missing_ok=True)
        url = f"{entry.url}/{quote(file)}"
        keeper = pooch.create(
            path=folder, base_url="", registry={file: None}, urls={file: url}, retry_if_failed=_TRIES - 1
        )
        try:
            keeper.fetch(file, downloader=pooch.HTTPDownloader(timeout=_SECONDS, progressbar=bar))
        except requests.HTTPError as error:
            raise _refused(error, url) from error
        except (requests.RequestException, ValueError, OSError) as error:
            raise RemoteError(
                f"cannot be fetched: {first_line(error)}",
                where=url,
                fix="check the network and run again: files that are whole are kept; or give a local mirror: --data-dir",
            ) from error
        refuse_wrong(path, check, where=url)
    return entry.revision


def _refused(error: Any, url: str) -> RemoteError:
    status = int(error.response.status_code)
    if status >= 500:
        return RemoteError(
            f"the server says {status}", where=url, fix="run again later: files that are whole are kept"
        )
    return RemoteRefused(
        f"the server says {status}",
        status=status,
        where=url,
        fix="the source may have moved: look at its page, and use a local mirror: --data-dir",
    )
