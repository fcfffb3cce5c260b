"""The folder of an unfinished training: checkpoints, and what was measured before it began."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import store
from ...errors import ConfigError, OutputExists
from ...locks import locked
from .processes import Processes, by_the_first, gathered
from .settings import HeldOut

if TYPE_CHECKING:
    from .pairs import EncodedPairs
    from .trainer import PairTrainer


@contextlib.contextmanager
def opened_work(
    output: Path, fingerprint: str, *, processes: Processes, resume: bool, force: bool
) -> Iterator[Work]:
    """The work folder beside ``output``, opened, locked and cleared away by the first process. Errors: :meth:`Work.open`, of all."""
    with contextlib.ExitStack() as opened:

        def start() -> Work:
            opened.enter_context(locked(output.with_name(f".{output.name}.lock"), remove=True))
            kind = processes.sharded
            return opened.enter_context(
                Work.open(output, fingerprint, sharded=kind, resume=resume, force=force)
            )

        yield by_the_first(processes, start)


@dataclass(frozen=True)
class Work:
    """The folder of an unfinished training: checkpoints, and what was measured before it began."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Where the trainer saves."""
        return self.folder / "checkpoints"

    @classmethod
    def open(cls, output: Path, fingerprint: str, *, sharded: str | None, resume: bool, force: bool) -> Work:
        """Begin anew, or go on where there is something to resume.

        Raises:
            OutputExists: there is something, and neither ``resume`` nor ``force`` is on.
            ConfigError: what there is differs from what is asked for.
        """
        work = cls(output.parent / f".{output.name}.training")
        unfinished = work.last_checkpoint() is not None
        if unfinished and resume:
            work._check_same(fingerprint, sharded)
        elif unfinished and not force:
            raise OutputExists(
                "an unfinished training of this output exists",
                where=str(work.folder),
                fix="add --resume to continue it, or --force to start anew",
            )
        else:
            shutil.rmtree(work.folder, ignore_errors=True)
            work.checkpoints.mkdir(parents=True)
            about = {"fingerprint": fingerprint} | ({"weights": sharded} if sharded else {})
            store.write_json(about, work.folder / "training.json")
        return work

    def __enter__(self) -> Work:
        return self

    def __exit__(self, error: object, *_rest: object) -> None:
        """Clean up after success, and after a failure that left nothing to resume."""
        if error is None or self.last_checkpoint() is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint."""
        from .trainer import last_checkpoint

        return last_checkpoint(self.checkpoints)

    def remembered_before(self, trainer: PairTrainer, evaluation: EncodedPairs | None) -> HeldOut | None:
        """Held-out figures of the untrained model: measured once, read back on resume."""
        from .held_out import measure_held_out

        file = self.folder / "before.json"
        if evaluation is None:
            return None
        if file.exists():
            return HeldOut(**store.read_json(file))
        before = measure_held_out(trainer, evaluation)
        gathered(trainer.processes, None)  # no other process finds the file, and measures less
        if trainer.processes.first:
            store.write_json(asdict(before), file)
        return before

    def _check_same(self, fingerprint: str, sharded: str | None) -> None:
        about = store.read_json(self.folder / "training.json")
        if about.get("weights") != sharded:
            raise ConfigError(
                f"the unfinished training had its weights {_kept(about.get('weights'))}, and this one has them {_kept(sharded)}",
                where=str(self.folder),
                fix="resume by the configuration that it was launched with, or --force to start anew",
            )
        if about["fingerprint"] != fingerprint:
            raise ConfigError(
                "the unfinished training had another base model, other pairs or other settings",
                where=str(self.folder),
                fix="resume with what it was started with, or --force to start anew",
            )


def _kept(sharded: str | None) -> str:
    return "whole in each process" if sharded is None else f"spread by {sharded}"
