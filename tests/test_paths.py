from pathlib import Path

from charm_rm.paths import expanded


def test_a_home_that_nobody_has_stays_a_name() -> None:
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
    assert expanded("~/x") == Path.home() / "x"
