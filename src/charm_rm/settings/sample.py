"""Settings of the instructions that a sample is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import BadSetting
from .definition import Settings, setting
from .table import column_setting

Allocation = Literal["proportional", "equal"]  # how many prompts each stratum gives
PromptIds = Literal[
    "source", "text"
]  # ids of prompts: the source's where it has them, or hashes of the texts


@dataclass(frozen=True, kw_only=True)
class SampleSettings(Settings):
    """Draw instructions from larger sets: duplicates out, filtered, cleared of benchmarks, by strata or clusters."""

    n: int | None = setting(
        None, "How many prompts to draw (default: all that are left).", least=1, flags=("-n", "--n")
    )
    columns: tuple[str, ...] = column_setting()
    split: str | None = setting(None, "Which split of a `datasets` folder or hub id.")
    prompt_ids: PromptIds = setting(
        "source",
        "Ids: the source's (prompt_id, question_id ...), else a hash of the text; or always the hash.",
    )
    keep: tuple[str, ...] = setting(
        (), "A column of the source to carry along; repeatable.", flags=("--keep",), metavar="COLUMN"
    )
    min_chars: int | None = setting(None, "Leave out prompts with fewer characters.", least=1)
    max_chars: int | None = setting(None, "Leave out prompts with more characters.", least=1)
    min_words: int | None = setting(None, "Leave out prompts with fewer words.", least=1)
    max_words: int | None = setting(None, "Leave out prompts with more words.", least=1)
    languages: tuple[str, ...] = setting(
        (),
        "Keep prompts in this language (en, de, zh ...; und: too short to tell); repeatable.",
        flags=("--language",),
        metavar="CODE",
    )
    benchmarks: tuple[str, ...] = setting(
        (),
        "Leave out prompts that share words with those of this file, folder or pattern; repeatable.",
        flags=("--benchmark",),
        metavar="FILE",
        path="path",
    )
    ngram: int = setting(8, "Words in a row that count as shared with a benchmark prompt.", least=2)
    overlap: float = setting(
        0.5,
        "Share of the shorter prompt's runs of words that must be shared for a prompt to be left out.",
        above=0,
    )
    near_duplicates: float = setting(
        0.8,
        "Leave out prompts this similar to an earlier one: Jaccard similarity of character 5-grams (1: keep them).",
        above=0,
    )
    stratify: str | None = setting(None, "Draw by the values of this column.", metavar="COLUMN")
    allocation: Allocation = setting(
        "proportional", "How many each stratum gives: as large as it is, or all alike."
    )
    clusters: int | None = setting(
        None, "Draw alike from this many clusters of sentence embeddings: a diverse sample.", least=2
    )
    embedder: str | None = setting(
        None,
        "Sentence embedding model for --clusters: a local folder or a Hugging Face hub id.",
        path="path or id",
        metavar="DIR_OR_ID",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for unit in ("chars", "words"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if least is not None and most is not None and least > most:
                raise BadSetting(f"min_{unit} is above max_{unit}", fix="turn them round")
        if self.overlap > 1 or self.near_duplicates > 1:
            name = "overlap" if self.overlap > 1 else "near_duplicates"
            raise BadSetting(f"{name} is a share, at most 1", setting=name, fix="give a number up to 1")
        if (self.clusters is None) != (self.embedder is None):
            raise BadSetting("clusters and embedder go together", fix="give both, or neither")
        if self.clusters is not None and self.stratify is not None:
            raise BadSetting("clusters and stratify exclude each other", fix="give one of them")


@dataclass(frozen=True, kw_only=True)
class PromptsSettings(SampleSettings):
    """Instructions for the policies to answer, drawn from larger sets."""

    sources: tuple[str, ...] = setting(
        about="Preference sets, prompts or conversations: files, folders, patterns, `datasets` folders or hub ids.",
        path="path or id",
    )
