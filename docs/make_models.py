"""Write the tables of docs/models.md from the registry of reward models.

python docs/make_models.py           writes them into the page, between its marks
python docs/make_models.py --check   exits with 1 where the page does not have them
"""

from __future__ import annotations

import sys
from pathlib import Path

from charm_rm.models.loading.registry import Entry, list_entries

PAGE = Path(__file__).with_name("models.md")
BEGIN, END = "<!-- registry: written by docs/make_models.py -->", "<!-- end of registry -->"
_SOURCES = {"huggingface.co": "card", "arxiv.org": "paper", "github.com": "code"}


def render() -> str:
    """The page with fresh tables."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def tables() -> str:
    """One row per entry: its ids and how it is read; below, its notes."""
    rows = ["| entry | hub ids | kind | read how | sources |", "|---|---|---|---|---|"]
    rows += [
        f"| `{e.name}` | {', '.join(f'`{i}`' for i in e.ids)} | {e.kind} | {reading(e)} | {_sources(e)} |"
        for e in list_entries()
    ]
    notes = [f"- **{e.name}**: {e.notes}" for e in list_entries() if e.notes]
    return "\n".join([*rows, "", *notes])


def reading(entry: Entry) -> str:
    """What the entry changes, in words."""
    parts = {
        "head": " → ".join(f"`{layer}`" for layer in entry.head),
        "gate at": f"tokens {entry.gate_pattern}" if entry.gate_pattern else "",
        "pooling": entry.pooling if entry.pooling != "last" else "",
        "reward": f"`{entry.reward}`" if entry.reward else "",
        "field": f"`{entry.output}`" if entry.output else "",
        "sign": "-1 (lower is better)" if entry.sign < 0 else "",
        "template": "of its own" if entry.template else "",
        "ends with": f"config's `{entry.end_token}`" if entry.end_token else "",
        "configuration of": f"`{entry.base}`" if entry.base else "",
        "at most": f"{entry.max_length} tokens" if entry.max_length else "",
        "remote code": "needs `--trust-remote-code`" if entry.trust_remote_code else "",
    }
    return "; ".join(f"{name} {said}" for name, said in parts.items() if said) or "as transformers reads it"


def _sources(entry: Entry) -> str:
    """The addresses, each under the name of what it is."""
    names = [next((n for host, n in _SOURCES.items() if host in url), "page") for url in entry.source]
    return ", ".join(f"[{name}]({url})" for name, url in zip(names, entry.source, strict=True))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != render():
            sys.exit(f"{PAGE.name} is stale; write it with: python docs/make_models.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_models.py [--check]")
    else:
        PAGE.write_text(render(), encoding="utf-8")
