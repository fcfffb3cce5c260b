"""Several reward models or judges side by side: on people's ratings and on benchmarks, each difference paired by prompt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import CharmWarning, ConfigError, counted, did_you_mean, listing, noting_warnings
from ..given import SourceLike, as_source
from ..ratings import Aliases, RatingsLike, as_ratings
from ..settings import AuditSettings, Outcome, Scope, Unrated
from ..shown import Figures
from ..solved_on import warn_if_in_sample
from .benchmarks import Benchmarked, benchmarked, tell_of_the_same
from .evaluations import Evaluated, read_evaluation
from .held import Field, How, hold_all
from .result import ModelComparison
from .shared import ByPrompt, by_prompt, in_common, refuse_doubles
from .standing import pareto_table
from .tables import (
    favour_gap_table,
    favour_table,
    gap_rows,
    judged_differences,
    value_table,
    warn_of_few_draws,
)


def compare_models(
    sources: Mapping[str, SourceLike] | None = None,
    ratings: RatingsLike | None = None,
    *,
    evaluations: Mapping[str, str | Path | Evaluated] | None = None,
    order: Sequence[str] | None = None,
    reference: str | None = None,
    all_pairs: bool = False,
    subsets: bool = False,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
    scope: Scope = "sample",
    draws: int = 1000,
    seed: int = 0,
) -> ModelComparison:
    """Compare two or more models on human ratings, on benchmarks, or on both.

    Args:
        sources: scores or judgements of the same responses by model; only what all have is used.
        ratings: human ratings; needed with ``sources``.
        evaluations: folders that ``charm evaluate -o`` wrote, by model; only items that all were scored on are used.
        order: of the models in tables (default: as in ``sources``, then in ``evaluations``).
        reference: the model that all others are compared with (default: the first).
        all_pairs: compare every two models; q-values adjust for all that is compared.
        subsets: compare every figure of each benchmark, and not its last alone.
        aliases: own names for rated policies.
        unrated: what to do about policies without a rating: raise, or leave them out with a warning.
        outcome: ``hard`` or ``soft`` win rates, of all.
        temperature: of soft win rates.
        scope: of favour and sharpness, as in an audit.
        draws: behind intervals and tests; 0 leaves them out where there is no closed form.
        seed: of the draws.

    Raises:
        ConfigError: fewer than two models, one given twice, no ratings, an unknown reference, published win rates.
        NoOverlap: nothing that all have.
        UnreadableFile, SchemaError: a folder of an evaluation is not whole, or of another version.
    """
    AuditSettings(outcome=outcome, temperature=temperature, scope=scope, draws=draws)
    how = How(unrated, outcome, temperature, scope, draws, seed)
    with noting_warnings() as notes:
        held = {name: by_prompt(name, as_source(source)) for name, source in (sources or {}).items()}
        folders = {
            name: one if isinstance(one, Evaluated) else read_evaluation(one)
            for name, one in (evaluations or {}).items()
        }
        models = _ordered(order or (), [*held, *folders])
        chosen = _reference(models, reference)
        _check(held, folders, ratings)
        aligned = _aligned(held, models, ratings, aliases, how)
        told = _on_benchmarks(folders, models, subsets=subsets, draws=draws, seed=seed)
        result = _compare(models, chosen, _pairs(models, chosen, all_pairs=all_pairs), aligned, told, draws)
        about = {
            "verb": "compare_models",
            "settings": {**asdict(how), "all_pairs": all_pairs, "subsets": subsets},
        }
        left = {} if aligned is None else aligned.left_out
        about |= {
            "left_out": left,
            "inputs": {name: dict(source.provenance) for name, source in held.items()},
        }
    return replace(result, warnings=tuple(notes), provenance=about)


# --- what is compared -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Aligned:
    """The models that have scores, held against ratings, and by model what of these was left out."""

    field: Field
    left_out: dict[str, Any]


def _ordered(order: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Each name once: those of ``order`` that are there, then the others."""
    return tuple(dict.fromkeys([*(name for name in order if name in names), *names]))


