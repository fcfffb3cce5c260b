"""``charm init``."""

from __future__ import annotations

import json

from charm_rm.pipeline import load_config


def test_writes_a_template_that_validates_and_never_overwrites(charm, tmp_path):
    path = tmp_path / "new" / "mine.yaml"
    result = charm("init", path)
    assert result.exit_code == 0, result.output
    assert load_config(path).rm is not None
    assert "charm run mine.yaml" in path.read_text()
    path.write_text("mine")
    refused = charm("init", path)
    assert refused.exit_code == 2
    assert "already exists" in refused.output
    assert path.read_text() == "mine"
    assert charm("init", path, "--force").exit_code == 0
    assert load_config(path).seed == 0


def test_the_schema_is_printed_and_named_where_it_lies_beside(charm, tmp_path):
    printed = charm("init", "--schema", tmp_path / "charm.yaml")
    assert printed.exit_code == 0
    assert "responses" in json.loads(printed.stdout)["properties"]
    assert not (tmp_path / "charm.yaml").exists()
    charm("init", tmp_path / "alone.yaml")
    assert not (tmp_path / "alone.yaml").read_text().startswith("# yaml-language-server")
    (tmp_path / "charm.schema.json").write_text(printed.stdout)
    charm("init", tmp_path / "charm.yaml")
    first = (tmp_path / "charm.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=charm.schema.json"
    assert load_config(tmp_path / "charm.yaml").seed == 0
