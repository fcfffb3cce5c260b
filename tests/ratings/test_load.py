"""Leaderboards: the shipped table, every known layout, and never a mixture of dates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmError, CharmWarning, ConfigError, ReadingNote, SchemaError, UnreadableFile
from charm_rm.ratings import fit_ratings, load_ratings, resolve_names
from charm_rm.sources import load_example

from .strategies import battles_of


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A folder of the Arena hub dataset's shape: two configurations, two splits, several dates."""

    def rows(date: str, level: float, categories: tuple[str, ...] = ("overall", "coding")) -> list[dict]:
        return [
            {
                "model_name": name,
                "organization": "org",
                "license": "MIT",
                "rating": level + gap,
                "rating_lower": level + gap - 5 if name != "new" else None,
                "rating_upper": level + gap + 5 if name != "new" else None,
                "variance": 6.5,
                "vote_count": 1000,
                "rank": 1,
                "category": category,
                "leaderboard_publish_date": date,
            }
            for category in categories
            for name, gap in [("good", 100.0), ("bad", 0.0), ("new", 50.0)]
        ]

    for config, level in [("text", 1000.0), ("text_style_control", 900.0)]:
        folder = tmp_path / "hub" / config
        folder.mkdir(parents=True)
        latest = rows("2026-10-20", level)
        pl.DataFrame(latest).write_parquet(folder / "latest-00000-of-00001.parquet")
        history = rows("2024-12-31", level - 70, ("overall",)) + rows("2025-06-30", level - 30) + latest
        pl.DataFrame(history).write_parquet(folder / "full-00000-of-00001.parquet")
    return tmp_path / "hub"


def rating(spec: object, policy: str, **choice: str) -> float:
    return load_ratings(spec, **choice).frame.row(by_predicate=pl.col("policy") == policy, named=True)[
        "rating"
    ]


# --- the shipped table --------------------------------------------------------------------------


def test_the_shipped_arena_table() -> None:
    ratings = load_ratings("arena")
    assert len(ratings) == 245
    assert ratings.frame["category"].unique().to_list() == ["overall"]
    assert ratings.frame["date"].unique().to_list() == ["2026-10-20"]
    assert ratings.frame["std_err"].null_count() == 0
    assert "CC BY 4.0" in ratings.provenance["source"]


def test_a_category_may_stand_in_the_name_or_beside_it() -> None:
    assert load_ratings("arena:coding").frame.equals(load_ratings("arena", category="coding").frame)
    assert load_ratings("arena:coding@2026-10-20").provenance["category"] == "coding"