def _reference(models: Sequence[str], reference: str | None) -> str:
    if len(models) < 2:
        raise ConfigError(
            f"{counted(len(models), 'model')} to compare: two are needed",
            fix="give the scores or evaluations of two or more models",
        )
    if reference is not None and reference not in models:
        raise ConfigError(
            f"there is no model {reference!r} to compare with.{did_you_mean(reference, models)}",
            fix=f"--reference-model (reference= in Python) is one of {listing(models, limit=12)}",
        )
    return models[0] if reference is None else reference


def _check(
    held: Mapping[str, ByPrompt], folders: Mapping[str, Evaluated], ratings: RatingsLike | None
) -> None:
    if held and ratings is None:
        raise ConfigError("scores are compared by how they agree with human ratings", fix="give --ratings")
    if len(held) == 1 or len(folders) == 1:
        for what, known in (("scores", held), ("an evaluation", folders)):
            if len(known) == 1:
                raise ConfigError(
                    f"only {next(iter(known))!r} has {what}: there is nothing to compare them with",
                    fix="give them for two models or more, or leave them out",
                )
    refuse_doubles(held)


def _aligned(
    held: Mapping[str, ByPrompt],
    models: Sequence[str],
    ratings: RatingsLike | None,
    aliases: Aliases | None,
    how: How,
) -> _Aligned | None:
    if not held or ratings is None:
        return None
    _tell_of_missing(set(models) - set(held), "scores", "favour and mismatch")
    found, left = in_common(held)
    for name, source in found.items():
        warn_if_in_sample(source, f"{name}: ")
    return _Aligned(
        hold_all(found, as_ratings(ratings), aliases, how), {n: asdict(one) for n, one in left.items()}
    )


def _on_benchmarks(
    folders: Mapping[str, Evaluated], models: Sequence[str], *, subsets: bool, draws: int, seed: int
) -> Benchmarked | None:
    if not folders:
        return None
    _tell_of_missing(set(models) - set(folders), "an evaluation", "the benchmarks")
    return benchmarked(folders, subsets=subsets, draws=draws, seed=seed)


def _tell_of_missing(names: set[str], what: str, where: str) -> None:
    for name in sorted(names):
        warnings.warn(f"{name}: without {what} it is left out of {where}", CharmWarning, stacklevel=4)


def _pairs(models: Sequence[str], reference: str, *, all_pairs: bool) -> list[tuple[str, str]]:
    """(model, baseline): each against the reference, and then every two others."""
    others = [name for name in models if name != reference]
    pairs = [(name, reference) for name in others]
    return pairs + [(b, a) for a, b in combinations(others, 2)] if all_pairs else pairs


def _compare(
    models: tuple[str, ...],
    reference: str,
    pairs: Sequence[tuple[str, str]],
    aligned: _Aligned | None,
    told: Benchmarked | None,
    draws: int,
) -> ModelComparison:
    held = None if aligned is None else aligned.field
    rows = {(a, b): gap_rows(held, told, a, b) for a, b in pairs}
    whose = [{"model": a, "baseline": b, **row} for (a, b), some in rows.items() for row in some]
    differences = judged_differences(whose)
    warn_of_few_draws(differences, draws)
    if told is not None:
        for (a, b), some in rows.items():
            tell_of_the_same(told, a, b, [row for row in some if row["kind"] == "benchmark"])
    values = value_table(models, held, told)
    gaps = favour_gap_table(held, pairs)
    return ModelComparison(
        models=models,
        reference=reference,
        figures=values,
        differences=differences,
        favour=favour_table(held),
        favour_differences=gaps,
        pareto=pareto_table(values, held, told, rows),
        ratings=None if held is None else held.matched,
        summary=Figures(
            {
                "models": len(models),
                "prompts": None if held is None else held.prompts,
                "policies": None if held is None else len(held.rated.policies),
                "benchmarks": None if told is None else [figure[0] for figure in told.headlines],
                "partial": None if told is None else told.partial,
                "compared": differences.height,
                "favours_compared": gaps.height,
            }
        ),
    )
