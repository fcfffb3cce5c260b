"""``charm train --launch``: the same command in several processes, by ``accelerate launch``."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO

from ..errors import ConfigError, MissingExtra, StageFailed, UnreadableFile

# The file in which the process that tells of an error leaves its exit code: launchers pass none on.
STATUS = "CHARM_LAUNCH_STATUS"
SHIPPED = ("cpu2", "fsdp", "zero3")
MODULE = "charm_rm.models.train"
# How a launcher begins to tell that a process has ended, which that process has told of already.
_NOISE = re.compile(
    r"Traceback \(most recent call last\)|[EW]\d{4} .*torch/distributed/|.*SIGTERM|.*closing signal"
)


def launch(config: str, arguments: Sequence[str]) -> int:
    """Run ``charm train ARGUMENTS`` in the processes of a configuration: a shipped one (:data:`SHIPPED`) or a file of accelerate's.

    The exit code is that of the process which told of an error, else 0.

    Raises:
        ConfigError: the configuration needs GPUs, and there are none.
        UnreadableFile: there is no such file.
        MissingExtra: accelerate, or deepspeed, is not installed.
        StageFailed: the processes ended without a word.
    """
    _require("accelerate", extra="hf")
    with _configuration(config) as (file, processes), tempfile.TemporaryDirectory() as folder:
        status = Path(folder) / "status"
        command = [
            *(sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)),
            *("--main_process_port", str(_free_port()), *processes),
            *("-m", MODULE, *arguments),
        ]
        code, held_back = _run(command, {"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ, STATUS: str(status)})
        if code == 0:
            return 0
        if status.exists():
            return int(status.read_text(encoding="ascii"))
    sys.stderr.write(held_back)
    raise StageFailed(
        f"the processes ended with code {code}, and none of them said why",
        where="charm train --launch",
        fix="see what accelerate printed above; a process that was killed ran out of memory, as a rule",
    )


@contextlib.contextmanager
def _configuration(config: str) -> Iterator[tuple[Path, list[str]]]:
    """The file, and what the launcher is told besides: the number of GPUs for shipped configurations that use them all."""
    if config not in SHIPPED:
        path = Path(config)
        if not path.is_file():
            raise UnreadableFile(
                "there is no such configuration of accelerate",
                where=config,
                fix=f"name a file that `accelerate config` wrote, or one of {', '.join(SHIPPED)}",
            )
        yield path, []
        return
    told: list[str] = []
    if config != "cpu2":
        from ..models.devices import count_gpus

        if not (gpus := count_gpus()):
            raise ConfigError(
                f"{config} spreads the weights over GPUs, and there is none here",
                where="--launch",
                fix="run it on a machine with GPUs; cpu2 takes two processes of the CPU",
            )
        told = ["--num_processes", str(gpus)]
    if config == "zero3":
        _require("deepspeed", extra="hf,deepspeed")
    with as_file(files("charm_rm") / "data" / "launch" / f"{config}.yaml") as file:
        yield file, told


def _require(module: str, *, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(f"--launch needs {module}, which is not installed", extra=extra)


def _free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run the launcher, passing on what it says until it tells of an end; the exit code, and what was held back."""
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as running:
        try:
            held_back = _pass_on(running.stderr)
        except BaseException:
            running.terminate()  # it ends its processes
            raise
    return running.returncode, held_back


def _pass_on(stream: IO[str] | None) -> str:
    held: list[str] = []
    for line in stream or ():
        if held or _NOISE.match(line):
            if line.startswith(("error:", "  Fix:", "warning:")):
                sys.stderr.write(line)
                continue
            held.append(line)
        else:
            sys.stderr.write(line)
            sys.stderr.flush()
    return "".join(held)
