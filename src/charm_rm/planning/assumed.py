"""Plans without a pilot: a world with assumed policies, ratings and noise stands in for one, seeded, so that the same assumptions give the same plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import ConfigError
from ..mismatch.held import Held, derivatives, prompt_variance, quadratic
from ..statistics import ELO_PER_LOGIT, FloatArray
from ..tables import Ratings, Scores
from .designs import FavourDesign, GapDesign, PairDesign, policies_tested
from .plans import Asked, How, Plan, pairs_of, planned
from .votes import quantiles

_PROMPTS = 2000  # of the stand-in: its own noise is little, and scaled away


@dataclass(frozen=True)
class World:
    """What is assumed: ``policies`` whose ratings have a standard deviation of ``spread`` Elo and errors of ``rating_error``; a model of this
    ``sharpness`` whose favours scatter by ``scatter`` Elo; of two models, the share of prompts (``agreement``) on which chance strikes both alike."""

    policies: int = 20
    spread: float = 80.0
    rating_error: float = 5.0
    sharpness: float = 1.0
    scatter: float = 0.0
    agreement: float = 0.5

    def __post_init__(self) -> None:
        bounds = {
            "policies": (3, 1000),
            "spread": (1.0, 1000.0),
            "rating_error": (0.0, 500.0),
            "sharpness": (0.01, 100.0),
            "scatter": (0.0, 1000.0),
            "agreement": (0.0, 0.99),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(
                    f"{flag} {value:g} is not between {low:g} and {high:g}", fix=f"assume another {flag}"
                )

    @property
    def tau2(self) -> float:
        """The scatter about the line, in log-odds squared."""
        return float((self.sharpness * self.scatter / ELO_PER_LOGIT) ** 2)

    def names(self) -> list[str]:
        """The policies, the best first."""
        return [f"policy-{k + 1}" for k in range(self.policies)]

    def rating(self) -> FloatArray:
        """Ratings at normal quantiles, Elo points."""
        return 1000 + self.spread * quantiles(self.policies)[::-1]

    def ratings(self) -> Ratings:
        """The ratings with their errors."""
        return Ratings(
            pl.DataFrame({"policy": self.names(), "rating": self.rating(), "std_err": self.rating_error})
        )

    def scores(self, noise: FloatArray) -> Scores:
        """Scores with this noise (prompts, policies): of Gumbel noise differences are logistic, and win rates Bradley-Terry."""
        values = self.sharpness * self.rating() / ELO_PER_LOGIT + noise
        prompts = [f"p{i:05d}" for i in range(len(values))]
        return Scores(
            pl.DataFrame(
                {
                    "prompt_id": np.repeat(prompts, self.policies),
                    "policy": self.names() * len(values),
                    "score": values.ravel(),
                }
            )
        )

    def held(self, how: How, *, second: bool = False) -> Held:
        """The stand-in held against its ratings; the ``second`` model shares the noise of a share of the prompts."""
        noise = np.random.default_rng(0).gumbel(size=(_PROMPTS, self.policies))
        if second:
            own = np.random.default_rng(1).gumbel(size=noise.shape)
            alike = np.arange(_PROMPTS) < round(self.agreement * _PROMPTS)
            noise = np.where(alike[:, None], noise, own)
        return how.hold(self.scores(noise), self.ratings())


def assume_favour(world: World, *, favour: float, asked: Asked, how: How) -> Plan:
    """Prompts needed to see a favour of one policy, as :func:`.plan_favour` but from assumptions."""
    held = world.held(how)
    which = policies_tested(held.measured, how.scope)
    tests = asked.tests or world.policies
    design = FavourDesign(held.measured, _PROMPTS, how.scope, asked.alpha, tests, which, tau2=world.tau2)
    return planned(design, "favour of one policy", "Elo", favour, asked, tests, **_assumed(world))


def assume_mismatch(world: World, *, mismatch: float, asked: Asked, how: How) -> Plan:
    """The same of the mismatch of one pair."""
    held = world.held(how)
    expected, _, doubt = pairs_of(held)
    tests = asked.tests or len(expected)
    design = PairDesign(expected, np.ones_like(expected), doubt, asked.alpha, tests)
    return planned(
        design,
        "mismatch of one pair",
        "P̂ - P",
        mismatch,
        asked,
        tests,
        pairs=len(expected),
        **_assumed(world),
    )


def assume_favour_gap(world: World, *, favour: float, asked: Asked, how: How) -> Plan:
    """The same of the difference of two models' favours of one policy, all other favours being alike."""
    mine, theirs = world.held(how), world.held(how, second=True)
    d, e = derivatives(mine.measured), derivatives(theirs.measured)
    moved = d.favour_by_theta @ mine.by_prompt - e.favour_by_theta @ theirs.by_prompt
    known = policies_tested(mine.measured, how.scope)
    tests = asked.tests or world.policies
    nothing = np.zeros(world.policies)
    fixed = quadratic(d.favour_by_rho - e.favour_by_rho, mine.measured.rho_covariance)
    design = GapDesign(prompt_variance(moved), fixed, nothing, _PROMPTS, asked.alpha, tests, known)
    basis = {**_assumed(world), "agreement": world.agreement}
    return planned(design, "difference of favour between two models", "Elo", favour, asked, tests, **basis)


def _assumed(world: World) -> dict[str, Any]:
    told = asdict(world)
    del told["agreement"]
    return {"assumed": True, **told}
