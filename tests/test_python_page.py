"""The page on Python, and the notebook: every snippet runs, in the order of the page."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


def _notebook() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return read


def _code(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_the_pages_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency")
    monkeypatch.chdir(tmp_path)
    known: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of loosely known scales, and of columns in other names
        for snippet in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
            exec(compile(snippet, "docs/python.md", "exec"), known)
    said = capsys.readouterr().out
    assert "Audit: 12 policies on 200 prompts" in said
    assert "should hold a text, found 7.0" in said
    assert (tmp_path / "favour.svg").exists()
    assert (tmp_path / "preferences.parquet").exists()


def test_the_page_names_functions_that_there_are() -> None:
    import charm_rm

    named = set(re.findall(r"\b(as_[a-z]+)\b", PAGE))
    assert named == {name for name in charm_rm.__all__ if name.startswith("as_")}


def test_the_notebook_is_stored_without_outputs_and_traces() -> None:
    """What a run leaves is of one machine; a kernel named otherwise is nowhere else."""
    stored = _notebook()
    assert stored["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in stored["cells"]:
        assert cell["metadata"] == {}
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|work|Users|tmp)/", text)
    assert len(text) < 20_000


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the [test] extra")
    nbformat = pytest.importorskip("nbformat", reason="needs the [test] extra")
    pytest.importorskip("ipykernel", reason="needs the [test] extra")
    pytest.importorskip("pandas", reason="pandas is no dependency")
    run = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(run)
    client = nbclient.NotebookClient(run, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})  # fmt: skip
    client.execute()
    shown = [output for cell in run.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"text/html", "image/svg+xml", "text/plain"} <= kinds
    assert any("most favoured: velvet" in output["data"].get("text/plain", "") for output in shown if "data" in output)  # fmt: skip
    assert not list(tmp_path.iterdir())
