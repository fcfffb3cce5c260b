"""Write llms.txt, what a language model reads first of a project (llmstxt.org): the pages that docs/README.md lists.

python docs/make_llms.py           writes it
python docs/make_llms.py --check   exits with 1 where it is not fresh
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
FILE = DOCS.parent / "llms.txt"


def render() -> str:
    """Name and question of the project, from the first lines of the README; then each page and what it is for."""
    title, question = (DOCS.parent / "README.md").read_text(encoding="utf-8").split("\n\n")[:2]
    listed = [f"- [{name}](docs/{name}): {about}" for name, about in pages()]
    return "\n".join([title, "", f"> {question.strip('*')}", "", "## Docs", "", *listed, ""])


def pages() -> list[tuple[str, str]]:
    """(file, what it is for) of each page in the table of docs/README.md."""
    table = (DOCS / "README.md").read_text(encoding="utf-8").partition("## ")[0]
    return [
        (name, about)
        for about, name in re.findall(r"^\| (.+?) \| \[([\w-]+\.md)\]\(\2\)", table, re.MULTILINE)
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if not FILE.exists() or FILE.read_text(encoding="utf-8") != render():
            sys.exit(f"{FILE.name} is stale; write it with: python docs/make_llms.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_llms.py [--check]")
    else:
        FILE.write_text(render(), encoding="utf-8")
