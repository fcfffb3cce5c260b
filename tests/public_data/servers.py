"""Real servers on loopback: one of plain files with faults, one that speaks as much of the hub's language as a download takes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Files:
    """Files by path; ``faults``: what the next answers for a path do in place of sending it (``cut``, ``404``, ``503``)."""

    content: dict[str, bytes]
    faults: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextlib.contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    for name, value in {"content_length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)


@contextlib.contextmanager
def file_server(files: Files) -> Iterator[Files]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path).lstrip("/")
        files.asked.append(path)
        fault = files.faults.get(path) and files.faults[path].pop(0)
        body = files.content.get(path)
        if fault == "cut" and body is not None:
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
        elif fault or body is None:
            send(request, int(fault or 404))
        else:
            send(request, 200, body)

    with serving(answer) as url:
        files.url = url
        yield files


@contextlib.contextmanager
def hub_server(files: Files, *, repo: str, listed: dict[str, bytes] | None = None) -> Iterator[Files]:
    """A hub with one data set; ``listed``: contents that it lists the hashes of, where they are not those that it sends."""
    names = listed or files.content

    def answer(request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path).partition("?")[0]
        files.asked.append(path)
        if path.startswith(f"/api/datasets/{repo}/tree/"):
            tree = [{"type": "file", "path": n, "size": len(d), "oid": git_id(d)} for n, d in names.items()]
            send(request, 200, json.dumps(tree).encode(), content_type="application/json")
        elif path == f"/api/datasets/{repo}" or path.startswith(f"/api/datasets/{repo}/revision/"):
            siblings = [{"rfilename": n, "size": len(d), "blobId": git_id(d)} for n, d in names.items()]
            about = {
                "id": repo,
                "sha": COMMIT,
                "siblings": siblings,
                "private": False,
                "tags": [],
                "downloads": 0,
            }
            send(request, 200, json.dumps(about).encode(), content_type="application/json")
        elif path.startswith(f"/datasets/{repo}/resolve/{COMMIT}/"):
            name = path.split(f"/resolve/{COMMIT}/", 1)[1]
            fault = files.faults.get(name) and files.faults[name].pop(0)
            body = files.content[name]
            headers = {"X_Repo_Commit": COMMIT, "ETag": f'"{git_id(body)}"'}
            if fault == "cut" and request.command == "GET":
                request.send_response(200)
                for key, value in {"Content_Length": str(len(body)), **headers}.items():
                    request.send_header(key.replace("_", "-"), value)
                request.end_headers()
                request.wfile.write(body[: len(body) // 2])
                request.close_connection = True
            else:
                send(request, 200, body, **headers)
        else:
            send(request, 404, b'{"error": "Repository not found"}', X_Error_Code="RepoNotFound")

    with serving(answer) as url:
        files.url = url
        yield files
