"""Whose certificates are trusted, and that they are not read for every session."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

import certifi

from charm_rm.errors import ConfigError
from charm_rm.remote.certificates import trusted


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_they_are_verified_and_read_once() -> None:
    context = trusted(environment=True)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs()
    assert trusted(environment=True) is context


def test_the_file_of_the_environment_is_read_where_it_is_to_be_heeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = trusted(environment=False)
    first = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    (tmp_path / "one.pem").write_text("".join(first[:2]))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "one.pem"))
    assert len(trusted(environment=True).get_ca_certs()) == 1
    assert trusted(environment=False) is ours
    shutil.copy(certifi.where(), tmp_path / "all.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "all.pem"))
    assert len(trusted(environment=True).get_ca_certs()) > 1


def test_a_file_that_is_not_there_is_no_reason_to_trust_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE names no file of certificates"):
        trusted(environment=True)
