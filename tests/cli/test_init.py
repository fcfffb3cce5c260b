"""``charm init``."""

from __future__ import annotations

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
