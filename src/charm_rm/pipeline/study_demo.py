"""A human study without humans, from its plan to its page. Its intervals can be held against the truth, which here is known."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import CharmWarning
from ..study.results import StudyAnalysis
from .simulated_raters import CARELESS, RATERS, RULE, VOTES_EACH, let_raters_vote
from .simulated_study import N_COMPARISONS, N_PROMPTS, planned_study, simulate_world, true_agreement


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
    seed: int,
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
            store.save(model.table, folder / f"{model.name}.parquet", force=True)
        say(f"{len(RATERS)} simulated raters vote: {RULE}; one clicks at random, one on the left")
        votes = let_raters_vote(database, world.quality, seed=seed, votes_each=votes_each)
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
