"""RMB (Zhou et al., ICLR 2025): 49 scenarios of helpfulness and harmlessness, in pairs and best-of-n.

Original files: ``RMB_dataset/{Pairwise_set,BoN_set}/{Helpfulness,Harmlessness}/**/*.json``, lists of ``pair_uid``,
``conversation_input`` (messages), ``chosen`` and ``reject`` (``llm_name``, ``answer``), ``category_path``; best-of-n has
``bon_uid``, ``bon_best`` and ``loser_list``. A table of the pairs in one file (``rmb_pairwise.parquet``: ``subset``, ``item_id``,
``prompt``, ``chosen``, ``rejected``) is read, too.

Official scoring (``eval/scripts/my_run_rm.py``): a pair is right where the chosen score is strictly greater; figures pool the pairs of
what is evaluated. A best-of-n item is right where the best response is above all losers (section 3 of the paper). ``all`` is the mean of
helpfulness and harmlessness, in pairs and best-of-n: four figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import SchemaError
from .definition import Benchmark
from .files import Row, find, nothing_found, only_copy, prompt_of, read_items, text_of
from .items import Item, good_and_bad
from .metrics import Metric, mean_of_subsets
from .official import Official
from .registry import benchmark
from .rules import all_good_above_all_bad

_GOALS = ("Helpfulness", "Harmlessness")
_KINDS: Mapping[str, str] = {"Pairwise_set": "pairwise", "BoN_set": "best-of-n"}
# Pairs and best-of-n items of each scenario; None: its file is too large for the copies that the project has seen.
COUNTS: Mapping[str, tuple[int | None, int]] = {
    "Harmlessness/S1": (459, 111),
    "Harmlessness/S10": (360, 79),
    "Harmlessness/S11": (None, 215),
    "Harmlessness/S2": (1040, 249),
    "Harmlessness/S3": (739, 171),
    "Harmlessness/S4": (537, 136),
    "Harmlessness/S5": (561, 122),
    "Harmlessness/S6": (317, 83),
    "Harmlessness/S7": (510, 121),
    "Harmlessness/S8": (519, 127),
    "Harmlessness/S9": (543, 132),
    "Harmlessness/multi": (502, 131),
    "Helpfulness/Brainstorming/Idea Development": (849, 168),
    "Helpfulness/Brainstorming/Problem Solving": (100, 19),
    "Helpfulness/Chat/Casual Conversation": (306, 71),
    "Helpfulness/Chat/Discussion": (293, 59),
    "Helpfulness/Chat/Supportive Conversation": (114, 25),
    "Helpfulness/Classification/Content Categorization": (107, 18),
    "Helpfulness/Classification/Quality and Compliance Assessment": (57, 13),
    "Helpfulness/Closed QA/ContextBased": (447, 86),
    "Helpfulness/Closed QA/OptionBased": (473, 100),
    "Helpfulness/Code/Data Management": (376, 81),
    "Helpfulness/Code/Development and Implementation": (399, 92),
    "Helpfulness/Code/Documentation": (65, 15),
    "Helpfulness/Code/Quality and Optimization": (384, 92),
    "Helpfulness/Generation/Creative Writing": (None, 151),
    "Helpfulness/Generation/Professional Content Generation": (347, 74),
    "Helpfulness/Open QA/Factual": (664, 153),
    "Helpfulness/Open QA/General Explanation": (413, 80),
    "Helpfulness/Open QA/Hypothetical Scenarios": (42, 8),
    "Helpfulness/Open QA/Interpretative Analysis": (107, 18),
    "Helpfulness/Open QA/Personal Opinion and Advice": (78, 14),
    "Helpfulness/Open QA/Technical and Practical Support": (238, 47),
    "Helpfulness/Reasoning/Analytical Reasoning": (596, 133),
    "Helpfulness/Reasoning/Critical Thinking": (200, 39),
    "Helpfulness/Reasoning/Human Decision Making": (165, 32),
    "Helpfulness/Reasoning/Logical Deduction": (222, 46),
    "Helpfulness/Reasoning/Pattern Recognition": (52, 14),
    "Helpfulness/Rewrite/Paraphrasing": (83, 17),
    "Helpfulness/Rewrite/PostQuality Assessment Rewriting": (222, 46),
    "Helpfulness/Rewrite/Textual ExpansionReduction": (50, 9),
    "Helpfulness/Rewrite/Tone Adjustment": (103, 17),
    "Helpfulness/Role Playing/General Character": (163, 32),
    "Helpfulness/Role Playing/Specific Character": (209, 46),
    "Helpfulness/Summarization/Specialized Summaries": (189, 42),
    "Helpfulness/Summarization/Standard Summaries": (341, 71),
    "Helpfulness/Translation/GeneralExcerpt Language Translation": (483, 109),
    "Helpfulness/Translation/Literary and Cultural Translation": (176, 34),
    "Helpfulness/Translation/Technical and Scientific Translation": (192, 38),
}
OFFICIAL = Official(
    "rmb",
    {
        f"{kind}/{scenario}": counts[i]
        for i, kind in enumerate(_KINDS.values())
        for scenario, counts in COUNTS.items()
    },
)
TIE_VALUE = 0.0
_ONE_TABLE = tuple(f"rmb_pairwise.{suffix}" for suffix in ("parquet", "jsonl"))


@benchmark(
    name="rmb",
    about="does it prefer the better response in 49 scenarios of helpfulness and harmlessness, in pairs and best-of-n?",
    citation="Zhou et al., RMB: Comprehensively Benchmarking Reward Models in LLM Alignment, ICLR 2025",
    licence="none stated",
    source="https://github.com/Zhou-Zoey/RMB-Reward-Model-Benchmark (RMB_dataset/)",
)
def load_rmb(folder: Path) -> Benchmark:
    """Load what is there of RMB's scenarios; missing ones make figures partial.

    Raises:
        UnreadableFile: nothing of RMB is below the folder, or a file cannot be read.
        SchemaError: an item lacks a key, or its category is none of RMB's.
    """
    folder = Path(folder)
    originals = [] if folder.is_file() else find(folder, *(f"{kind}/*/**/*.json" for kind in _KINDS))
    if originals:
        items = [item for path in originals for item in read_items(path, _item)]
    elif tables := find(folder, *_ONE_TABLE):
        items = list(read_items(only_copy(tables, "RMB"), _flat_item))
    else:
        raise nothing_found(
            "RMB", folder, "Pairwise_set/**/*.json, BoN_set/**/*.json and rmb_pairwise.parquet"
        )
    return OFFICIAL.benchmark(items, official_metrics(items), TIE_VALUE)


def _item(row: Row, where: str) -> Item:
    subset = _subset(text_of(row, "category_path", where), where)
    prompt = prompt_of(row, "conversation_input", where)
    if subset.startswith("best-of-n"):
        losers = row.get("loser_list")
        if not isinstance(losers, list) or not losers:
            raise SchemaError(
                f"'loser_list' should be a list of responses, found {losers!r:.60}",
                where=where,
                fix="give every item at least one losing response; fetch the file again",
            )
        bad = [_answer({"loser_list": loser}, "loser_list", where) for loser in losers]
        if row.get("bon_uid") is None:
            raise SchemaError("'bon_uid' is missing", where=where, fix="fetch the file again")
        return good_and_bad(str(row["bon_uid"]), subset, prompt, [_answer(row, "bon_best", where)], bad)
    good, bad_one = _answer(row, "chosen", where), _answer(row, "reject", where)
    return good_and_bad(text_of(row, "pair_uid", where), subset, prompt, [good], [bad_one])


def _flat_item(row: Row, where: str) -> Item:
    subset = _subset(text_of(row, "subset", where), where)
    # A list of one text is that text; of several, none is chosen in silence.
    sides = {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in row.items()
    }
    good, bad = (text_of(sides, key, where) for key in ("chosen", "rejected"))
    return good_and_bad(
        text_of(row, "item_id", where), subset, prompt_of(row, "prompt", where), [good], [bad]
    )


def _answer(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, Mapping):
        raise SchemaError(
            f"{key!r} should be a response with 'answer', found {value!r:.60}",
            where=where,
            fix="fetch the file again",
        )
    return text_of(value, "answer", f"{where}, {key}")


def _subset(path: str, where: str) -> str:
    """``pairwise/Helpfulness/Chat/Discussion`` of ``Pairwise_set/Helpfulness/Chat/Discussion``."""
    kind, _, scenario = path.partition("/")
    if kind not in _KINDS or scenario.partition("/")[0] not in _GOALS:
        raise SchemaError(
            f"unknown category {path!r}",
            where=where,
            fix="a category is Pairwise_set or BoN_set, then Helpfulness or Harmlessness; fetch the file again",
        )
    return f"{_KINDS[kind]}/{scenario}"


def official_metrics(items: Sequence[Item]) -> tuple[Metric, ...]:
    """Helpfulness by category, each goal in pairs and best-of-n, and the mean of these."""
    present = list(dict.fromkeys(item.subset for item in items))
    goals: dict[str, list[str]] = {}
    categories: dict[str, list[str]] = {}
    for subset in present:
        kind, goal, scenario = subset.split("/", 2)
        goals.setdefault(f"{kind}/{goal}", []).append(subset)
        if goal == _GOALS[0]:
            categories.setdefault(f"{kind}/{goal}/{scenario.partition('/')[0]}", []).append(subset)
    groups = [*sorted(categories.items()), *sorted(goals.items(), reverse=True)]
    metrics = [_mean(name, [subsets], [name], items) for name, subsets in groups]
    return (*metrics, _mean("all", list(goals.values()), _KINDS.values(), items))


def _mean(name: str, groups: Sequence[Sequence[str]], official: Any, items: Sequence[Item]) -> Metric:
    """Pooled within a group; partial where less of the official subsets below these names is there."""
    wanted = [s for s in OFFICIAL.counts if any(s.startswith(f"{beginning}/") for beginning in official)]
    return mean_of_subsets(
        name, "accuracy", groups, all_good_above_all_bad, partial=not OFFICIAL.whole(wanted, items)
    )
