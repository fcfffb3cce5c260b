"""One case: which command, on which inputs, changed how; and whether what came was allowed."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from random import Random

from click.testing import CliRunner

from . import byte_changes, table_changes, value_changes
from .commands import Line, choose_line
from .contents import Content, Folder, Raw, Rows, Text, written
from .inputs import inputs
from .options import random_options

# Share of cases with an input that is changed; the others, and some of these, have odd options.
CHANGED = 0.75
# Written out of the way of the inputs; see the manual of charm for what may stay behind.
_LITTER = re.compile(r"\.(part|old)$|[^/]\.lock$")
# What was scored before a run without a store failed, and how policies were asked; the next one goes on from it, and says so.
_KEPT = (".partial.sqlite", ".plan.json")
_OLD_CLICK = version("click").startswith("8.1.")


@dataclass(frozen=True)
class Case:
    """A case is its seed and its number; everything else follows."""

    seed: int
    number: int
    models: bool = True


@dataclass
class Verdict:
    """What came of a case. ``fault`` is None where all is as it should be."""

    number: int
    line: str
    changes: list[str]
    exit_code: int = -1
    fault: str | None = None
    output: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0
    trace: str = field(default="", repr=False)


def prepare(case: Case, made: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Write the inputs of a case into ``folder``, the working folder; return the arguments and what was changed."""
    rng = Random(f"{case.seed}/{case.number}")
    line = choose_line(rng, models=case.models)
    kinds = [*line.kinds, *line.beside]
    inputs_too = bool(kinds) and rng.random() < CHANGED
    changed = set(rng.choices(kinds, k=rng.choice([1, 1, 1, 2]))) if inputs_too else set()
    changes: list[str] = []
    paths = {}
    for kind in dict.fromkeys(kinds):
        content = inputs(kind, rng, made)
        how = {"change": kind in changed, "beside": kind in line.beside}
        paths[kind] = _write(kind, content, rng, folder, told=changes, **how)
    return _arguments(
        line, paths, rng, options=CHANGED > 0 and (not inputs_too or rng.random() < 0.1)
    ), changes


def _arguments(line: Line, paths: dict[str, str], rng: Random, *, options: bool) -> list[str]:
    words = [re.sub(r"@(\w+)", lambda found: paths[found[1]], word) for word in line.words]
    words = [re.sub(r"%(\S+)", lambda found: f"out/{found[1]}", word) for word in words]
    if options:
        words += random_options(line.words, rng, list(paths.values()))
    elif CHANGED > 0 and line.words[0] != "init" and rng.random() < 0.02:
        words += ["-o", rng.choice(_ODD_OUTPUTS)]
    return words


_ODD_OUTPUTS = ("out/" + "x" * 300, "out/" + "y/" * 3000 + "z.parquet", ".", "..", "/", "out/a\nb.parquet", "/dev/null", "out/a.txt", "", "out/[a].parquet")  # fmt: skip


# --- writing inputs -------------------------------------------------------------------------------


def _write(
    kind: str,
    content: Content | Folder,
    rng: Random,
    folder: Path,
    *,
    change: bool,
    told: list[str],
    beside: bool,
) -> str:
    """Write one input, changed or not; return its path as the command gets it."""
    stem = kind.removeprefix("run_") if beside else kind
    if not beside and CHANGED > 0 and rng.random() < 0.03:
        stem = rng.choice(_STEMS)
        told.append(f"{kind}: named {stem[:20]!r}")
    if isinstance(content, dict):
        chosen = rng.choice(list(content)) if change else None
        for name, part in content.items():
            _write_file(
                folder / stem / name,
                part,
                rng,
                f"{kind}/{name.removesuffix(Path(name).suffix)}",
                told,
                change=name == chosen,
                fixed=True,
            )
        return stem
    path = _write_file(folder / stem, content, rng, kind, told, change=change, fixed=beside)
    return path.name


_STEMS = ("a[b]", "[0-9]", "a*b", "a?b", "with space", "na\u00efve", "x" * 200, "a:b@c", "-dash", "a\nb", "\x1b[2J", "a%20b", "~", "hf", "arena", "{x}", "$HOME", "a,b")  # fmt: skip


