"""A human study without humans: the simulated arena's answers, two reward models by a stated rule, raters drawn from the true quality.

Everything in it is simulated, and says so. The public's true agreement with each model is known, so that the study's intervals can be held
against it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..errors import CharmWarning
from ..study.exchange import Assignment
from ..study.frame import verdicts, with_margins
from ..study.nouns import Study, StudyModel
from ..study.results import CLASSICAL, POWERED, StudyAnalysis
from ..tables import Responses, Scores
from ..testbed import Arena, simulate_arena, vote_probability

if TYPE_CHECKING:
    from ..study.database.study_database import StudyDatabase

N_PROMPTS, N_COMPARISONS, VOTES_EACH = 60, 230, 50
# score = QUALITY quality + STYLE[model] style + noise: the first model falls for style, in the second that is nearly taken out.
QUALITY, STYLE, NOISE = 5.0, {"before": 4.0, "after": 0.4}, 1.0
RULE = "careful raters prefer the better answer with probability sigmoid(4 x difference of quality), and call half of equal ones a tie"
MODELS = "score = 5 quality + 4 style + noise (before), 5 quality + 0.4 style + noise (after)"
CAREFUL, RANDOM, LEFT = "careful", "random", "left"


@dataclass(frozen=True)
class SimulatedRater:
    """A rater's name, which says what it is, and how it votes."""

    name: str
    kind: str


RATERS = (
    *(SimulatedRater(f"careful-{i}", CAREFUL) for i in range(1, 7)),
    SimulatedRater("random-clicker", RANDOM),
    SimulatedRater("left-clicker", LEFT),
)
CARELESS = tuple(r.name for r in RATERS if r.kind != CAREFUL)


@dataclass(frozen=True)
class World:
    """The answers, the two models, and the quality of every answer by prompt and text."""

    responses: Responses
    models: tuple[StudyModel, ...]
    arena: Arena
    quality: Mapping[tuple[str, str], float]


def simulate_world(*, seed: int, n_prompts: int = N_PROMPTS) -> World:
    """Answers of twelve simulated policies, and two reward models' scores of them by a stated rule."""
    arena = simulate_arena(seed=seed, n_prompts=n_prompts, n_votes=1)
    noise = np.random.default_rng([seed, 7]).normal(0.0, NOISE, arena.quality.height)
    told = arena.responses.frame.join(arena.quality, on=["prompt_id", "policy"], maintain_order="left")
    quality = {(row["prompt"], row["response"]): row["quality"] for row in told.iter_rows(named=True)}
    models = tuple(StudyModel(name, scores=_scores(arena, name, noise, seed)) for name in STYLE)
    return World(arena.responses, models, arena, quality)


def _scores(arena: Arena, name: str, noise: np.ndarray, seed: int) -> Scores:
    score = QUALITY * arena.quality["quality"] + STYLE[name] * arena.quality["style"] + pl.Series(noise)
    frame = arena.quality.select("prompt_id", "policy", score.alias("score"))
    return Scores(frame, {"simulated": True, "rule": MODELS, "model": name, "seed": seed})


def true_agreement(world: World, candidates: pl.DataFrame) -> dict[str, float]:
    """Per model the share of all candidates on which the simulated public agrees with it: mean of s p + (1 - s)(1 - p), p its chance to prefer a."""
    quality = world.arena.quality.select("prompt_id", "policy", "quality")
    frame = candidates.select("prompt_id", "policy_a", "policy_b")
    sides = [
        frame.join(
            quality,
            left_on=["prompt_id", side],
            right_on=["prompt_id", "policy"],
            how="left",
            maintain_order="left",
        )["quality"].to_numpy()
        for side in ("policy_a", "policy_b")
    ]
    p = vote_probability(*sides)
    told = with_margins(frame, world.models)
    found = {}
    for model in world.models:
        s = verdicts(told, model.name)
        found[model.name] = float(np.mean(s * p + (1 - s) * (1 - p)))
    return found


# --- votes ----------------------------------------------------------------------------------------


def let_raters_vote(
    database: StudyDatabase,
    world: World,
    *,
    seed: int,
    votes_each: int = VOTES_EACH,
    raters: Sequence[SimulatedRater] = RATERS,
    now: float | None = None,
) -> int:
    """Invite simulated raters and let them vote in turn, through the interface that the page for raters uses; how many votes were cast."""
    rng = np.random.default_rng([seed, 11])
    clock = time.time() - 86_400.0 if now is None else now
    invited = [(r, database.invite(r.name, now=clock, days=1.0).rater.id) for r in raters]
    cast = 0
    for turn in range(votes_each):
        for rater, number in invited:
            seconds = (
                float(rng.lognormal(3.0, 0.5)) if rater.kind == CAREFUL else float(rng.uniform(1.0, 3.0))
            )
            clock += seconds / len(raters)
            asked = database.next_assignment(number, now=clock)
            if asked is None:
                continue
            database.vote(
                number,
                asked.public_id,
                _choice(rater, asked, world.quality, rng),
                request_id=f"simulated-{number}-{turn}",
                now=clock,
                seconds=seconds,
            )
            cast += 1
    return cast


