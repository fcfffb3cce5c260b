"""One of the processes of ``charm train --launch``: the first speaks, and of an error one process tells."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path

import click

from ..errors import CharmError, CharmWarning, ReadingNote
from .launching import STATUS


def main() -> None:
    """Train with the arguments of the command line; does not return."""
    from ..models.training.processes import these_processes

    code = 0
    with contextlib.ExitStack() as quiet:
        if not these_processes().first:
            nowhere = quiet.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            quiet.enter_context(contextlib.redirect_stdout(nowhere))
            quiet.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            _train()
        except click.exceptions.Exit as end:
            code = end.exit_code
        except Exception as error:
            quiet.close()
            code = _tell(error)
    _leave()
    sys.exit(code)


def _train() -> None:
    from . import show_warning
    from .train import command

    with warnings.catch_warnings():
        warnings.simplefilter("always", CharmWarning)
        warnings.simplefilter("always", ReadingNote)
        warnings.filterwarnings("ignore", category=FutureWarning, module="accelerate")
        warnings.showwarning = show_warning  # type: ignore[assignment]
        command.main(sys.argv[1:], prog_name="charm train", standalone_mode=False)


def _tell(error: Exception) -> int:
    """Print an error, unless another process does and this one is ended; the exit code."""
    from ..models.training.processes import these_processes, wait_to_be_ended
    from . import show_error, show_unexpected

    expected = isinstance(error, (CharmError, click.ClickException))
    wait_to_be_ended(these_processes(), expected=expected)
    status = os.environ.get(STATUS)
    if status and Path(status).exists():  # another has told, and the launcher is slow to end this one
        return int(Path(status).read_text(encoding="ascii"))
    if isinstance(error, CharmError):
        show_error(str(error), debug=False)
        code = error.exit_code
    elif isinstance(error, click.ClickException):
        error.show()
        code = error.exit_code
    else:
        code = show_unexpected(error, debug=False)
    if status:
        Path(status).write_text(str(code), encoding="ascii")
    return code


def _leave() -> None:
    """Part from the other processes in good order, where they were joined."""
    from ..extras import require

    torch = require("torch", extra="hf")
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        with contextlib.suppress(RuntimeError):
            torch.distributed.destroy_process_group()
