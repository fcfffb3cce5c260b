"""Writing whole folders: a folder appears complete, the old one stays until then, and nothing that is not ours is ever deleted.

``--force`` replaces a folder only where every file in it is known to be charm's own: those that the marker in it lists
(:data:`MARKER`), and those with the names that charm's folders have had all along (:data:`_KNOWN`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from . import store
from .errors import CharmError, OutputExists, listing

# Names the files that were written with it; one line of JSON, the same bytes for the same files.
MARKER = ".charm-files.json"

# A file that only such a folder has -> the names that its files may have.
_KNOWN = {
    "audit.json": (
        *("mismatch.parquet", "win_rates.parquet", "ratings.parquet", "favouritism.parquet", "audit.json"),
        *("families.parquet", "families.json", "report.html", "figures/*.svg", "figures/*.png"),
    ),
    "ledger.parquet": ("preferences.parquet", "preferences.jsonl", "ledger.parquet", "README.md"),
    "evaluation.json": ("benchmarks.parquet", "credits.parquet", "alignment.parquet", "evaluation.json"),
    "comparison.json": (
        *("favour.parquet", "figures.parquet", "ratings.parquet", "comparison.json", "comparison.html"),
        *("differences.parquet", "favour_differences.parquet", "benchmarks.parquet", "pareto.parquet"),
    ),
    "influence.json": ("policies.parquet", "prompts.parquet", "votes.parquet", "influence.json"),
    "training.json": (
        *("training.json", "README.md", "config.json", "generation_config.json", "model*.safetensors"),
        *("model.safetensors.index.json", "adapter_config.json", "adapter_model*.safetensors", "tokenizer*"),
        *(
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "spm.model",
        ),
        *("spiece.model", "sentencepiece.bpe.model", "chat_template.jinja", "training_args.bin"),
    ),
}
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def refuse_folder(path: str | Path, *, force: bool, inputs: Sequence[str | Path | None] = ()) -> Path:
    """Return ``path``, an output folder that may be written; refuse before the work what could lose something.

    Args:
        path: the folder; it need not exist.
        force: replace what charm wrote there before.
        inputs: files and folders that are read; names that are no paths here, and None, are passed over.

    Raises:
        OutputExists: the folder holds something and ``force`` is off, or something that charm did not write; it is a
            link, the working, the home or the root folder; or an input is that folder, lies in it, or holds it.
    """
    path = store.refuse_existing(path, force=force)
    if path.is_file():
        raise OutputExists("is a file; a folder is needed", where=str(path), fix="choose another path")
    _refuse_place(path)
    for given in inputs:
        if given is not None and Path(given).exists():
            _refuse_input(path, Path(given))
    if path.is_dir() and (foreign := foreign_files(path)):
        raise OutputExists(
            f"contains files that charm did not write, and --force would delete them: {listing(foreign, limit=3)}",
            where=str(path),
            fix="choose another folder, or move these files away",
        )
    return path


@contextlib.contextmanager
def replacing_directory(path: str | Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary folder; on success it takes the place of ``path``, at once where the file system can exchange two names.

    On any error the temporary folder is removed and what ``path`` held before stays whole.

    Raises:
        OutputExists: as :func:`refuse_folder`.
        WriteFailed: the file system refused.
    """
    path = refuse_folder(path, force=force)
    with store.writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        store.clear_litter(path)
        temporary = store.temporary_path(path)
        temporary.mkdir(mode=0o700)
    try:
        with store.writing_to(path):
            yield temporary
            _mark(temporary)
            _open_up(temporary)
            _take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def foreign_files(folder: Path) -> list[str]:
    """The files in a folder that nothing shows to be charm's; links to folders are foreign, empty folders nobody's."""
    found = sorted(_files(folder))
    marked = _marked(folder)
    names: list[str] = [MARKER, *marked] if marked else []
    patterns = [p for hallmark, known in _KNOWN.items() if hallmark in found for p in known]
    return [
        f
        for f in found
        if f not in names and not any(f.count("/") == p.count("/") and fnmatchcase(f, p) for p in patterns)
    ]


# --- details ------------------------------------------------------------------------------------


def _files(folder: Path) -> Iterator[str]:
    """Everything in the folder that is no folder itself, by its path from there."""
    for at, folders, files in os.walk(folder):
        for name in (*files, *(f for f in folders if Path(at, f).is_symlink())):
            yield Path(at, name).relative_to(folder).as_posix()


def _open_up(folder: Path) -> None:
    """The permissions that new files and folders get here: some libraries write files that their owner alone may read.

    A study's database stays its owner's: it holds who voted for what, and the secret that signs sessions.
    """
    closed = store.umask()
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink() and path.suffix != ".db":
            path.chmod((0o777 if path.is_dir() else 0o666) & ~closed)


def _mark(folder: Path) -> None:
    store.write_text(store.as_json({"files": sorted(_files(folder))}), folder / MARKER)


def _marked(folder: Path) -> list[str]:
    """The files that the folder's marker lists; none where there is no marker that can be read."""
    try:
        content = store.read_json(folder / MARKER)
    except (CharmError, OSError):
        return []
    files = content.get("files") if isinstance(content, dict) else None
    return [str(f) for f in files] if isinstance(files, list) else []


def _refuse_place(path: Path) -> None:
    """Refuse the folders that nobody means to have replaced."""
    real, here = path.resolve(), Path.cwd()
    places = {
        Path("/"): "the root folder",
        Path.home().resolve(): "your home folder",
        here: "the working folder",
    }
    what = places.get(real)
    if what is None and real in here.parents:
        what = "a folder above the working folder"
    if what is None and real in Path.home().resolve().parents:
        what = "a folder above your home folder"
    if what is None and path.is_dir() and os.path.ismount(path):
        what = "a mount point"
    if what is not None:
        raise OutputExists(
            f"is {what}, and an output folder is replaced as a whole",
            where=str(path),
            fix="name a folder of its own in it",
        )


def _refuse_input(path: Path, given: Path) -> None:
    output, read = path.resolve(), given.resolve()
    if output == read or output in read.parents or (read.is_dir() and read in output.parents):
        raise OutputExists(
            f"the output folder and the input {str(given)!r} contain one another",
            where=str(path),
            fix="choose a folder apart from what is read",
        )


def _take_place(temporary: Path, path: Path) -> None:
    """Put ``temporary`` at ``path``; what was there is deleted after a last look that it is ours."""
    if not path.exists():
        temporary.rename(path)
        return
    if _exchange(temporary, path):
        retired = temporary
    else:  # two steps: a run that is killed between them leaves the old folder under a name that the next one gives back
        retired = temporary.with_suffix(".old")
        path.rename(retired)
        temporary.rename(path)
    if any(retired.iterdir()) and (foreign := foreign_files(retired)):
        kept = path.with_name(f"{path.name}.kept-{os.getpid()}")
        retired.rename(kept)
        raise OutputExists(
            f"{listing(foreign, limit=3)} came into the output while it was made; the old folder is kept as {kept.name!r}",
            where=str(path),
            fix="look into both",
        )
    shutil.rmtree(retired)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step (Linux's renameat2); False where system or file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(other))
