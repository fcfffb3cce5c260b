"""A human study as a loop: plan, (simulated) votes, analysis, export, ratings, and an audit against the people who voted.

python examples/05_human_study.py    (needs the extra study)
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import charm_rm as charm
from charm_rm.pipeline.simulated_raters import CARELESS, let_raters_vote
from charm_rm.pipeline.simulated_study import planned_study, simulate_world, true_agreement
from charm_rm.study.analysis import analyse_study
from charm_rm.study.database import create_study
from charm_rm.study.export import as_battles
from charm_rm.study.words import decisions, headline


def main() -> None:
    """Print what the votes say, with and without careless raters, beside the truth; then the audit against ratings of these votes."""
    warnings.simplefilter("ignore", charm.CharmWarning)
    world = simulate_world(seed=0, n_prompts=40)
    plan = planned_study(world, seed=0, comparisons=120)
    with tempfile.TemporaryDirectory() as folder, create_study(Path(folder) / "study.db", plan) as database:
        let_raters_vote(database, world.quality, seed=0, votes_each=25)
        voted = database.read()
    for words, without in (("everybody", ()), ("without careless raters", CARELESS)):
        found = analyse_study(voted, without=without)
        print(f"{words}: {headline(found)}")
    for question, told, _ in decisions(found):
        print(f"{question} {told}")
    assert plan.candidates is not None
    truth = true_agreement(world, plan.candidates)
    print(f"truth: {100 * (truth['after'] - truth['before']):+.1f} points")

    battles = as_battles(voted, without=CARELESS)
    ratings = charm.fit_ratings(battles, cluster="rater", prior=1.0)
    for model in world.models:
        audited = charm.audit(model.scores, ratings, draws=200)
        print(f"\n{model.name}, held against ratings by these people")
        print("\n".join(audited.summary(top=1).splitlines()[1:3]))


if __name__ == "__main__":
    main()
