from pathlib import Path

import pytest

from charm_rm import audit
from charm_rm.errors import UnreadableFile
from charm_rm.paths import expanded


def test_a_home_that_nobody_has_stays_a_name() -> None:
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert expanded("~/x") == Path.home() / "x"


def test_the_text_of_a_table_is_no_name() -> None:
    with pytest.raises(UnreadableFile, match="text of several lines"):
        audit("prompt_id,policy,score\n" * 300, "arena")