@pytest.mark.parametrize(
    ("spec", "choice", "message"),
    [
        ("arena:codin", {}, "no category 'codin'.*Did you mean 'coding'"),
        ("arena@2024-12-31", {}, "no date '2024-12-31'.*1 date: 2026-10-20"),
        ("arena:coding", {"category": "math"}, "two different categories: 'coding'.*'math'"),
    ],
)
def test_what_the_shipped_table_does_not_have(spec: str, choice: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_ratings(spec, **choice)


# --- the hub dataset's shape --------------------------------------------------------------------


def test_a_hub_folder_gives_its_latest_overall_table_by_default(hub: Path) -> None:
    ratings = load_ratings(hub)
    assert ratings.provenance["date"] == "2026-10-20"
    assert ratings.provenance["category"] == "overall"
    best = ratings.frame.row(by_predicate=pl.col("policy") == "good", named=True)
    assert (best["rating"], best["ci_low"], best["ci_high"], best["votes"]) == (1100.0, 1095.0, 1105.0, 1000)
    assert best["std_err"] == pytest.approx(5 / 1.959963985)


def test_a_null_interval_stays_unknown(hub: Path) -> None:
    new = load_ratings(hub).frame.row(by_predicate=pl.col("policy") == "new", named=True)
    assert (new["std_err"], new["ci_low"], new["ci_high"]) == (None, None, None)


def test_configuration_date_and_category_of_a_hub_folder(hub: Path) -> None:
    assert rating(f"{hub}:text_style_control", "good") == 1000.0
    assert rating(f"{hub}:text@2024-12-31", "good") == 1030.0
    assert rating(f"{hub}@2025-06-30", "good", category="coding") == 1070.0
    assert rating(hub, "good", date="latest") == 1100.0


def test_a_hub_folder_names_what_it_has(hub: Path) -> None:
    with pytest.raises(
        UnreadableFile, match=r"configurations here: text, text_style_control. Did you mean 'text'"
    ):
        load_ratings(f"{hub}:txt")
    with pytest.raises(
        ConfigError, match=r"no date '2025-01-01'.*nearest: 2024-12-31, 2025-06-30, 2026-10-20"
    ):
        load_ratings(f"{hub}@2025-01-01")
    with pytest.raises(ConfigError, match=r"no date '2024-12-31'.*2 dates from 2025-06-30"):
        load_ratings(f"{hub}@2024-12-31", category="coding")


def test_the_hub_name_reads_the_same_files_from_the_hub(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def from_the_hub(pattern: str) -> pl.LazyFrame:
        asked.append(pattern)
        return pl.read_parquet(
            pattern.replace("hf://datasets/lmarena-ai/leaderboard-dataset", str(hub))
        ).lazy()

    monkeypatch.setattr(pl, "scan_parquet", from_the_hub)
    assert rating("hf:lmarena-ai/leaderboard-dataset", "good") == 1100.0
    assert rating("hf:lmarena-ai/leaderboard-dataset:text_style_control@2024-12-31", "good") == 930.0
    assert asked == [
        "hf://datasets/lmarena-ai/leaderboard-dataset/text/latest-*.parquet",
        "hf://datasets/lmarena-ai/leaderboard-dataset/text_style_control/full-*.parquet",
    ]


def test_an_unreachable_hub_is_an_error_that_offers_the_offline_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_pattern: str) -> pl.LazyFrame:
        raise pl.exceptions.ComputeError("error sending request")

    monkeypatch.setattr(pl, "scan_parquet", fail)
    with pytest.raises(UnreadableFile, match=r"error sending request[^$]*offline, download the split"):
        load_ratings("hf:lmarena-ai/leaderboard-dataset")


# --- files --------------------------------------------------------------------------------------


def test_a_csv_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("policy,rating,std_err\nx,1010,10\ny,990.5,5\n")
    ratings = load_ratings(path)
    assert ratings.frame["rating"].to_list() == [1010.0, 990.5]
    assert ratings.frame["ci_high"][0] == pytest.approx(1029.6, abs=0.01)
    assert ratings.provenance["source"] == path.name
    assert len(ratings.provenance["source_sha256"]) == 64


def test_the_csv_history_layout(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(
        "rank,model,arena_score,95_pct_ci,votes,organization\n"
        "1,Best,1470,+5/-7,26019,Org\n2,Same,1134,+6/-6,15917,Org\n3,Same,1134,+6/-6,15917,Org\n"
    )
    ratings = load_ratings(path)
    assert len(ratings) == 2  # a row repeated word for word but for its rank counts once
    assert ratings.frame.select("policy", "rating", "ci_low", "ci_high", "votes").row(0) == (
        "Best",
        1470.0,
        1463.0,
        1475.0,
        26019,
    )


def test_an_unreadable_interval_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("model,arena_score,95_pct_ci\na,1470,+5/-7\nb,1400,5\n")
    with pytest.raises(SchemaError, match=r"row 1 \(model 'b'\): 95_pct_ci '5' is not of the form"):
        load_ratings(path)


def test_the_catalog_json_layout(tmp_path: Path) -> None:
    path = tmp_path / "leaderboard.json"
    entry = {"rating": 1300.5, "rating_q025": 1290.0, "rating_q975": 1311.0}
    path.write_text(json.dumps({"full": {"x": entry}, "ocr": {"x": {**entry, "rating": 1295}}}))
    assert rating(path, "x", category="full") == 1300.5
    assert rating(f"{path}:ocr", "x") == 1295.0
    with pytest.raises(ConfigError, match="several categories and none was chosen: 'full', 'ocr'"):
        load_ratings(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"full": ["x"]}, "category 'full': expected an object, found list"),
        ({"full": {"x": {"score": 1}}}, "category 'full', model 'x': no numeric 'rating'"),
    ],
)
def test_json_of_another_shape_names_the_place(tmp_path: Path, document: object, message: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(document))
    with pytest.raises(SchemaError, match=message):
        load_ratings(path)


def test_rows_with_style_control_are_a_category_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("policy,rating,category,style_control\nx,1000,full,false\nx,900,full,true\n")
    assert rating(path, "x", category="full") == 1000.0
    assert rating(path, "x", category="full+style_control") == 900.0


