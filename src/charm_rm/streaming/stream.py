"""Scores larger than memory, as a source of audits: read once, kept by prompt on disk, counted pair by pair."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import ConfigError, NoOverlap, SchemaError, counted, listing
from ..margins import PairCounter, PairCounts, Tally, check_shared, influences, tally_counts
from ..provenance import source_record
from ..settings import Outcome, TableSettings, TieRule
from ..solved_on import InSample
from ..statistics import FloatArray
from ..tables import Scores
from .files import ScoreFiles, batches, score_files
from .memory import IN_MEMORY, half_of_this_machine, parse_bytes, say_bytes
from .spill import DuplicateKey, Spill, check_policies, prompt_hashes

_AS_NAMED = TableSettings()
Kept = Callable[[list[str]], Collection[str]]


@dataclass(frozen=True, eq=False)
class ScoreStream:
    """Scores on disk, by prompt. What asks for ``policies``, ``noun`` and ``provenance`` of a table has them here too.

    Made by :func:`stream_scores`. ``rows`` are scores; ``chosen`` numbers the policies in use among all that were read.
    """

    files: ScoreFiles
    names: tuple[str, ...]
    chosen: tuple[int, ...]
    rows: int
    spill: Spill
    provenance: dict[str, Any]
    memory: int
    size: int
    kept: Kept | None = None
    _counted: dict[Any, tuple[PairCounts, FloatArray]] = field(default_factory=dict)

    noun = "scores"

    @property
    def policies(self) -> list[str]:
        """Policies in use, sorted."""
        return [self.names[i] for i in self.chosen]

    def only(self, policies: Collection[str]) -> ScoreStream:
        """The same scores of some policies.

        Raises:
            NoOverlap: none of them was scored.
        """
        kept = tuple(i for i in self.chosen if self.names[i] in policies)
        if not kept:
            raise NoOverlap(
                f"scores: none of these policies was scored: {listing(sorted(policies))}",
                fix="name policies that were scored",
            )
        return self if kept == self.chosen else replace(self, chosen=kept, _counted={})

    def blocks(self) -> Iterator[FloatArray]:
        """(K, prompts) scores of some prompts at a time, NaN where a policy has none; prompts that none has a score on are left out.

        Raises:
            SchemaError: a policy has two scores on a prompt.
        """
        try:
            for block in self.spill.blocks(len(self.names)):
                values = block[list(self.chosen)]
                seen = ~np.isnan(values).all(axis=0)
                yield values if seen.all() else values[:, seen]
        except DuplicateKey as found:
            raise self._duplicate(found) from None

    def scores_of(self, policies: Collection[str]) -> Scores:
        """The scores of a few policies as a table in memory, the files read again.

        Raises:
            ConfigError: they would take more than the memory that is allowed.
            SchemaError: as in memory.
        """
        frames, rows = [], 0
        for _, _, frame in batches(self.files, self.size):
            frame = self._kept(frame).filter(pl.col("policy").is_in(list(policies)))
            rows += frame.height
            if rows * IN_MEMORY > self.memory:
                raise ConfigError(
                    f"the scores of {listing(policies)} take more than {say_bytes(self.memory)}",
                    where="--memory",
                    fix="allow more, or name fewer references",
                )
            frames.append(frame)
        return Scores(pl.concat(frames), provenance=self.provenance)

    def opponents(self, policy: str) -> set[str]:
        """The policies that share a prompt with this one, and itself."""
        at = self.policies.index(policy)
        met = np.zeros(len(self.chosen), dtype=bool)
        for block in self.blocks():
            met |= ~np.isnan(block[:, ~np.isnan(block[at])]).all(axis=1)
        return {name for name, seen in zip(self.policies, met.tolist(), strict=True) if seen}

    def tally(
        self, *, outcome: Outcome, ties: TieRule, temperature: float, draws: int, rng: np.random.Generator
    ) -> Tally:
        """Win rates of all pairs, as :func:`charm_rm.margins.tally_margins` gives them; draws as :meth:`.PairCounts.draw_rates`.

        Raises:
            NoOverlap: fewer than two policies, or no two share a prompt.
        """
        counts, covariance = self._count(outcome, ties, temperature, groups=draws > 0)
        drawn = counts.draw_rates(outcome, ties, draws=draws, rng=rng) if draws else None
        return tally_counts(
            tuple(self.policies),
            counts,
            outcome=outcome,
            ties=ties,
            score_covariance=covariance,
            win_rate_draws=drawn,
        )

    @property
    def n_prompts(self) -> int:
        """Prompts that were counted; known once there is a tally."""
        return next(iter(self._counted.values()))[0].prompts

    def in_sample(self) -> InSample | None:
        """Scores that carry a calibration may be in-sample: which prompts it was solved on is not compared with those here."""
        kinds = {"calibrations": "offsets", "anchored_on": "anchor"}
        by = [kinds[name] for name in kinds if self.provenance.get(name)]
        if by[:1] == ["offsets"] and "style" in self.provenance["calibrations"][0]:
            by = ["style"]
        return InSample(self.n_prompts, None, tuple(self.policies), by[0]) if by else None

    def _count(
        self, outcome: Outcome, ties: TieRule, temperature: float, *, groups: bool
    ) -> tuple[PairCounts, FloatArray]:
        """The counts and the covariance of scores; kept, as both rules for ties come of the same wins and losses."""
        if len(self.chosen) < 2:
            raise NoOverlap(
                f"scores: {counted(len(self.chosen), 'policy', 'policies')}, at least two are needed to compare",
                fix="score the responses of more policies",
            )
        key = (outcome, temperature, groups)
        if key not in self._counted:
            counter = PairCounter(
                len(self.chosen), outcome=outcome, ties=ties, temperature=temperature, groups=groups
            )
            for block in self.blocks():
                counter.add(block)
            counts = counter.counts()
            check_shared(counts.n)
            self._counted[key] = counts, self._covariance(counts, outcome, temperature)
        return self._counted[key]

    def _covariance(self, counts: PairCounts, outcome: Outcome, temperature: float) -> FloatArray:
        """Of complete scores from the moments; of others prompt by prompt, in a second pass."""
        if counts.complete:
            return counts.score_covariance()
        rate = counts.rates(outcome, "half")[0] / np.maximum(counts.n, 1)
        covariance = np.zeros((len(self.chosen), len(self.chosen)))
        for block in self.blocks():
            again = PairCounter(
                len(self.chosen), outcome=outcome, temperature=temperature, keep=True, soften=False
            )
            again.add(block)
            again.counts()
            influence = influences(again.balances, ~np.isnan(block), rate)
            covariance += influence @ influence.T
        return covariance

    def _kept(self, frame: pl.DataFrame) -> pl.DataFrame:
        return _of_prompts(frame, self.kept)

    def _duplicate(self, found: DuplicateKey) -> SchemaError:
        """Look the pair up in the files: an error that names it, and the rows."""
        policy, places, prompt = self.names[found.policy], [], ""
        for part, start, frame in batches(self.files, 1 << 18):
            hashed = pl.Series(prompt_hashes(frame["prompt_id"])[0])
            at = ((hashed == found.prompt) & (frame["policy"] == policy)).arg_true().to_list()
            places += [f"{part.path}, row {start + row}" for row in at]
            prompt = frame["prompt_id"][at[0]] if at else prompt
            if len(places) > 1:
                break
        return SchemaError(
            f"(prompt_id, policy) is not unique: a policy has two scores on a prompt ({' and '.join(places[:2])})",
            where=f"scores (prompt_id {prompt!r}, policy {policy!r})",
            fix="keep one row per key; for several samples choose --sample with --engine memory",
        )


@contextmanager
def stream_scores(
    path: str | Path,
    *,
    table: TableSettings = _AS_NAMED,
    memory: str | int | None = None,
    folder: str | Path | None = None,
    kept: Kept | None = None,
) -> Iterator[ScoreStream]:
    """Open scores that need not fit memory: Parquet, one file, a folder of partitions or a pattern, rows in any order.

    They are read once and brought together by prompt in files without names in ``folder``, 26 bytes a score, which are gone when the
    block ends, fails or is killed. :func:`charm_rm.audit` takes what is yielded.

    Args:
        table: which column holds which field, where names do not tell.
        memory: that the process may take, such as ``"4GB"`` (default: half of the machine's).
        folder: where the scores are kept meanwhile (default: that of temporary files).
        kept: of a list of prompt ids those to use (default: all).

    Raises:
        UnreadableFile, ConfigError: no Parquet, or damaged.
        SchemaError: columns or values are not those of scores, with file and row; a policy has two scores on a prompt.
        WriteFailed: the disk is full.
    """
    limit = parse_bytes(memory) if isinstance(memory, str) else memory or half_of_this_machine()
    files = score_files(path, table)
    where = Path(tempfile.gettempdir()) if folder is None else Path(folder)
    spill = Spill(where, files.rows, memory=limit)
    try:
        yield _read(files, spill, limit, kept)
    finally:
        spill.close()


def _of_prompts(frame: pl.DataFrame, kept: Kept | None) -> pl.DataFrame:
    """The rows of the prompts in use."""
    if kept is None:
        return frame
    return frame.filter(pl.col("prompt_id").is_in(list(kept(frame["prompt_id"].unique().to_list()))))


def _read(files: ScoreFiles, spill: Spill, memory: int, kept: Kept | None) -> ScoreStream:
    """All rows into the spill; policies numbered as they come, then named in order."""
    size = min(1 << 20, max(1 << 14, memory >> 11))
    numbers: dict[str, int] = {}
    rows = 0
    for _, _, frame in batches(files, size):
        frame = _of_prompts(frame, kept)
        for name in frame["policy"].unique().sort().to_list():
            numbers.setdefault(name, len(numbers))
        check_policies(len(numbers))
        rows += frame.height
        if frame.height:
            spill.write(frame, frame["policy"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy())
    if not rows:
        what = "none of the chosen prompts is among those of the scores" if kept else "the table has no rows"
        raise NoOverlap(what, where=str(files.path), fix="check the files and the prompt ids")
    names = tuple(numbers)
    provenance = {"verb": "load_scores", **source_record(files.path)} | dict(files.provenance)
    provenance |= {"engine": "streaming", "files": len(files.parts), "rows": rows}
    order = tuple(sorted(range(len(names)), key=names.__getitem__))
    return ScoreStream(files, names, order, rows, spill, provenance, memory, size, kept)