def _write_file(
    path: Path, content: Content, rng: Random, what: str, told: list[str], *, change: bool, fixed: bool
) -> Path:
    suffixes = content.suffixes if isinstance(content, Rows) else (content.suffix,)
    suffix = rng.choice(suffixes)
    path = path if fixed and path.suffix else path.with_name(path.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if change and rng.random() < 0.05:
        told.append(f"{what}: {_instead_of_a_file(path, rng)}")
        return path
    data = written(content, suffix)
    if change:
        data, told_of = _changed(content, suffix, data, rng)
        told.append(f"{what}{suffix}: {told_of}")
    path.write_bytes(data)
    return path


def _changed(content: Content, suffix: str, data: bytes, rng: Random) -> tuple[bytes, str]:
    """The bytes of a changed file, and the change in words."""
    if isinstance(content, Raw) or rng.random() < 0.3:
        pool = byte_changes.PARQUET if suffix == ".parquet" and rng.random() < 0.5 else byte_changes.ANY
        change = rng.choice(pool)
        return change(data, rng), change.__name__
    if suffix == ".parquet" and isinstance(content, Rows):
        return _changed_parquet(content, data, rng)
    if suffix == ".csv":
        return table_changes.csv_changed(data.decode(), rng).encode("utf-8", "surrogatepass"), "csv_changed"
    if isinstance(content, Text):
        lines = content.text.splitlines(keepends=True) or [""]
        lines[rng.randrange(len(lines))] = str(rng.choice(value_changes.VALUES)) + "\n"
        return "".join(lines).encode("utf-8", "surrogatepass"), "line_replaced"
    if suffix in value_changes.TEXT and rng.random() < (0.2 if suffix.startswith(".json") else 0.6):
        change = value_changes.TEXT[suffix]
        return change(data.decode(), rng).encode("utf-8", "surrogatepass"), change.__name__
    value = content.frame.to_dicts() if isinstance(content, Rows) else content.value
    value_change = rng.choice(value_changes.TREE)
    if isinstance(value, list) and len(value) > 60:
        value = value[:60]
    text = value_changes.as_text(value_change(value, rng), suffix)
    return text.encode("utf-8", "surrogatepass"), value_change.__name__


def _changed_parquet(content: Rows, data: bytes, rng: Random) -> tuple[bytes, str]:
    if content.metadata and rng.random() < 0.25:
        key = "charm_rm" if "charm_rm" in content.metadata else next(iter(content.metadata))
        text = content.metadata[key]
        new = (
            value_changes.json_text(text, rng)
            if rng.random() < 0.3
            else value_changes.as_text(value_changes.value_replaced(_parsed(text), rng), ".json")
        )
        return written(
            Rows(
                content.frame,
                content.suffixes,
                {**content.metadata, key: new.encode("utf-8", "replace").decode()},
            ),
            ".parquet",
        ), "metadata_changed"
    for _ in range(5):
        change = rng.choice(table_changes.FRAMES)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return written(
                    Rows(change(content.frame, rng), content.suffixes, content.metadata), ".parquet"
                ), change.__name__
        except Exception:  # what Polars cannot make, no user has
            continue
    return data, "unchanged"


def _parsed(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return {}


def _instead_of_a_file(path: Path, rng: Random) -> str:
    """Something else in the file's place."""
    kinds = (
        "missing",
        "folder",
        "full folder",
        "pipe",
        "loop",
        "dangling",
        "zero",
        "null",
        "tty",
        "no access",
    )
    kind = rng.choice(kinds)
    if kind == "folder":
        path.mkdir()
    elif kind == "full folder":
        path.mkdir()
        (path / "a.txt").write_text("x")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind in ("loop", "dangling", "zero", "null", "tty"):
        path.symlink_to(
            {
                "loop": path.name,
                "dangling": "nowhere",
                "zero": "/dev/zero",
                "null": "/dev/null",
                "tty": "/dev/tty",
            }[kind]
        )
    elif kind == "no access":
        path.write_bytes(b"x")
        path.chmod(0)
    return kind


# --- running and judging --------------------------------------------------------------------------


def run(arguments: list[str], *, debug: bool = False) -> tuple[int, str, str, BaseException | None]:
    """Run ``charm`` in this process: exit code, standard output, standard error, and what it let through."""
    from charm_rm.cli import main

    runner = CliRunner(mix_stderr=False) if _OLD_CLICK else CliRunner()
    words = ["--debug", *arguments] if debug else arguments
    try:
        result = runner.invoke(main, words)
    except BaseException as error:  # a panic of Rust is no Exception
        return -1, "", "", error
    through = result.exception if not isinstance(result.exception, SystemExit) else None
    return result.exit_code, result.stdout, result.stderr, through


def judge(case: Case, arguments: list[str], changes: list[str], folder: Path) -> Verdict:
    """Run a case in its working folder and say what, if anything, is wrong."""
    before = dict(_files(folder))
    code, _out, err, through = run(arguments)
    verdict = Verdict(case.number, "charm " + " ".join(arguments), changes, code, output=err[-3000:])
    after = dict(_files(folder))
    verdict.fault = _fault(arguments, code, err, through) or _disorder(arguments, code, before, after, folder)
    if verdict.fault:
        verdict.trace = (
            run(
                [*arguments, *(["--force"] if "-o" in arguments and "run" not in arguments else [])],
                debug=True,
            )[2]
            if through is None
            else repr(through)
        )
    return verdict


def _fault(arguments: list[str], code: int, err: str, through: BaseException | None) -> str | None:
    if through is not None:
        return f"let through {type(through).__name__}"
    if "fault in charm" in err:
        return "fault: " + err[err.index("unexpected") :].splitlines()[0][:160]
    if "Traceback" in err:
        return "traceback"
    if odd := re.search(r"^\S+:\d+: (?!CharmWarning)\w*Warning: .*", err, re.MULTILINE):
        return f"warning: {odd[0].split(':', 2)[2].strip()[:120]}"
    if code not in (0, 1, 2, 3):  # 3: what --fail-if names holds
        return f"exit code {code}"
    if code == 1 and arguments[0] != "doctor" and not any(words in err for words in _MAY_FAIL):
        return f"exit code 1: {err.splitlines()[-1] if err else ''}"
    if code == 2 and "Usage:" not in err and "Fix:" not in err:
        return "no way out in the message"
    return None


# Failures that are nobody's input's: a solver that stops, a disk that refuses, a server.
_MAY_FAIL = ("did not converge", "writing failed", "cannot be used")


def _disorder(
    arguments: list[str],
    code: int,
    before: dict[str, tuple[int, ...]],
    after: dict[str, tuple[int, ...]],
    folder: Path,
) -> str | None:
    """Inputs that changed, files that nobody asked for, outputs that cannot be read."""
    replaced = "--force" in arguments or "run_folder" in " ".join(arguments)
    lost = [f for f in before if before[f] != after.get(f) and not f.endswith(".sqlite")]
    if lost and not (replaced and code == 0) and arguments[0] != "run":
        return f"input changed: {lost[0]}"
    new = [f for f in after if f not in before and not f.endswith(_KEPT)]
    # A run's folder is continued by the next run, so that it may be there unfinished.
    mine = [f for f in new if arguments[0] != "run" or _LITTER.search(f)]
    if code != 0 and mine and not replaced:
        return f"left behind: {mine[0]}"
    if litter := [f for f in mine if _LITTER.search(f)]:
        return f"litter: {litter[0]}"
    if code == 0:
        return _unreadable([f for f in new if f.startswith("out/")], folder)
    return None


def _unreadable(files: list[str], folder: Path) -> str | None:
    import polars as pl

    for name in files:
        try:
            if name.endswith(".parquet"):
                with (folder / name).open("rb") as file:
                    pl.read_parquet(file)
            elif name.endswith((".json", ".jsonl", ".csv", ".html")):
                (folder / name).read_text(encoding="utf-8")
        except Exception as error:
            return f"output cannot be read: {name}: {error}"
    return None


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every file with what tells that it was written to."""
    for at, _folders, names in os.walk(folder):
        for name in names:
            path = Path(at, name)
            found = path.lstat()
            yield (
                path.relative_to(folder).as_posix(),
                (found.st_size, found.st_mtime_ns, found.st_ino, stat.S_IFMT(found.st_mode)),
            )


def clear(folder: Path) -> None:
    """Empty a working folder."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            try:
                path.unlink()
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
