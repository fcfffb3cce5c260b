"""Manifests and hashes tell apart what matters."""

from __future__ import annotations

from pathlib import Path

from charm_rm.provenance import Manifest, hash_path


def test_manifests_tell_apart_what_matters_and_nothing_else() -> None:
    one = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=0, versions={"numpy": "1"})
    same = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=0, versions={"numpy": "2"})
    other = Manifest("audit", {"scores": "aa"}, {"draws": 10}, seed=1)
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = hash_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert hash_path(tmp_path) != first