def test_several_dates_must_be_chosen_from(tmp_path: Path) -> None:
    path = tmp_path / "dated.csv"
    path.write_text("date,policy,rating\n2024-12-30,x,1\n2024-12-31,x,2\n2025-01-01,x,3\n")
    with pytest.raises(
        ConfigError, match="several dates and none was chosen: 3 dates from 2024-12-30 to 2025-01-01"
    ):
        load_ratings(path)
    assert rating(path, "x", date="2024-12-31") == 2.0
    assert rating(f"{path}@2024-12-30", "x") == 1.0
    assert rating(path, "x", date="latest") == 3.0
    with pytest.raises(ConfigError, match=r"no date '2024-01-01'.*nearest"):
        load_ratings(path, date="2024-01-01")


def test_a_date_asked_of_a_table_without_dates_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("policy,rating\nx,1\n")
    with pytest.raises(ConfigError, match="'2024-12-31' was asked for, but the table has no date"):
        load_ratings(path, date="2024-12-31")


def test_two_ratings_of_one_policy_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("policy,rating\nx,1000\nx,1001\ny,900\n")
    with pytest.raises(SchemaError, match="several different ratings for 1 policy, such as 'x': 1000, 1001"):
        load_ratings(path)


def test_no_known_layout_says_what_to_name_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("policy,ratng\nx,1000\n")
    with pytest.raises(SchemaError, match=r"no known leaderboard layout.*Did you mean 'ratng'"):
        load_ratings(path)


def test_fitted_ratings_come_back_with_their_covariance(tmp_path: Path) -> None:
    ratings = fit_ratings(battles_of([("x", "y", "a"), ("y", "z", "a"), ("z", "x", "tie"), ("x", "y", "b")]))
    store.save(ratings, tmp_path / "fitted.parquet")
    back = load_ratings(tmp_path / "fitted.parquet")
    np.testing.assert_allclose(back.covariance, ratings.covariance)
    assert back.provenance["made_by"]["verb"] == "fit_ratings"


def test_the_origin_of_a_saved_leaderboard_stays_with_it(tmp_path: Path) -> None:
    store.save(load_ratings("arena:math"), tmp_path / "math.csv")
    assert "CC BY 4.0" in load_ratings(tmp_path / "math.csv").provenance["origin"]


@pytest.mark.parametrize("spec", ["nosuch.csv", "nosuch.csv@2024-12-31", "nosuch"])
def test_a_missing_file_is_an_error(spec: str) -> None:
    with pytest.raises(UnreadableFile, match="nosuch"):
        load_ratings(spec)


# --- real files ---------------------------------------------------------------------------------


@pytest.mark.realdata
def test_real_leaderboard_files(real_data: Path) -> None:
    arena = real_data / "arena"
    assert (
        rating(arena / "leaderboard_2024-06_2025-08.parquet", "Gemma-2-9B-it-SimPO", date="2024-12-31")
        == 1216.0
    )
    assert len(load_ratings(arena / "leaderboard_2024-06_2025-08.parquet", date="latest")) == 265
    assert len(load_ratings(arena / "formats" / "llm-leaderboard-csv_lmarena_text.csv")) == 265
    assert (
        len(load_ratings(arena / "formats" / "arena-catalog_leaderboard-vision.json", category="ocr")) == 43
    )
    by_category = arena / "leaderboard_by_category_2025-01_2025-05.parquet"
    plain, controlled = (
        load_ratings(by_category, category=c, date="2025-05-06") for c in ("coding", "coding+style_control")
    )
    assert plain.policies == controlled.policies
    assert plain.frame["rating"].to_list() != controlled.frame["rating"].to_list()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("leaderboard_2024-06_2025-08.parquet", {}),
        ("leaderboard_by_category_2025-01_2025-05.parquet", {"date": "2025-05-06"}),
        ("leaderboard_by_category_2025-01_2025-05.parquet", {"category": "full", "date": "2025-05-27"}),
    ],
)
def test_real_files_that_hold_several_tables_are_never_mixed(
    real_data: Path, name: str, choice: dict
) -> None:
    with pytest.raises(CharmError, match=r"none was chosen|mixes snapshots"):
        load_ratings(real_data / "arena" / name, **choice)


@pytest.mark.parametrize(
    ("row", "interval"), [("1100,1000,1050", r"\[1000, 1050\]"), ("1020,1030,1010", r"\[1030, 1010\]")]
)
def test_a_rating_outside_its_own_interval_names_row_and_policy(
    tmp_path: Path, row: str, interval: str
) -> None:
    path = tmp_path / "board.csv"
    path.write_text(f"model,rating,ci_low,ci_high\nfine,1000,990,1010\nodd,{row}\n")
    with pytest.raises(
        SchemaError, match=f"row 1: policy 'odd': rating .* outside its own interval {interval}"
    ):
        load_ratings(path)


