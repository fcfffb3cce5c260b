"""AlpacaEval's leaderboards as they stand: percent, an unnamed first column, the baseline's own row."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm import load_example, load_source
from charm_rm.errors import ConfigError, ReadingNote, SchemaError
from charm_rm.settings import TableSettings
from charm_rm.tables import WinRates

HEADER = (
    ",win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,discrete_win_rate,mode,avg_length,"
    "length_controlled_winrate,lc_standard_error\n"
)
BODY = """oak,76.92,0.91,676,129,0,805,83.98,community,872,86.46,0.14
base,50.0,0.0,0,0,805,805,50.0,minimal,2049,50.0,
elm,12.5,1.1,90,713,2,805,11.3,verified,900,14.2,0.3
"""


def board(path: Path, text: str = HEADER + BODY) -> Path:
    path.write_text(text)
    return path


def test_a_leaderboard_is_win_rates_against_its_baseline(tmp_path: Path) -> None:
    path = board(tmp_path / "leaderboard.csv")
    with pytest.warns(ReadingNote, match="win_rate in percent against 'base', whose own row is left out"):
        found = load_source(path)
    assert isinstance(found, WinRates)
    assert found.frame.select("policy", "reference", "win_rate", "n", "std_err").rows() == [
        ("oak", "base", pytest.approx(0.7692), 805, pytest.approx(0.0091)),
        ("elm", "base", 0.125, 805, pytest.approx(0.011)),
    ]
    assert found.provenance["baseline"] == "base"


def test_the_length_controlled_rates_are_one_option_away(tmp_path: Path) -> None:
    table = TableSettings.of({"win_rate": "length_controlled_winrate"})
    with pytest.warns(
        ReadingNote, match="length_controlled_winrate in percent against 'base', whose own row is left out$"
    ):
        found = load_source(board(tmp_path / "leaderboard.csv"), table=table)
    assert found.frame["win_rate"].to_list() == pytest.approx([0.8646, 0.142])
    with pytest.raises(ConfigError, match="the table has no column 'lc'"):
        load_source(board(tmp_path / "leaderboard.csv"), table=TableSettings.of({"win_rate": "lc"}))


@pytest.mark.parametrize("name", ["policy", "model", "name", "Unnamed: 0"])
def test_the_first_column_by_any_name(tmp_path: Path, name: str) -> None:
    path = board(tmp_path / "leaderboard.csv", name + HEADER + BODY.replace("oak", "1.10"))
    with pytest.warns(ReadingNote, match="AlpacaEval leaderboard"):
        assert load_source(path).policies == ["1.10", "base", "elm"]


def test_a_baseline_that_nobody_names_has_to_be_given(tmp_path: Path) -> None:
    path = board(tmp_path / "leaderboard.csv", HEADER + "".join(BODY.splitlines(keepends=True)[::2]))
    with pytest.raises(ConfigError, match="does not say whom all others met: no row wins 50 %") as caught:
        load_source(path)
    assert "--baseline" in str(caught.value)
    with pytest.warns(ReadingNote, match="against 'davinci'; --column win_rate=length_controlled_winrate"):
        assert load_source(path, baseline="davinci").policies == ["davinci", "elm", "oak"]


def test_two_rows_without_error_are_no_baseline(tmp_path: Path) -> None:
    path = board(
        tmp_path / "leaderboard.csv", HEADER + BODY + BODY.splitlines()[1].replace("base", "twin") + "\n"
    )
    with pytest.raises(ConfigError, match="'base', 'twin' win 50 % without error"):
        load_source(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("76.92,", "176.92,", "row 0 .*'oak'.*win_rate 176.92 is no percentage"),
        ("76.92,", "-1,", "win_rate -1"),
    ],
)
def test_rates_that_are_no_percentages(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        load_source(board(tmp_path / "leaderboard.csv", HEADER + BODY.replace(old, new)))


def test_shares_are_refused(tmp_path: Path) -> None:
    path = board(tmp_path / "l.csv", "model,win_rate,standard_error\noak,0.7,0.01\nelm,0.2,0.01\n")
    with pytest.raises(SchemaError, match="at most 1: these are shares"):
        load_source(path, baseline="base")


def test_a_judge_cannot_be_chosen_of_a_leaderboard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a leaderboard"):
        load_source(board(tmp_path / "leaderboard.csv"), annotator="gpt")


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_the_published_leaderboard_gives_the_shipped_example(real_data: Path) -> None:
    """The win rates that the package ships are those of the leaderboard."""
    found = load_source(real_data / "alpaca_eval" / "leaderboard_gpt4_turbo.csv")
    shipped = load_example().win_rates.frame
    both = shipped.join(found.frame, on=["policy", "reference"], suffix="_read")
    assert both.height == 33  # the others have other names in the package
    assert both["n"].to_list() == both["n_read"].to_list()
    for column in ("win_rate", "std_err"):
        assert (both[column] - both[f"{column}_read"]).abs().max() < 1e-6
