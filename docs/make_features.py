"""Write the table of docs/style.md from the registry of features.

python docs/make_features.py           writes it into the page, between its marks
python docs/make_features.py --check   exits with 1 where the page does not have it
"""

from __future__ import annotations

import sys
from pathlib import Path

from charm_rm.features import FEATURES

PAGE = Path(__file__).with_name("style.md")
BEGIN, END = "<!-- features: written by docs/make_features.py -->", "<!-- end of features -->"


def render() -> str:
    """The page with a fresh table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


def table() -> str:
    """One row per feature: group, name, raw number, whether it is a logarithm, version."""
    rows = ["| group | feature | raw number | | version |", "|---|---|---|---|---|"]
    for f in FEATURES.values():
        notes = ", ".join(note for note, holds in (("log", f.log), ("on request", not f.default)) if holds)
        rows.append(
            f"| {f.group} | `{f.name}` | {f.about.replace('|', chr(92) + '|')} | {notes} | {f.version} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != render():
            sys.exit(f"{PAGE.name} is stale; write it with: python docs/make_features.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_features.py [--check]")
    else:
        PAGE.write_text(render(), encoding="utf-8")