def test_rounding_does_not_put_a_rating_outside_its_interval(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("model,rating,ci_low,ci_high\nx,1000,1000.4,1010\ny,999.995,1000,1001\nz,998,,1000\n")
    assert len(load_ratings(path)) == 3


# --- tables copied from the Arena's page, and columns in other names -------------------------------


@pytest.mark.parametrize(
    ("header", "interval", "ends"),
    [
        (
            "Rank* (UB),Rank (StyleCtrl),Model,Arena Score,95% CI,Votes,Organization",
            "+5/-4",
            (1466.0, 1475.0),
        ),
        ("Rank (UB),Rank,Model,Score,95% CI (±),Votes,License", "±4.5", (1465.5, 1474.5)),
        ("rank,x_rank,model,arena_score,95_pct_ci,votes,organization", "-4 / +5", (1466.0, 1475.0)),
        ("rank,rank_stylectrl,name,Elo,Confidence Interval,num_battles,license", "+/-5", (1465.0, 1475.0)),
    ],
)
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
@pytest.mark.filterwarnings("ignore:ratings. ignored unknown column:charm_rm.errors.CharmWarning")
def test_tables_copied_from_the_page(
    tmp_path: Path, header: str, interval: str, ends: tuple[float, float]
) -> None:
    path = tmp_path / "board.csv"
    path.write_text(f"{header}\n1,1,Gemini-2.5-Pro,1470,{interval},26019,x\n2,2,oak,1400,,100,x\n")
    row = load_ratings(path).frame.row(0, named=True)
    assert (row["policy"], row["rating"], row["votes"]) == ("Gemini-2.5-Pro", 1470.0, 26019)
    assert (row["ci_low"], row["ci_high"]) == ends


def test_other_names_of_columns_are_told(tmp_path: Path) -> None:
    path = tmp_path / "fit.csv"
    path.write_text("model,elo,rating_q025,rating_q975,num_battles\noak,1100,1090,1112,55\n")
    with pytest.warns(
        ReadingNote, match="'elo' as rating, 'rating_q025' as ci_low, 'rating_q975' as ci_high"
    ):
        row = load_ratings(path).frame.row(0, named=True)
    assert (row["rating"], row["ci_low"], row["ci_high"], row["votes"]) == (1100.0, 1090.0, 1112.0, 55)


def test_a_column_of_its_own_name_wins_over_another_spelling(tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    path.write_text("policy,rating,elo_score\noak,1100,5\n")
    with pytest.warns(CharmWarning, match="ignored unknown column 'elo_score'"):
        assert rating(path, "oak") == 1100.0


def test_a_score_alone_is_no_rating(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("model,score\noak,1100\n")
    with pytest.raises(SchemaError, match="these are scores, no ratings"):
        load_ratings(path)


@pytest.mark.parametrize("names", ["model_a,model_b", "Model A,Model B", "policy_a,policy_b"])
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_votes_are_sent_to_the_fit(tmp_path: Path, names: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(f"{names},winner\noak,elm,model_a\n")
    with pytest.raises(SchemaError, match="votes or verdicts between two models.*\n.*charm ratings fit"):
        load_ratings(path)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_the_arenas_table_of_models_has_no_ratings(tmp_path: Path) -> None:
    path = tmp_path / "leaderboard_table.csv"
    path.write_text("key,Model,MT-bench (score),MMLU,License\noak,Oak,7.01,0.587,MIT\n")
    with pytest.raises(SchemaError, match="describes models and has no ratings"):
        load_ratings(path)


def test_the_example_has_older_policies_under_both_worlds_names() -> None:
    ratings = load_ratings("example")
    assert len(ratings) == 45
    shipped = load_example().ratings.frame
    with pytest.warns(CharmWarning, match="close, not the same"):
        names = resolve_names(shipped["policy"], ratings)
    by_name = dict(ratings.frame.select("policy", "rating").iter_rows())
    assert [by_name[names[p]] for p in shipped["policy"]] == shipped["rating"].to_list()
    assert "gemma-2-9b-it-simpo" in by_name
    assert "without intervals" in ratings.provenance["source"]
    with pytest.raises(ConfigError, match="no category"):
        load_ratings("example:coding")
