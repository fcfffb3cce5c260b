"""What the page is about: its title, what was judged, on which data, against which ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tables import WinRates
from .gather import Findings
from .words import clean, count

_GIVEN = "given:"


def heading(findings: Findings, title: str | None = None) -> str:
    """What the page is called: as asked, as the audit or the run is called, by its data, and last by its folder."""
    files = source_files(findings)
    manifest = findings.manifest.get("name")
    return clean(
        title or findings.before.details.get("title") or manifest or (files and files[0][0]) or findings.name
    )


def facts(findings: Findings, date: str | None = None) -> list[tuple[str, str]]:
    """(what, its words) for the head of the page."""
    files = [name for name, _ in source_files(findings)]
    told = {
        "Judge": judge_words(findings),
        "Data": _data_words(findings),
        "Human ratings": ratings_words(findings),
        "Files": ", ".join(files[:8]) + (f" and {len(files) - 8} more" if len(files) > 8 else ""),
        "Date": clean(date or ""),
    }
    return [(what, words) for what, words in told.items() if words]


def judge_words(findings: Findings) -> str:
    """Name of the reward model or judge, where the scores tell it."""
    found = _provenance(findings).get("input")
    about = found if isinstance(found, Mapping) else {}
    name = about.get("rm") or about.get("judge") or about.get("annotator")
    return clean(name) if isinstance(name, str) else ""


def ratings_words(findings: Findings) -> str:
    """Where the ratings come from, of which category and date."""
    found = _provenance(findings).get("ratings")
    about = found if isinstance(found, Mapping) else {}
    parts = [
        _listed(about.get("source"), 4),
        _listed(about.get("category"), 4),
        _listed(about.get("date"), 4),
    ]
    return "; ".join(part for part in parts if part)


def ratings_name(findings: Findings) -> str:
    """What the axis and the column of the ratings are called: the Arena's by its name, all others as human ratings."""
    return "Arena Elo" if ratings_words(findings).lower().startswith("arena") else "Human Elo"


def source_files(findings: Findings) -> list[tuple[str, str]]:
    """(name, SHA-256 of the content) of every file that was read, in the order in which stages read them."""
    listed = _provenance(findings).get("files")
    found = [(one.get("name"), one.get("sha256")) for one in listed or [] if isinstance(one, Mapping)]
    stages = findings.manifest.get("stages")
    for record in stages.values() if isinstance(stages, Mapping) else ():
        inputs = record.get("inputs") if isinstance(record, Mapping) else None
        for name, digest in (inputs if isinstance(inputs, Mapping) else {}).items():
            if name.startswith(_GIVEN):
                found.append((name.removeprefix(_GIVEN), digest))
    known = ((clean(name), clean(digest)) for name, digest in found if name and digest)
    return [one for one in dict.fromkeys(known) if not one[1].startswith("id:")]


def tie_words(findings: Findings) -> str:
    """How ties counted in the win rates that the page shows."""
    about = _provenance(findings)
    settings = about.get("settings")
    ties = settings.get("ties") if isinstance(settings, Mapping) else None
    if about.get("source") == WinRates.noun:
        return "ties count as those who published the win rates counted them"
    if ties == "loss":
        return "a tie counts as a loss of the policy (--ties loss); favour and sharpness count a tie half for either side"
    return "a tie counts half"


def _data_words(findings: Findings) -> str:
    summary = findings.before.details.get("summary") or {}
    parts = [
        count(summary[key], one, many)
        for key, one, many in (("policies", "policy", "policies"), ("prompts", "prompt", "prompts"))
        if summary.get(key)
    ]
    if not parts:
        names = {*findings.before.mismatch["policy"], *findings.before.mismatch["reference"]}
        parts = [count(len(names), "policy", "policies")]
    samples = summary.get("samples")
    if isinstance(samples, Mapping) and isinstance(samples.get("most"), int):
        parts.append(
            f"up to {samples['most']} samples of a policy on a prompt, all pairs of samples averaged within a prompt"
        )
    return ", ".join(parts)


def _provenance(findings: Findings) -> Mapping[str, Any]:
    found = findings.before.details.get("provenance")
    return found if isinstance(found, Mapping) else {}


def _listed(values: Any, most: int) -> str:
    values = [clean(v) for v in values] if isinstance(values, list) else []
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")
