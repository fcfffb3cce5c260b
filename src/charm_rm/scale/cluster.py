"""A Ray cluster: one that is started here for a run and goes with it, or one that runs already."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ConfigError, first_line
from ..extras import require
from ..settings import EngineSettings

# Tasks are records of a few hundred bytes: what they are about lies in files.
OBJECT_STORE = 100_000_000
_FOLDER = "charm-ray-"


@contextlib.contextmanager
def joined_cluster(settings: EngineSettings) -> Iterator[ModuleType]:
    """Ray, connected for the block; nothing of a cluster that was started here is left behind.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: there is no cluster at the address.
    """
    ray = _ray()
    if ray.is_initialized():  # of the caller, who ends it
        yield ray
        return
    with contextlib.ExitStack() as after:
        how: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        if settings.ray_address is None:
            # The path of a socket may have 107 characters, so no folder of the run's own.
            _clear_litter()
            folder = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir="/tmp")
            after.callback(shutil.rmtree, folder, ignore_errors=True)
            # One CPU more than there are actors: Ray's own tasks want one.
            how |= {"address": "local", "num_cpus": settings.ray_workers + 1, "_temp_dir": folder}
            how |= {"object_store_memory": OBJECT_STORE}
        else:
            how = {"address": settings.ray_address, "log_to_driver": False, "logging_level": "ERROR"}
        try:
            ray.init(**how)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"Ray cannot be reached or started: {first_line(error)}",
                where=settings.ray_address or "--engine ray",
                fix="check --ray-address, or leave it out to start a cluster on this machine",
            ) from error
        after.callback(ray.shutdown)
        yield ray


def _clear_litter() -> None:
    """Remove what Ray had written for runs of this user that were killed."""
    for found in Path("/tmp").glob(f"{_FOLDER}*-*"):
        process = found.name.removeprefix(_FOLDER).partition("-")[0]
        if process.isdigit() and not Path("/proc", process).exists() and found.stat().st_uid == os.getuid():
            shutil.rmtree(found, ignore_errors=True)


def _ray() -> ModuleType:
    """Ray, that tells nobody of its use and says little."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault(
        "RAY_BACKEND_LOG_LEVEL", "fatal"
    )  # of the parts that write to standard error themselves
    ray = require("ray", extra="ray")
    require("ray.data", extra="ray")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    return ray
