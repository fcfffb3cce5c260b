"""``charm data``: lists, fetches, finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from charm_rm.public_data import Entry, registry
from public_data.servers import Files, file_server, git_id

Charm = Callable[..., Result]


def test_the_list_shows_licences_and_what_is_here(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "llmbar" / "Natural").mkdir(parents=True)
    (tmp_path / "llmbar" / "Natural" / "dataset.json").write_text("[]")
    done = charm("data", "list", "--data-dir", tmp_path)
    assert done.exit_code == 0, done.output
    assert "CC BY-NC 4.0 *" in done.stdout
    assert "but 4 files" in done.stdout
    rows = {
        row["name"]: row
        for row in json.loads(charm("data", "list", "--data-dir", tmp_path, "--json").stdout)["data"]
    }
    assert rows["llmbar"]["path"] == str(tmp_path / "llmbar")
    assert rows["alpaca-eval"]["must_accept"] is True
    assert rows["rm-bench"]["path"] is None


def test_a_set_is_fetched_and_found(charm: Charm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch", reason="needs the [data] extra")
    with file_server(Files({"a.json": b"[]"})) as files:
        entry = Entry(
            "small", "Small", "files", "https://page", "main", "none given", True, ("a.json",), url=files.url,
            checks={"a.json": f"git:{git_id(b'[]')}"},
        )  # fmt: skip
        monkeypatch.setattr(registry, "_entries", lambda: {"small": entry})
        refused = charm("data", "fetch", "small", "--data-dir", tmp_path)
        assert refused.exit_code == 2
        assert "licence: none given" in refused.stderr
        done = charm("data", "fetch", "small", "--data-dir", tmp_path, "--accept-licence")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "small")
    assert charm("data", "path", "small", "--data-dir", tmp_path).stdout.strip() == str(tmp_path / "small")
    facts = json.loads(charm("data", "path", "small", "--data-dir", tmp_path, "--json").stdout)
    assert (facts["files"], facts["missing"], facts["licence"]) == (1, 0, "none given")


def test_what_is_not_here_or_not_known_is_said(charm: Charm, tmp_path: Path) -> None:
    done = charm("data", "path", "rm-bench", "--data-dir", tmp_path)
    assert done.exit_code == 2
    assert "charm data fetch rm-bench" in done.stderr
    done = charm("data", "fetch", "rmbench")
    assert done.exit_code == 2
    assert "Did you mean 'rm-bench'" in done.stderr
