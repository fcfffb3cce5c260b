"""The template validates, names every key, and shows the true defaults."""

from __future__ import annotations

from pathlib import Path

import yaml

from charm_rm.pipeline import Config, check_config, config_template, load_config
from charm_rm.pipeline.load import section_type
from charm_rm.settings import Settings, settings_of


def test_template_validates_and_gives_the_defaults(tmp_path: Path):
    path = tmp_path / "charm.yaml"
    path.write_text(config_template())
    config = load_config(path)
    source = str(tmp_path / "responses.parquet")
    bare = check_config(
        {"responses": {"source": source}, "rm": {"model": str(tmp_path / "path/to/reward-model")}}
    )
    untold = {"rm", "evaluate"}
    told, default = ({k: v for k, v in c.values().items() if k not in untold} for c in (config, bare))
    assert told == default


def _keys(cls: type[Settings]) -> set[str]:
    found = set()
    for one in settings_of(cls):
        section = section_type(cls, one.name)
        found |= {one.name} | (_keys(section) if section else set())
    return found


def test_template_names_every_key():
    text = config_template()
    for key in _keys(Config):
        assert f"{key}:" in text


def test_template_is_plain_yaml():
    assert set(yaml.safe_load(config_template())) <= {one.name for one in settings_of(Config)}


def test_the_documentation_shows_the_template_as_it_is():
    page = Path(__file__).resolve().parents[2] / "docs" / "pipeline.md"
    assert config_template() in page.read_text(), "docs/pipeline.md is stale: python docs/make_pipeline.py"
