"""Write src/charm_rm/data/bias_panel.jsonl, the pairs of the bias panel: python docs/make_panel.py (``--check``: fail where it is stale)."""

from __future__ import annotations

import sys
from pathlib import Path

from charm_rm.benchmarks.panel_items import written

FILE = Path(__file__).resolve().parents[1] / "src" / "charm_rm" / "data" / "bias_panel.jsonl"

if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != written():
            sys.exit(f"{FILE.name} is stale; write it with: python docs/make_panel.py")
    elif sys.argv[1:]:
        sys.exit("usage: python docs/make_panel.py [--check]")
    else:
        FILE.write_text(written(), encoding="utf-8")
