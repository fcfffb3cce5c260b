"""``charm sample``: larger sets of prompts or preferences -> the instructions that policies are asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from ..settings import SampleSettings
from .common import conclude, echo, heading, print_frame, print_json, say
from .help import CharmCommand
from .options import (
    PATH,
    force_option,
    given_paths,
    json_option,
    output_option,
    seed_option,
    settings_options,
    top_option,
)

if TYPE_CHECKING:
    from ..sampling import Drawn

_STEP = 100_000


@click.command("sample", cls=CharmCommand)
@click.argument("sources", nargs=-1, required=True, type=click.Path(), metavar="SOURCE...")
@settings_options(SampleSettings, "settings")
@click.option("--removed", type=PATH, help="Write the prompts left out, too: why, and what each one matched.")
@seed_option
@top_option(10)
@output_option(required=True, what="Where to write the prompts (.parquet, .jsonl, .json, .csv).")
@force_option
@json_option
def command(
    sources: tuple[str, ...],
    settings: SampleSettings,
    removed: Path | None,
    seed: int,
    top: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw instructions from larger sets, for policies to answer.

    SOURCE is Parquet, JSONL, CSV, JSON, a folder or pattern of them, a `datasets` folder, or a hub id; several are read one after
    the other. Tables of prompts, of messages or whole conversations, and preference sets (prompt, chosen, rejected; transcripts)
    are read; of a conversation the prompt is all up to the user's last turn. Sources may be larger than memory.

    Left out are, in this order: rows without a prompt, exact duplicates, prompts outside the length and language filters, prompts
    that a --benchmark holds, and near duplicates (the first one stays). Of the rest, -n are drawn: the same seed draws the same
    prompts, however the rows are split into files. What was left out is printed, and how the sample compares with its source.
    docs/sampling.md has the definitions.

    \b
    Examples:
      charm sample preferences.jsonl -n 20000 -o prompts.parquet
      charm sample 'shards/*.parquet' -n 20000 --language en \\
          --benchmark rm_bench.json --removed removed.parquet \\
          -o prompts.parquet
      charm sample allenai/ultrafeedback_binarized_cleaned \\
          --split train_prefs -n 5000 --stratify source -o prompts.parquet
      charm sample prompts.csv -n 500 --clusters 50 \\
          --embedder sentence-transformers/all-MiniLM-L6-v2 -o diverse.jsonl
    """
    from .. import store
    from ..pipeline.stages.sample import sample_prompts

    if removed is not None and removed.absolute() == output.absolute():
        raise click.UsageError("--removed and --output are the same file")
    for path in (output, *([removed] if removed else [])):
        store.refuse_table(path, force=force, inputs=given_paths(but=("removed",)))
    drawn = sample_prompts(
        sources, settings, output, seed=seed, removed=removed, force=force, progress=_Progress()
    )
    if as_json:
        print_json(_facts(drawn))
    else:
        print_drawn(drawn, top=top)
    if removed is not None and drawn.removed is not None:
        say(f"wrote {removed}: {counted(drawn.removed.height, 'prompt')} left out")
    say(f"wrote {output}: {counted(len(drawn.prompts), 'prompt')}")


class _Progress:
    """Says every so many rows how far a long read is."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}

    def __call__(self, what: str, n: int) -> None:
        self._done[what] = done = self._done.get(what, 0) + n
        if done % _STEP == 0:
            say(f"{what} {done:,} {'rows' if what == 'read' else 'prompts'}")


def _facts(drawn: Drawn) -> dict[str, object]:
    return {
        "prompts": len(drawn.prompts),
        "rows_read": int(drawn.ledger["rows"].sum()),
        "ledger": drawn.ledger.to_dicts(),
        "contaminated": drawn.contaminated.drop("prompt").to_dicts(),
        "lengths": drawn.lengths.to_dicts(),
        "strata": drawn.strata.to_dicts(),
        "languages": drawn.languages.to_dicts(),
        "languages_of_at_most": drawn.languages_of,
    }


def print_drawn(drawn: Drawn, *, top: int) -> None:
    """Print the ledger, what was in a benchmark, and the sample beside its source."""
    import polars as pl

    read = int(drawn.ledger["rows"].sum())
    conclude(f"{counted(len(drawn.prompts), 'prompt')} of {counted(read, 'row')}")
    heading(f"{counted(len(drawn.prompts), 'prompt')} drawn from {counted(read, 'row')}")
    shares = drawn.ledger.with_columns(share=pl.col("rows") / read)
    print_frame(shares, title="What became of the rows (they add up to all that were read)")
    if drawn.contaminated.height:
        shown = drawn.contaminated.select(
            "prompt_id", "matched", overlap="similarity", prompt=pl.col("prompt").str.replace_all(r"\s+", " ").str.slice(0, 60)
        )  # fmt: skip
        print_frame(shown, title="Left out: in a benchmark", limit=top, main=False, extra=("prompt",))
    print_frame(drawn.lengths, title="Lengths: quantiles in the source and in the sample", main=False)
    if drawn.strata.height:
        print_frame(drawn.strata, title="Strata", limit=top, main=False)
    if drawn.languages.height:
        some = f" (of {drawn.languages_of:,} prompts of each at most)" if drawn.languages_of else ""
        print_frame(drawn.languages, title=f"Languages of distinct prompts{some}", limit=top, main=False)
    elif drawn.languages_of is None:
        echo('Languages are told where py3langid is installed: pip install ".[sample]"')
