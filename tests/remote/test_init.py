"""The package loads what it needs when it is needed, and says what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import charm_rm.remote


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_importing_loads_no_http() -> None:
    result = run(
        "import sys, charm_rm, charm_rm.remote\n"
        "print([m for m in ('httpx', 'tenacity', 'httpcore') if m in sys.modules])"
    )
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize("missing", ["httpx", "tenacity"])
def test_a_missing_extra_names_the_pip_command(missing: str) -> None:
    result = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from charm_rm.errors import MissingExtra\n"
        "import charm_rm.remote\n"
        "for name in ('load_remote_reward', 'OpenAIChat'):\n"
        "    try: getattr(charm_rm.remote, name)\n"
        "    except MissingExtra as error: print(name, str(error).replace('\\n', ' '))"
    )
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["load_remote_reward", "OpenAIChat"]
    for line in result.stdout.splitlines():
        assert missing in line, result.stderr
        assert 'pip install ".[api]"' in line


def test_every_public_name_is_there() -> None:
    pytest.importorskip("httpx", reason="needs the [api] extra")
    for name in charm_rm.remote.__all__:
        assert getattr(charm_rm.remote, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = charm_rm.remote.nothing  # type: ignore[attr-defined]
