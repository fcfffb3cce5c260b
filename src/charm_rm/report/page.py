"""Findings and figures -> one self-contained HTML page.

Everything the page needs is in it. A Content-Security-Policy allows exactly our own style and script,
by hash, and no request at all: text from data is escaped, and could do nothing even if it were not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from ..mismatch.metrics import PLACEBO, WHAT_P_IS, WHAT_P_TESTS, WHAT_PLACEBO_IS
from ..mismatch.words import (
    WHAT_IMPLIED_IS,
    WHAT_PREDICTED_IS,
    WHAT_STYLE_FAVOUR_IS,
    WHY_NOT_THE_DIFFERENCE,
    WHY_PAIRS_DIFFER,
    detectable_words,
)
from ..provenance import versions
from . import about, headline, listings, words
from .effect import agreement_rows, effect_rows, offset_effect
from .figures import Figure
from .gather import Findings
from .groups import groups
from .notices import notices
from .study_section import sentences, study_section
from .style_section import never_rated_listing, weights_listing
from .theme import css_variables

_SECTIONS = {
    "ratings": "Judge and people",
    "favour": "Favouritism",
    "candidates": "Candidates",
    "mismatch": "Mismatch",
    "change": "Before and after",
    "study": "What people say",
    "offsets": "Offsets",
    "style": "What it over-values",
    "labels": "Labels",
    "evaluation": "Evaluation",
    "warnings": "Warnings",
    "terms": "How to read this",
    "provenance": "Provenance",
}


def render_page(
    findings: Findings, figures: Mapping[str, Figure], *, title: str | None = None, date: str | None = None
) -> str:
    """The report as HTML text; ``title`` and ``date`` are those to show at its head."""
    css = css_variables() + asset("style.css")
    script = asset("page.js")
    tables = _tables(findings)
    sections = _sections(findings, figures, tables)
    page = environment().get_template("template.html.j2")
    return page.render(
        findings=findings,
        figures=list(figures.values()),
        tables=tables,
        css=Markup(css),
        script=Markup(script),
        policy=content_policy(css, script),
        heading=about.heading(findings, title),
        facts=about.facts(findings, date),
        ties=about.tie_words(findings),
        finding=headline.title(findings),
        verdict=[*headline.verdict(findings), *sentences(findings.study)],
        study_section=study_section(findings.study) if findings.study else None,
        tiles=headline.tiles(findings),
        groups=groups(findings),
        notices=notices(findings),
        effect=effect_rows(findings),
        agreement=agreement_rows(findings),
        offset_effect=offset_effect(findings),
        what_p_is=WHAT_P_IS,
        what_p_tests=WHAT_P_TESTS,
        placebo=PLACEBO,
        what_placebo_is=WHAT_PLACEBO_IS,
        detectable=_detectable(findings),
        why_not_the_difference=WHY_NOT_THE_DIFFERENCE,
        why_pairs_differ=WHY_PAIRS_DIFFER,
        what_candidates_say=(WHAT_IMPLIED_IS, WHAT_PREDICTED_IS, WHAT_STYLE_FAVOUR_IS),
        sections=sections,
        flips=[_flip(f) for f in findings.flips],
        offset_note=_offset_note(findings),
        provenance=[*_provenance(findings), *_figure_files(figures)],
        version=versions().get("charm-rm", ""),
        count=words.count,
        number=words.number,
    )


def content_policy(css: str, script: str) -> str:
    """The page's Content-Security-Policy: nothing but this style and this script, and no request."""

    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(css)}; script-src {source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def environment() -> jinja2.Environment:
    """Templates of this folder; text is escaped, and a name that nobody gave is an error."""
    loader = jinja2.FunctionLoader(asset)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def asset(name: str) -> str:
    """The text of a file beside this one: a template, the style sheet, the script."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _tables(findings: Findings) -> dict[str, listings.Listing | None]:
    return {
        "favour": listings.favour_listing(findings),
        "candidates": listings.candidates_listing(findings),
        "variants": listings.variants_listing(findings),
        "explanation": listings.explanation_listing(findings),
        "mismatch": listings.mismatch_listing(findings),
        "offsets": listings.offsets_listing(findings),
        "residuals": listings.residuals_listing(findings),
        "weights": weights_listing(findings),
        "never_rated": never_rated_listing(findings),
        "ledger": listings.plain_listing("ledger", "Label ledger", findings.ledger),
        "benchmarks": listings.benchmark_listing(findings),
        # What is compared with a baseline stands under before and after already.
        "alignment": None if effect_rows(findings) else listings.alignment_listing(findings),
    }


def _sections(findings: Findings, figures: Mapping[str, Figure], tables: Mapping[str, Any]) -> dict[str, str]:
    """The sections that have something to show, and what they are called."""
    drawn = {figure.section for figure in figures.values()}
    present = {
        "ratings": False,
        "favour": tables["favour"],
        "candidates": tables["candidates"],
        "change": findings.after or effect_rows(findings),
        "study": findings.study,
        "offsets": tables["offsets"],
        "style": findings.calibrator,
        "labels": tables["ledger"] or findings.flips,
        "evaluation": tables["benchmarks"] or tables["alignment"],
        "warnings": findings.warnings,
    }
    return {key: name for key, name in _SECTIONS.items() if key in drawn or present.get(key, True)}


def _detectable(findings: Findings) -> str:
    """What favour the audit could have seen, where it says so."""
    summary = findings.before.details.get("summary") or {}
    if not (found := summary.get("detectable_favour")):
        return ""
    told = detectable_words(found, policies=summary["policies"], prompts=summary["prompts"])
    return f"{told[0].upper()}{told[1:]}."


def _flip(row: Mapping[str, Any]) -> dict[str, str]:
    names = {k: words.clean(row.get(k) or "unnamed") for k in ("chosen_policy", "rejected_policy")}
    texts = {k: words.snippet(row.get(k)) for k in ("prompt", "chosen", "rejected")}
    return names | texts | {"margin": words.number(row.get("margin"))}


def _offset_note(findings: Findings) -> str:
    """Link and temperature in words, where the offsets' provenance has them."""
    settings = findings.offset_settings
    settings = settings.get("settings", settings)
    if not isinstance(settings, Mapping) or "link" not in settings:
        return ""
    link, temperature = words.clean(settings["link"]), settings.get("temperature")
    return f"Link: {link}{f', temperature {temperature}' if link == 'sigmoid' and temperature else ''}."


def _provenance(findings: Findings) -> list[listings.Listing]:
    sources = {
        "Run manifest": _reproducible(findings.manifest),
        "Audit before" if findings.after else "Audit": (findings.before.details.get("provenance") or {}),
        "Audit after": (findings.after.details.get("provenance") or {}) if findings.after else {},
        "Offsets": {k: v for k, v in findings.offset_settings.items() if k != "effect"},
        "Style calibration": _calibration(findings),
        "Evaluation": findings.evaluation,
    }
    files = listings.sources_listing(findings)
    asked = listings.policies_listing(findings)
    return [
        *([asked] if asked else []),
        *([files] if files else []),
        *(_pairs(name, value) for name, value in sources.items() if value),
    ]


def _reproducible(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without what another run of the same would have otherwise: when stages ran, how long, and what of the page itself."""
    stages = manifest.get("stages") or {}
    kept = {
        name: {key: value for key, value in record.items() if key not in ("started", "seconds")}
        for name, record in stages.items()
        if name != "report" and isinstance(record, Mapping)
    }
    return {key: value for key, value in manifest.items() if key != "stages"} | (
        {"stages": kept} if kept else {}
    )


def _calibration(findings: Findings) -> dict[str, Any]:
    """How the calibrator was solved, without its tables and digests."""
    if (found := findings.calibrator) is None:
        return {}
    shown = {
        name: getattr(found, name)
        for name in ("unit", "spread", "temperature", "fit_temperature", "penalty", "kept")
    }
    return shown | {"fingerprint": found.fingerprint, **found.provenance}


def _pairs(name: str, value: Any) -> listings.Listing:
    rows = words.flatten(value)
    return listings.Listing(name, name, [("Key", False), ("Value", False)], rows)


def _figure_files(figures: Mapping[str, Figure]) -> list[listings.Listing]:
    """Which figure is which file."""
    columns = [("Figure", False), ("Section", False), ("Files", False)]
    rows = [(f.title, _SECTIONS[f.section], f"figures/{key}.svg, .png") for key, f in figures.items()]
    return [listings.Listing("figures", "Figures", columns, rows)] if rows else []
