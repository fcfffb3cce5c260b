"""HelpSteer 2 and 3 (Wang et al., NVIDIA): people's ratings of attributes, and people's preferences.

HelpSteer2: ``validation.jsonl.gz``, a row a response: ``prompt``, ``response``, and ``helpfulness``, ``correctness``, ``coherence``,
``complexity``, ``verbosity`` from 0 to 4; rows of one prompt belong together. An item is a prompt and an attribute; it earns the share of
its pairs of different ratings that the model puts in that order, a tie a half. ``all`` is the mean of helpfulness, correctness and
coherence. Complexity and verbosity are no merits: their ``agreement`` says whether a model prefers them.

HelpSteer3: ``preference/validation.jsonl.gz``: ``context`` (messages), ``response1``, ``response2``, ``overall_preference`` from -3 (the
first is much better) to 3, ``domain``. Accuracy per domain and over all items with a preference; 0 is none.

There is no official score of reward models on either: the scoring is this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import SchemaError, counted
from ..preferences import prompt_key
from ..protocols import Prompt
from .definition import Benchmark
from .files import (
    Row,
    find,
    nothing_found,
    number_of,
    one_table,
    prompt_of,
    read_items,
    read_rows,
    refuse_split,
    text_of,
)
from .items import Item
from .metrics import Metric, mean_of_subsets
from .official import equal_texts, refuse_repeated_ids
from .registry import benchmark

QUALITIES = ("helpfulness", "correctness", "coherence")
MANNERS = ("complexity", "verbosity")
_MOST, _STRONGEST = 4, 3
_PROMPTS, _PREFERENCES = 519, 2_017
_TURN = "<extra_id_1>"  # how the authors write several turns in one text
_SPEAKERS = {"user": "user", "assistant": "assistant", "system": "system"}
TIE_VALUE = 0.5
_CITATION = "Wang et al., HelpSteer2 (2024) and HelpSteer3-Preference (2025), NVIDIA"
_LICENCE = "CC BY 4.0"
_ENDS = (".jsonl", ".jsonl.gz", ".parquet")


@benchmark(
    name="helpsteer2",
    about="does it order responses as people rate their helpfulness, correctness and coherence?",
    citation=_CITATION,
    licence=_LICENCE,
    items=_PROMPTS * len(QUALITIES + MANNERS),
    source="https://huggingface.co/datasets/nvidia/HelpSteer2 (validation.jsonl.gz)",
    hub=("nvidia/HelpSteer2",),
)
def load_helpsteer2(folder: Path) -> Benchmark:
    """Load the validation split; prompts whose responses are rated alike say nothing, and are counted in a remark.

    Raises:
        UnreadableFile: no validation split is below the folder, or a file cannot be read.
        SchemaError: a row lacks a key, or a rating is none of 0 to 4; or no prompt has two responses.
    """
    files = _files(Path(folder), "HelpSteer2", "helpsteer2")
    rated = [_rated(row, where) for path in files for row, where in read_rows(path)]
    groups: dict[str, list[tuple[Prompt, str, dict[str, float]]]] = {}
    for row in rated:
        groups.setdefault(prompt_key(row[0]), []).append(row)
    several = [group for group in groups.values() if len(group) > 1]
    everything = [
        Item(str(n), a, group[0][0], tuple(t for _, t, _ in group), tuple(r[a] for _, _, r in group))
        for n, group in enumerate(several)
        for a in QUALITIES + MANNERS
    ]
    items = [item for item in everything if item.others]
    remarks = []
    if alone := len(groups) - len(several):
        remarks.append(f"{counted(alone, 'prompt')} with one response left out")
    if alike := len(everything) - len(items):
        remarks.append(f"{counted(alike, 'item')} left out, whose responses are rated alike")
    notes = () if len(several) == _PROMPTS else (f"{counted(len(several), 'prompt')}, officially {_PROMPTS}",)
    metrics = _attribute_metrics(items, partial=bool(notes))
    return Benchmark("helpsteer2", tuple(items), metrics, TIE_VALUE, notes, remarks=tuple(remarks))


def _rated(row: Row, where: str) -> tuple[Prompt, str, dict[str, float]]:
    """The prompt, the response and its ratings."""
    ratings = {a: number_of(row, a, where) for a in QUALITIES + MANNERS}
    if wrong := {a: r for a, r in ratings.items() if not 0 <= r <= _MOST}:
        raise SchemaError(
            f"a rating is from 0 to {_MOST}, found {wrong}", where=where, fix="fetch the file again"
        )
    return conversation(text_of(row, "prompt", where)), text_of(row, "response", where), ratings


def conversation(text: str) -> Prompt:
    """Messages of a text that marks its turns with ``<extra_id_1>Assistant`` and the like; a text without marks as it is."""
    first, *others = text.split(_TURN)
    turns = [turn.partition("\n") for turn in others]
    if not turns or any(speaker.strip().casefold() not in _SPEAKERS for speaker, _, _ in turns):
        return text
    messages = [
        {"role": _SPEAKERS[s.strip().casefold()], "content": said.strip("\n")} for s, _, said in turns
    ]
    return [{"role": "user", "content": first.strip("\n")}, *messages]


def _attribute_metrics(items: Sequence[Item], *, partial: bool) -> tuple[Metric, ...]:
    present = [a for a in QUALITIES + MANNERS if any(item.subset == a for item in items)]
    qualities = [a for a in QUALITIES if a in present]
    if not qualities:
        raise SchemaError(
            "no two responses of a prompt differ in helpfulness, correctness or coherence",
            where="benchmark helpsteer2",
            fix="fetch the validation split again",
        )
    manners = [mean_of_subsets(a, "agreement", [[a]], partial=partial) for a in present if a in MANNERS]
    apart = [mean_of_subsets(a, "accuracy", [[a]], partial=partial) for a in qualities]
    return (*manners, *apart, mean_of_subsets("all", "accuracy", [[a] for a in qualities], partial=partial))


@benchmark(
    name="helpsteer3",
    about="does it prefer what people preferred, in general, science, code and other languages?",
    citation=_CITATION,
    licence=_LICENCE,
    items=_PREFERENCES,
    source="https://huggingface.co/datasets/nvidia/HelpSteer3 (preference/validation.jsonl.gz)",
    hub=("nvidia/HelpSteer3",),
)
def load_helpsteer3(folder: Path) -> Benchmark:
    """Load the validation split of the preferences; items without a preference are counted in a remark.

    Raises:
        UnreadableFile: no validation split is below the folder, or a file cannot be read.
        SchemaError: a row lacks a key, or a preference is none of -3 to 3.
    """
    files = _files(Path(folder), "HelpSteer3", "helpsteer3", inside="preference/")
    everything = list(read_items(files, _preference))
    items = [item for item in everything if item.others]
    if not items:
        raise SchemaError("nobody preferred anything", where=str(files[0]), fix="fetch the file again")
    refuse_repeated_ids("helpsteer3", items)
    partial = len(everything) != _PREFERENCES
    notes = (f"{counted(len(everything), 'item')}, officially {_PREFERENCES:,}",) if partial else ()
    undecided = len(everything) - len(items)
    remarks = (
        [f"{counted(undecided, 'item')} left out, of which people preferred neither"] if undecided else []
    )
    domains = list(dict.fromkeys(item.subset for item in items))
    metrics = [mean_of_subsets(d, "accuracy", [[d]], partial=partial) for d in domains]
    whole = mean_of_subsets("all", "accuracy", [domains], partial=partial)
    told = (*remarks, *equal_texts(items))
    return Benchmark("helpsteer3", tuple(items), (*metrics, whole), TIE_VALUE, notes, remarks=told)


def _preference(row: Row, where: str) -> Item:
    strength = number_of(row, "overall_preference", where)
    if not -_STRONGEST <= strength <= _STRONGEST:
        raise SchemaError(
            f"'overall_preference' is from -{_STRONGEST} to {_STRONGEST}, found {strength:g}",
            where=where,
            fix="fetch the file again",
        )
    texts = tuple(text_of(row, f"response{i}", where) for i in (1, 2))
    grades = (max(-strength, 0.0), max(strength, 0.0))
    number = f"{Path(where.rpartition(': item ')[0]).stem}/{where.rpartition(' ')[2]}"
    return Item(number, text_of(row, "domain", where), prompt_of(row, "context", where), texts, grades)


def _files(folder: Path, what: str, beginning: str, *, inside: str = "") -> list[Path]:
    """The validation split: in the authors' folder, or a file that begins with the name."""
    patterns = [f"*{what}*/**/{inside}validation{end}" for end in _ENDS]
    patterns += [f"*{what}*/**/{inside}validation-*.parquet", *(f"{beginning}*{end}" for end in _ENDS)]
    files = find(folder, *patterns)
    if not files and folder.name.casefold().startswith(beginning):
        files = find(folder, *(f"{inside}validation{end}" for end in _ENDS))
    if not files:
        refuse_split(what, folder, wanted="validation", others=("train",))
        raise nothing_found(what, folder, f"{what}/{inside}validation.jsonl.gz")
    return one_table(files, what)
