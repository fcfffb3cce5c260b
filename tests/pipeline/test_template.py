"""The template validates, names every key, and shows the true defaults."""

from __future__ import annotations

from pathlib import Path

import yaml

from charm_rm.models.training.settings import TrainSettings
from charm_rm.pipeline import Config, check_config, config_template, load_config
from charm_rm.pipeline.config import Section, TrainSection
from charm_rm.pipeline.load import section_type


def test_template_validates_and_gives_the_defaults(tmp_path: Path):
    path = tmp_path / "charm.yaml"
    path.write_text(config_template())
    config = load_config(path)
    source = str(tmp_path / "responses.parquet")
    bare = check_config(
        {"responses": {"source": source}, "rm": {"model": str(tmp_path / "path/to/reward-model")}}
    )
    untold = {"rm", "evaluate"}
    assert config.model_dump(exclude=untold) == bare.model_dump(exclude=untold)


def _keys(model: type[Section]) -> set[str]:
    found = set()
    for key in model.model_fields:
        section = section_type(model, key)
        found |= {key} | (_keys(section) if section else set())
    return found


def test_template_names_every_key_and_describes_it():
    text = config_template()
    for key in _keys(Config):
        assert f"{key}:" in text
    for name in ("train", "calibrate"):
        section = section_type(Config, name)
        assert all(f.description for f in section.model_fields.values())


def test_training_keys_and_defaults_are_those_of_the_trainer():
    defaults = {k: f.default for k, f in TrainSection.model_fields.items()}
    assert defaults == {k: getattr(TrainSettings(), k) for k in defaults}


def test_template_is_plain_yaml():
    assert set(yaml.safe_load(config_template())) <= set(Config.model_fields)


def test_the_documentation_shows_the_template_as_it_is():
    page = Path(__file__).resolve().parents[2] / "docs" / "pipeline.md"
    assert config_template() in page.read_text(), "docs/pipeline.md is stale: paste what `charm init` writes"
