"""Folders are replaced whole, at once, and only where everything in them is charm's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import folders, store
from charm_rm.errors import OutputExists, WriteFailed
from charm_rm.folders import MARKER, foreign_files, refuse_folder, replacing_directory

Charm = Callable[..., Result]


def written(folder: Path, *names: str, force: bool = False) -> Path:
    with replacing_directory(folder, force=force) as temporary:
        for name in names:
            (temporary / name).parent.mkdir(exist_ok=True)
            (temporary / name).write_text(name)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_it_appears_whole_or_the_old_one_stays(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", "a", "figures/b")
    with pytest.raises(RuntimeError), replacing_directory(folder, force=True) as temporary:
        (temporary / "c").write_text("half")
        raise RuntimeError
    assert names(folder) == [MARKER, "a", "figures/b"]
    with pytest.raises(WriteFailed, match="untouched"), replacing_directory(folder, force=True):
        raise OSError(28, "No space left on device")
    with pytest.raises(OutputExists, match="already exists"):
        written(folder, "c")
    written(folder, "c", force=True)
    assert names(folder) == [MARKER, "c"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_marker_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one", "b", "a"), written(tmp_path / "other", "a", "b")
    assert (one / MARKER).read_bytes() == (other / MARKER).read_bytes()


class TestWhatIsNotOurs:
    def test_a_file_beside_ours_is_refused_and_kept(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "out", "a")
        (folder / "thesis.tex").write_text("years of work")
        with pytest.raises(OutputExists, match="did not write.*'thesis.tex'"):
            written(folder, "b", force=True)
        assert names(folder) == [MARKER, "a", "thesis.tex"]
        assert [p.name for p in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("name", ["deep/notes.txt", ".hidden", "a.bak", "deep/a"])
    def test_of_any_name(self, tmp_path: Path, name: str) -> None:
        folder = written(tmp_path / "out", "a")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
        assert foreign_files(folder) == [name]
        with pytest.raises(OutputExists, match="did not write"):
            refuse_folder(folder, force=True)

    def test_a_link_to_a_folder_is_foreign(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "out", "a")
        (tmp_path / "precious").mkdir()
        (folder / "link").symlink_to(tmp_path / "precious")
        assert foreign_files(folder) == ["link"]

    def test_a_folder_without_a_marker(self, tmp_path: Path) -> None:
        folder = tmp_path / "notes"
        folder.mkdir()
        (folder / "README.md").write_text("mine")
        with pytest.raises(OutputExists, match="'README.md'"):
            written(folder, "a", force=True)

    @pytest.mark.parametrize("content", ["", "[]", '{"files": 3}', "{", '{"files": ["b"]}'])
    def test_a_marker_that_does_not_name_it(self, tmp_path: Path, content: str) -> None:
        folder = written(tmp_path / "out", "a")
        (folder / MARKER).write_text(content)
        assert "a" in foreign_files(folder)

    def test_folders_of_earlier_versions_are_known_by_their_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "prefs"
        folder.mkdir()
        for name in ("preferences.parquet", "preferences.jsonl", "ledger.parquet", "README.md"):
            (folder / name).touch()
        assert foreign_files(folder) == []
        (folder / "extra.parquet").touch()
        assert foreign_files(folder) == ["extra.parquet"]
        (folder / "extra.parquet").unlink()
        (folder / "ledger.parquet").unlink()
        assert foreign_files(folder) == ["README.md", "preferences.jsonl", "preferences.parquet"]

    def test_what_comes_in_meanwhile_is_kept(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "out", "a")
        refused = pytest.raises(OutputExists, match="the old folder is kept as 'out.kept-")
        with refused, replacing_directory(folder, force=True) as temporary:
            (temporary / "b").touch()
            (folder / "late.txt").write_text("late")
        assert names(folder) == [MARKER, "b"]
        kept = next(p for p in tmp_path.iterdir() if p != folder)
        assert (kept / "late.txt").read_text() == "late"


class TestPlaces:
    @pytest.mark.parametrize("where", [".", "/", "~", "..", "sub/.."])
    def test_no_place_that_holds_more(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        home = tmp_path / "home"
        (home / "work" / "sub").mkdir(parents=True)
        monkeypatch.chdir(home / "work")
        monkeypatch.setenv("HOME", str(home))
        with pytest.raises(OutputExists, match=r"an output folder is replaced as a whole"):
            refuse_folder(Path(where).expanduser(), force=True)

    def test_a_link_is_refused_for_files_and_folders(self, tmp_path: Path) -> None:
        real = written(tmp_path / "real", "a")
        (tmp_path / "link").symlink_to(real)
        (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere.csv")
        (tmp_path / "file.csv").symlink_to(real / "a")
        with pytest.raises(OutputExists, match="is a symbolic link"):
            refuse_folder(tmp_path / "link", force=True)
        for name in ("dangling.csv", "file.csv"):
            with pytest.raises(OutputExists, match="is a symbolic link"):
                store.write_text("x", tmp_path / name, force=True)
        assert (real / "a").read_text() == "a"

    def test_a_pipe_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(OutputExists, match="neither a file nor a folder"):
            store.write_text("x", tmp_path / "pipe.csv", force=True)

    def test_inputs(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        (data / "deep").mkdir(parents=True)
        table = data / "deep" / "scores.csv"
        table.touch()
        for output, given in ((data, table), (data / "deep", data), (table.parent, table), (data, data)):
            with pytest.raises(OutputExists, match=r"contain one another|did not write"):
                refuse_folder(output, force=True, inputs=[given])
        refuse_folder(data / "out", force=True, inputs=[table, None, "org/some-rm"])


class TestKilledRuns:
    def litter(self, path: Path, kind: str, *, process: int | None = None) -> Path:
        if process is None:  # one that has ended
            process = int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))
        found = path.with_name(f".{path.name}.{store._MACHINE}-{process}-0123abcd.{kind}")
        found.mkdir()
        (found / "x").touch()
        return found

    @pytest.mark.parametrize("kind", ["part", "old"])
    def test_their_litter_is_cleared(self, tmp_path: Path, kind: str) -> None:
        folder = written(tmp_path / "out", "a")
        self.litter(folder, kind)
        written(folder, "b", force=True)
        assert [p.name for p in tmp_path.iterdir()] == ["out"]

    def test_of_those_that_run_and_of_others_it_is_not(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "out", "a")
        kept = [self.litter(folder, "part", process=os.getpid()), tmp_path / ".out.mine.part"]
        kept[1].mkdir()
        written(folder, "b", force=True)
        assert all(path.exists() for path in kept)

    def test_a_folder_set_aside_by_a_killed_run_comes_back(self, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        aside = self.litter(folder, "old")
        (aside / "x").unlink()
        store.write_text(store.as_json({"files": ["a"]}), aside / MARKER)
        (aside / "a").touch()
        with pytest.raises(RuntimeError), replacing_directory(folder, force=True):
            raise RuntimeError
        assert names(folder) == [MARKER, "a"]

    def test_files_too(self, tmp_path: Path) -> None:
        path = tmp_path / "s.csv"
        litter = self.litter(path, "part")
        shutil.rmtree(litter)
        litter.touch()
        store.write_text("x", path)
        assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]

    def test_without_an_exchange_of_names(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folders, "_exchange", lambda _one, _other: False)
        folder = written(written(tmp_path / "out", "a"), "b", force=True)
        assert names(folder) == [MARKER, "b"]
        assert [p.name for p in tmp_path.iterdir()] == ["out"]

    @pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
    def test_names_are_exchanged_in_one_step(self, tmp_path: Path) -> None:
        one, other = written(tmp_path / "one", "a"), written(tmp_path / "other", "b")
        assert folders._exchange(one, other)
        assert names(one) == [MARKER, "b"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a person's own files, and what relabelling reads elsewhere."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    rows = [
        {"prompt_id": f"q{q}", "prompt": f"Q{q}?", "policy": p, "response": f"{p}{q}", "score": float(q + i)}
        for q in range(20)
        for i, p in enumerate(("one", "two", "three"))
    ]
    frame = pl.DataFrame(rows)
    store.write_frame(frame.select("prompt_id", "policy", "score"), tmp_path / "scores.csv")
    store.write_frame(frame.drop("score"), tmp_path / "responses.jsonl")
    ratings = pl.DataFrame({"policy": ["one", "two", "three"], "rating": [1000.0, 1100.0, 1200.0]})
    store.write_frame(ratings, tmp_path / "ratings.csv")
    return folder


def test_no_command_deletes_what_is_not_its_own(charm: Charm, project: Path, tmp_path: Path) -> None:
    scores, ratings = tmp_path / "scores.csv", tmp_path / "ratings.csv"
    for command in (
        ("audit", scores, "--ratings", ratings),
        ("audit", "--example"),
        ("compare", scores, scores, "--ratings", ratings),
        ("influence", scores, "--ratings", ratings),
        ("relabel", scores, tmp_path / "responses.jsonl", tmp_path / "offsets.parquet"),
        ("train", tmp_path / "pairs.jsonl", "--rm", "org/some-rm"),
    ):
        result = charm(*command, "-o", project, "--force")
        assert result.exit_code == 2, (command, result.output)
        assert "thesis.tex" in result.stderr
        assert (project / "thesis.tex").read_text() == "years of work"
        result = charm(*command, "-o", tmp_path, "--force")
        assert result.exit_code == 2, command
    assert scores.exists()


@pytest.mark.usefixtures("project")
def test_an_audit_replaces_its_own_folder(charm: Charm, tmp_path: Path) -> None:
    line = ("audit", tmp_path / "scores.csv", "--ratings", tmp_path / "ratings.csv", "-o", tmp_path / "audit")
    assert charm(*line).exit_code == 0
    assert charm(*line).exit_code == 2
    assert charm(*line, "--force").exit_code == 0
    (tmp_path / "audit" / MARKER).unlink()  # as earlier versions left it
    assert charm(*line, "--force").exit_code == 0


def test_what_only_its_owner_could_read_gets_the_permissions_of_new_files(tmp_path: Path) -> None:
    """Weights are written so by some libraries, and a group could not load the model."""
    old = os.umask(0o027)
    try:
        with replacing_directory(tmp_path / "model") as folder:
            (folder / "inside").mkdir(mode=0o700)
            for name in ("model.safetensors", "inside/x.json"):
                (folder / name).write_text("{}")
                (folder / name).chmod(0o600)
    finally:
        os.umask(old)
    modes = {p.relative_to(tmp_path).as_posix(): p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes.pop("model") == modes.pop("model/inside") == 0o750
    assert set(modes.values()) == {0o640}


def test_a_study_stays_its_owners_alone(tmp_path: Path) -> None:
    with replacing_directory(tmp_path / "demo", force=False) as temporary:
        for name in ("study.db", "table.parquet"):
            (temporary / name).touch(mode=0o600)
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "demo").iterdir()}
    assert modes["study.db"] == 0o600
    assert modes["table.parquet"] == 0o666 & ~store.umask()
