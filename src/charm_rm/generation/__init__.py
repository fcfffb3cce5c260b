"""Policies answer prompts: what has to be asked, what is kept, what is marked, and a look at responses before anyone scores them."""

from __future__ import annotations

from .check import COUNTS, ResponseCheck, check_responses
from .costs import GenerationEstimate, estimate_generation
from .folder import MANIFEST, changes, file_names, plan_record, prompts_record, read_manifest, save_responses
from .plan import PolicyPlan, plan_of, plan_requests, seed_of, tell_of_systems
from .prompts import load_prompts, prompts_from_frame, with_system
from .run import Asked, Generated, answered, ask_policy, generate_responses
from .taken import Taken, take_outputs

__all__ = [
    "COUNTS",
    "MANIFEST",
    "Asked",
    "Generated",
    "GenerationEstimate",
    "PolicyPlan",
    "ResponseCheck",
    "Taken",
    "answered",
    "ask_policy",
    "changes",
    "check_responses",
    "estimate_generation",
    "file_names",
    "generate_responses",
    "load_prompts",
    "plan_of",
    "plan_record",
    "plan_requests",
    "prompts_from_frame",
    "prompts_record",
    "read_manifest",
    "save_responses",
    "seed_of",
    "take_outputs",
    "tell_of_systems",
    "with_system",
]
