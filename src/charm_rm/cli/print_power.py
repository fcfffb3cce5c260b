"""What ``charm power`` prints: prompts for an effect, the floor that ratings leave, votes for ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import counted, verb
from .common import conclude, csv_table, echo, heading, print_frame

if TYPE_CHECKING:
    from ..planning import Plan

_EFFECT = {"Elo": "favour", "P̂ - P": "mismatch", "accuracy": "difference"}


def print_plans(plans: Sequence[Plan], votes: dict[str, Any] | None) -> None:
    """Print the plans, what each could see with so many prompts, and the votes for ratings of a width."""
    import polars as pl

    told = [say_plan(plan) for plan in plans] + ([] if votes is None else [say_votes(votes)])
    conclude(" ".join(told))
    rows = [
        {"kind": p.kind, "n": n, "effect": effect, "unit": p.unit}
        for p in plans
        for n, effect in p.detectable
    ]
    if rows:
        csv_table(pl.DataFrame(rows, infer_schema_length=None))
    for plan in plans:
        heading(f"{plan.kind[0].upper()}{plan.kind[1:]}")
        echo(f"  {_say_basis(plan)}")
        echo(f"  {say_plan(plan)}")
        if floor := say_floor(plan):
            echo(f"  {floor}")
        what = "items" if plan.unit == "accuracy" else "prompts"
        shown = [
            {
                what: f"{n:,}",
                f"least {_EFFECT[plan.unit]} seen": "none" if effect is None else _effect(plan, effect),
            }
            for n, effect in plan.detectable
        ]
        print_frame(
            pl.DataFrame(shown), title=f"With so many {what}, in {plan.power:.0%} of cases", main=False
        )
    if votes is not None:
        heading("Votes")
        echo(f"  {say_votes(votes)}")


def say_plan(plan: Plan) -> str:
    """``To see a favour of one policy of 50 Elo in 80 % of cases, 412 prompts are needed.``"""
    what = "item" if plan.unit == "accuracy" else "prompt"
    wanted = f"To see a {plan.kind} of {_effect(plan, plan.effect)} in {plan.power:.0%} of cases"
    if plan.needed is None:
        return f"{wanted}, no number of {what}s is enough."
    return f"{wanted}, {counted(plan.needed, what)} {verb(plan.needed, 'is', 'are')} needed."


def say_floor(plan: Plan) -> str:
    """What no number of prompts shows, and what would lower it."""
    if plan.floor is not None and plan.floor < (0.5 if plan.unit == "Elo" else 0.0005):
        return ""
    doubt = "the ratings' own uncertainty" + (
        " and the other policies' favours leave" if plan.unit == "Elo" else " leaves"
    )
    if plan.floor is None:
        return f"Whatever the prompts, {doubt} too much in doubt for any {plan.kind}: more precise ratings or more policies are needed."
    below = (
        " That is above what you want to see: more votes or more policies would help, not more prompts."
        if plan.needed is None
        else ""
    )
    return f"Floor: with endlessly many prompts, {doubt} {_effect(plan, plan.floor)} as the least that is seen.{below}"


def say_votes(votes: dict[str, Any]) -> str:
    """``Ratings known to ± 10 Elo take 12,000 votes over 20 policies, 1,200 each.``"""
    policies = votes["basis"]["policies"]
    each = round(2 * votes["needed"] / policies)
    about = (
        f" (scaled from {counted(votes['basis']['battles'], 'vote')})" if "battles" in votes["basis"] else ""
    )
    return (
        f"Ratings known to ± {votes['half_width']:g} Elo (95 %, in the mean) take {counted(votes['needed'], 'vote')} over "
        f"{counted(policies, 'policy', 'policies')}, about {each:,} each{about}."
    )


def _effect(plan: Plan, value: float) -> str:
    return f"{value:.0f} Elo" if plan.unit == "Elo" else f"{value:.3f}"


def _say_basis(plan: Plan) -> str:
    basis = plan.basis
    adjusted = f"q adjusted for {counted(plan.tests, 'test')}, level {plan.alpha:g}"
    if "benchmark" in basis:
        differ = (
            f", {basis['discordant']:.1%} of them right by one model alone" if "discordant" in basis else ""
        )
        return f"pilot: {counted(basis['items'], 'item')} of {basis['benchmark']}{differ}; {adjusted}"
    if "discordant" in basis:
        return f"assumed: {basis['discordant']:.1%} of the items are right by one model alone; {adjusted}"
    if basis.get("assumed"):
        return (
            f"assumed: {basis['policies']} policies, ratings {basis['spread']:g} Elo apart (standard deviation) with errors of {basis['rating_error']:g}, "
            f"sharpness {basis['sharpness']:g}, favours of the others scatter by {basis['scatter']:g} Elo; {adjusted}"
        )
    whose = f", for {basis['policy']}" if "policy" in basis else ""
    return f"pilot: {counted(basis['prompts'], 'prompt')}, {counted(basis['policies'], 'policy', 'policies')}{whose}; {adjusted}"
