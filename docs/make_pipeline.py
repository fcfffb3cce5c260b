"""Write the key table of docs/pipeline.md: what ``charm init`` writes, made from the settings themselves.

python docs/make_pipeline.py           writes it
python docs/make_pipeline.py --check   exits with 1 where the page is not what it would write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from charm_rm.pipeline import config_template

PAGE = Path(__file__).with_name("pipeline.md")
# The first YAML block of the page is the template.
BLOCK = re.compile(r"```yaml\n.*?```\n", flags=re.DOTALL)


def render() -> str:
    """The page as text."""
    block = f"```yaml\n{config_template()}```\n"
    return BLOCK.sub(lambda _old: block, PAGE.read_text(encoding="utf-8"), count=1)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text(encoding="utf-8") != render():
            sys.exit(f"{PAGE.name} is stale; write it with: python docs/make_pipeline.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_pipeline.py [--check]")
    else:
        PAGE.write_text(render(), encoding="utf-8")
