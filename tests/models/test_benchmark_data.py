"""Benchmarks' files from a folder, and from a hub on the loopback that speaks its protocol."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from charm_rm.benchmarks import load_benchmark
from charm_rm.errors import ConfigError, UnreadableFile
from charm_rm.models.benchmark_data import BenchmarkFiles, benchmark_files

hub = pytest.importorskip("huggingface_hub", reason="needs the [hf] extra")

OLD, NEW = "1" * 40, "2" * 40


def rows(chosen: str) -> bytes:
    item = {"prompt": "p", "chosen": chosen, "rejected": "no", "subset": "donotanswer", "id": 1}
    return (json.dumps(item) + "\n").encode()


class Hub(ThreadingHTTPServer):
    """`owner/name` with one file at two revisions; `seen` are the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.seen: list[str] = []
        self.files = {
            OLD: {"rewardbench.jsonl": rows("old")},
            NEW: {"rewardbench.jsonl": rows("new"), "code.py": b"1"},
        }


class _Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(f"{self.command} {self.path}")
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:4] == ["api", "datasets", "owner", "name"]:
            names = {"main": NEW, "v1": OLD, OLD: OLD, NEW: NEW}
            revision = names.get(parts[5] if len(parts) > 5 else "main")
            if revision is None:
                return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            files = [{"rfilename": f} for f in self.server.files[revision]]
            tree = [
                {"type": "file", "path": f, "size": len(b), "oid": "x"}
                for f, b in self.server.files[revision].items()
            ]
            about = {
                "id": "owner/name",
                "sha": revision,
                "siblings": files,
                "private": False,
                "tags": [],
                "downloads": 0,
            }
            return self._send(200, json.dumps(tree if "tree" in parts[4:5] else about).encode())
        if parts[:4] == ["datasets", "owner", "name", "resolve"]:
            body = self.server.files[parts[4]]["/".join(parts[5:])]
            etag = hashlib.sha256(body).hexdigest()
            return self._send(
                200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": parts[4], "Accept-Ranges": "bytes"}
            )
        return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        from huggingface_hub import _snapshot_download, constants, file_download, hf_api

        for module in (constants, hf_api, file_download, _snapshot_download):
            if hasattr(module, "ENDPOINT"):
                monkeypatch.setattr(module, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, file_download):
            if hasattr(module, "HUGGINGFACE_CO_URL_TEMPLATE"):
                monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server
        server.shutdown()


def test_a_folder_and_a_file_are_what_they_are(tmp_path: Path) -> None:
    assert benchmark_files("llmbar", tmp_path) == BenchmarkFiles(tmp_path)
    (tmp_path / "f.jsonl").write_text("")
    assert benchmark_files("llmbar", tmp_path / "f.jsonl").folder == tmp_path / "f.jsonl"


@pytest.mark.usefixtures("server")
def test_the_newest_revision_is_named_and_an_older_one_can_be_pinned() -> None:
    newest = benchmark_files("rewardbench", "owner/name")
    assert newest.revisions == (f"owner/name@{NEW}",)
    assert load_benchmark("rewardbench", newest.folder).items[0].chosen == ("new",)
    older = benchmark_files("rewardbench", "owner/name@v1")
    assert older.revisions == (f"owner/name@{OLD}",)
    assert load_benchmark("rewardbench", older.folder).items[0].chosen == ("old",)
    assert not list(newest.folder.rglob("*.py"))  # no code of a dataset is brought here


def test_a_revision_that_is_here_whole_needs_no_hub(server: Hub) -> None:
    first = benchmark_files("rewardbench", f"owner/name@{OLD}")
    asked = len(server.seen)
    assert asked > 0
    assert benchmark_files("rewardbench", f"owner/name@{OLD}") == first
    assert len(server.seen) == asked


@pytest.mark.parametrize("data", ["owner/name@v9", "owner/other"])
@pytest.mark.usefixtures("server")
def test_what_the_hub_has_not_is_said(data: str) -> None:
    with pytest.raises(UnreadableFile, match="neither a folder nor a dataset that the hub gave"):
        benchmark_files("rewardbench", data)


def test_words_that_are_no_id(tmp_path: Path) -> None:
    for data in (tmp_path / "missing", "./missing", "missing", "a/b/c"):
        with pytest.raises(UnreadableFile, match="no such folder or file, and no id of the hub"):
            benchmark_files("rewardbench", data)
    with pytest.raises(ConfigError, match="'llmbar' names no dataset of the hub"):
        benchmark_files("llmbar", "hub")
    with pytest.raises(ConfigError, match="unknown benchmark"):
        benchmark_files("none", "hub")