def _choice(
    rater: SimulatedRater,
    asked: Assignment,
    quality: Mapping[tuple[str, str], float],
    rng: np.random.Generator,
) -> str:
    """What a rater presses: by quality, anything, or the left."""
    if rater.kind == RANDOM:
        return str(rng.choice(["left", "right"]))
    if rater.kind == LEFT:
        return "left" if rng.random() < 0.95 else "right"
    # An answer to another prompt, as attention checks have it, is worse than any.
    left, right = (quality.get((str(asked.prompt), text), -1.0) for text in (asked.left, asked.right))
    if left == right and rng.random() < 0.5:
        return "both_bad" if left <= 0 else "tie"
    return "left" if rng.random() < float(vote_probability(left, right)) else "right"


# --- the study ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StudyDemo:
    """What the demo made: the analysis of all votes, that without careless raters, the truth, and a link's token for one more rater."""

    study: Path
    page: Path
    everybody: StudyAnalysis
    careful: StudyAnalysis
    truth: Mapping[str, float]
    votes: int
    token: str

    @property
    def true_difference(self) -> float:
        """How much more often the simulated public agrees with the second model than with the first."""
        before, after = self.truth.values()
        return after - before


def make_study_demo(
    folder: Path,
    *,
    seed: int = 0,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
    n_prompts: int = N_PROMPTS,
    comparisons: int = N_COMPARISONS,
    votes_each: int = VOTES_EACH,
) -> StudyDemo:
    """Plan a study, let simulated raters vote, analyse it, and write all into a folder: study.db, the inputs, analysis/, study.html.

    Raises:
        OutputExists: a study with votes is there already.
        MissingExtra: the extra study is not installed.
    """
    from .. import store
    from ..report.study import write_study
    from ..study.analysis import analyse_study, save_analysis
    from ..study.database import create_study

    world = simulate_world(seed=seed, n_prompts=n_prompts)
    study = planned_study(world, seed=seed, comparisons=comparisons)
    with create_study(folder / "study.db", study, force=force) as database:
        store.save(world.responses, folder / "responses.parquet", force=True)
        for model in world.models:
            if model.scores is not None:
                store.save(model.scores, folder / f"{model.name}.parquet", force=True)
        say(f"{len(RATERS)} simulated raters vote: {RULE}; one clicks at random, one on the left")
        votes = let_raters_vote(database, world, seed=seed, votes_each=votes_each)
        token = database.invite("you", now=time.time()).token
        voted = database.read()
    everybody = analyse_study(voted)
    with warnings.catch_warnings():  # what they say has been said of everybody's votes
        warnings.simplefilter("ignore", CharmWarning)
        careful = analyse_study(voted, without=CARELESS)
    (folder / "analysis").mkdir(exist_ok=True)
    save_analysis(everybody, folder / "analysis")
    page = write_study(everybody, folder / "study.html")
    candidates = study.candidates if study.candidates is not None else study.comparisons.frame
    return StudyDemo(
        folder / "study.db", page, everybody, careful, true_agreement(world, candidates), votes, token
    )


def planned_study(world: World, *, seed: int, comparisons: int = N_COMPARISONS) -> Study:
    """The study as `charm study plan` plans it, marked as simulated."""
    from dataclasses import replace

    from ..study.plan import plan_study

    study = plan_study(
        world.responses,
        world.models,
        name="demo",
        comparisons=comparisons,
        votes_per_comparison=2,
        random_share=0.5,
        raters=len(RATERS),
        checks=0.0,  # the arena's answers are too short to tell a wrong one by its words
        seed=seed,
    )
    record: dict[str, Any] = {"simulated": True, "rule": RULE, "reward_models": MODELS}
    return replace(study, provenance={**study.provenance, **record})


def difference_of(found: StudyAnalysis) -> Mapping[str, Any]:
    """The row of the difference to look at first."""
    rows = found.differences.filter(votes_used="all")
    for estimator in (POWERED, CLASSICAL):
        chosen = rows.filter(estimator=estimator)
        if chosen.height:
            row: Mapping[str, Any] = chosen.row(0, named=True)
            return row
    raise ValueError("no difference was estimated")
