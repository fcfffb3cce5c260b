"""Generate: prompts and policies -> a folder of responses."""

from __future__ import annotations

import dataclasses
import gc
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ... import store
from ...costs import Prices
from ...errors import CharmError, ConfigError, ReadingNote, counted, listing, verb
from ...generation import (
    Generated,
    GenerationEstimate,
    PolicyPlan,
    Taken,
    changes,
    estimate_generation,
    generate_responses,
    load_prompts,
    plan_of,
    plan_record,
    prompts_record,
    read_manifest,
    save_responses,
    take_outputs,
)
from ...generation.folder import SHAPE
from ...memo import Memo
from ...policy_specs import derived_name, load_policy, policy_opening, split_named, split_policy_spec
from ...protocols import AnsweringPolicy
from ...settings import AnswerSettings, EngineSettings, GenerateSettings, PolicySettings, settings_of
from ...spec_options import POLICY_OPTIONS, no_effect, policy_options

if TYPE_CHECKING:
    from ..run import Run

_SHARED = tuple(one.name for one in settings_of(AnswerSettings))
_DEFAULTS = {one.name: one.default for one in settings_of(AnswerSettings)}


@dataclass(frozen=True, eq=False)
class GenerateRun:
    """What each policy answered, in the order in which they were given, and the manifest that lies beside it."""

    parts: tuple[Generated | Taken, ...]
    manifest: dict[str, Any]


def wanted_policies(settings: GenerateSettings) -> list[PolicySettings]:
    """The policies of command line and file, each with a name and with the settings that its kind takes.

    Raises:
        ConfigError: there are none, two have one name, a spec is unknown, or a setting is without effect on all that it is given to.
    """
    shared = {name: getattr(settings, name) for name in _SHARED}
    found = [_of_spec(text, shared) for text in settings.policies]
    owned: list[frozenset[str]] = [frozenset()] * len(found)  # what each policy says itself
    if settings.policies_file is not None:
        from ..load import load_entries

        entries = load_entries(settings.policies_file, PolicySettings, key="policies", defaults=shared)
        found += [_of_entry(entry, own) for entry, own in entries]
        owned += [own for _, own in entries]
    if not found:
        raise ConfigError("no policy to ask", fix="give --policy SPEC, or --policies FILE")
    _refuse_idle(shared, [split_policy_spec(one.spec)[0] for one in found])
    _tell_overruled(shared, found, owned)
    _refuse_twice([one.name for one in found if one.name])
    return found


def estimate(prompts: pl.DataFrame, settings: GenerateSettings) -> list[GenerationEstimate]:
    """What the run would take at most; nothing is opened or asked."""
    return [
        estimate_generation(
            str(one.name),
            prompts,
            system=one.system,
            samples=one.samples,
            max_tokens=one.max_tokens if "max_tokens" in POLICY_OPTIONS[kind] else None,
            prices=_prices(settings),
        )
        for one in wanted_policies(settings)
        if (kind := split_policy_spec(one.spec)[0]) != "outputs"
    ]


def generate(
    prompts: pl.DataFrame,
    settings: GenerateSettings,
    output: Path,
    *,
    memo: Path,
    source: str | None = None,
    force: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = lambda _line: None,
    engine: EngineSettings | None = None,
    wanted: Sequence[PolicySettings] | None = None,
) -> GenerateRun:
    """Let every policy answer every prompt, one policy after another; ask what ``memo`` does not know yet, save the folder.

    Args:
        prompts: prompt_id and prompt.
        settings: the policies, and how they are asked.
        output: the folder.
        memo: where answers are kept as they come.
        source: where the prompts came from, for the manifest.
        force: replace what charm wrote to ``output`` before.
        progress: show bars.
        say: is told names that were made, and what is asked again.
        engine: Ray's actors ask, all policies of one model at once; None: this process.
        wanted: the policies, where a file of a run lists them; None: those of ``settings``.
    """
    wanted = wanted_policies(settings) if wanted is None else wanted
    taken = _taken(wanted, prompts)
    ray = engine is not None and engine.engine == "ray"
    with _noted(output, say) as note:
        if ray:
            how = {"engine": engine, "memo": memo, "progress": progress}
            parts = _by_ray(wanted, taken, prompts, settings, output, note, **how)
        else:
            parts = _here(wanted, taken, prompts, settings, note, memo=memo, progress=progress)
        manifest = save_responses(
            parts, output, prompts=prompts_record(prompts, source), prices=_prices(settings), force=force
        )
    if ray:
        from ...scale import clear_parts

        clear_parts(output)
    return GenerateRun(tuple(parts), manifest)


# --- policies -----------------------------------------------------------------------------------


def _of_spec(text: str, shared: Mapping[str, Any]) -> PolicySettings:
    name, spec = split_named(text)
    takes = POLICY_OPTIONS[split_policy_spec(spec)[0]]
    return _with_name(PolicySettings(name=name, spec=spec, **{k: v for k, v in shared.items() if k in takes}))


def policies_of_run(entries: Sequence[PolicySettings]) -> list[PolicySettings]:
    """The policies that the file of a run lists, each with a name. Errors as :func:`wanted_policies`."""
    found = [
        _of_entry(one, frozenset(name for name in _SHARED if getattr(one, name) != _DEFAULTS[name]))
        for one in entries
    ]
    _refuse_twice([one.name for one in found if one.name])
    return found


def run_stage(run: Run) -> str:
    """Let every policy of the run answer its instructions."""
    from ..config import GENERATED, INSTRUCTIONS

    prompts = load_prompts(run.directory / INSTRUCTIONS)
    wanted = policies_of_run(run.config.policies or ())
    done = generate(
        prompts,
        GenerateSettings(),
        run.directory / GENERATED,
        memo=run.aside(GENERATED),  # it stays: where one policy changes, the others are not asked again
        source=str(run.directory / INSTRUCTIONS),
        force=True,
        progress=run.progress,
        wanted=wanted,
    )
    answers = sum(part.frame.height for part in done.parts)
    return f"{counted(len(done.parts), 'policy', 'policies')} answered {counted(prompts.height, 'prompt')}: {counted(answers, 'response')}"


def _of_entry(entry: PolicySettings, own: frozenset[str]) -> PolicySettings:
    """An entry of a file: what it says itself has to fit its kind, what others say goes where it does not."""
    kind = split_policy_spec(entry.spec)[0]
    given = {name: getattr(entry, name) for name in _SHARED if name in own}
    policy_options(kind, given, spec=entry.spec, defaults=_all_settings)
    idle = {name: _DEFAULTS[name] for name in _SHARED if name not in POLICY_OPTIONS[kind]}
    return _with_name(dataclasses.replace(entry, **idle))


def _all_settings() -> None:
    """A verb without defaults: nothing that is given to no effect is passed over."""


def _with_name(one: PolicySettings) -> PolicySettings:
    """Outputs keep the names that they have."""
    if one.name is not None or split_policy_spec(one.spec)[0] == "outputs":
        return one
    return dataclasses.replace(one, name=derived_name(one.spec))


def _refuse_idle(shared: Mapping[str, Any], kinds: Iterable[str]) -> None:
    """Of the command line: what is without effect on every policy."""
    taken = {name for kind in kinds for name in POLICY_OPTIONS[kind]}
    if idle := [name for name, value in shared.items() if value != _DEFAULTS[name] and name not in taken]:
        raise no_effect(idle, "on these policies")


def _tell_overruled(
    shared: Mapping[str, Any], policies: Sequence[PolicySettings], owned: Sequence[frozenset[str]]
) -> None:
    """Say which settings of the command line are not those of policies that have their own in the file; refuse what none is left to take.

    Raises:
        ConfigError: every policy that could take a setting says its own.
    """
    for name, value in shared.items():
        takes = [
            i for i, one in enumerate(policies) if name in POLICY_OPTIONS[split_policy_spec(one.spec)[0]]
        ]
        own = [str(policies[i].name) for i in takes if name in owned[i]]
        if value == _DEFAULTS[name] or not own:
            continue
        flag = f"--{name.replace('_', '-')}"
        if len(own) == len(takes):
            raise ConfigError(
                f"{flag} has no effect: {listing(own)} {verb(len(own), 'says its', 'say their')} own in the file",
                fix=f"leave out {flag}, or {name} in the file",
            )
        warnings.warn(
            f"{flag} does not hold for {counted(len(own), 'policy', 'policies')} of {len(policies)} with {verb(len(own), 'its', 'their')} own "
            f"in the file: {listing(own)}",
            ReadingNote,
            stacklevel=4,
        )


def _refuse_twice(names: Sequence[str]) -> None:
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ConfigError(
            f"two policies are called {twice[0]!r}",
            fix="name them: --policy NAME=SPEC, or name: in the file",
        )


# --- asking -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opened:
    settings: PolicySettings
    policy: AnsweringPolicy | None  # None: its outputs exist


def _taken(wanted: Sequence[PolicySettings], prompts: pl.DataFrame) -> dict[int, list[Taken]]:
    """Outputs that exist, by their place among the policies: read, and their names compared, before anything is asked."""
    found = {
        place: take_outputs(one.spec.partition(":")[2], prompts, name=one.name)
        for place, one in enumerate(wanted)
        if _is_taken(one)
    }
    asked = [str(one.name) for place, one in enumerate(wanted) if place not in found]
    _refuse_twice([*asked, *(one.name for parts in found.values() for one in parts)])
    return found


def _opened_once(wanted: Sequence[PolicySettings]) -> Iterator[_Opened]:
    """Each policy opened when its turn comes; what is opened stays for those after it that are the same model, and no longer."""
    key: Any = None
    policy: AnsweringPolicy | None = None
    for one in wanted:
        if _is_taken(one):
            yield _Opened(one, None)
            continue
        if (opening := policy_opening(one)) != key:
            if policy is not None:
                policy = None
                gc.collect()  # the memory of the model before goes first
            key, policy = opening, load_policy(**opening)
        yield _Opened(one, policy)


def _here(
    wanted: Sequence[PolicySettings],
    taken: Mapping[int, Sequence[Generated | Taken]],
    prompts: pl.DataFrame,
    settings: GenerateSettings,
    note: Callable[[PolicyPlan], None],
    *,
    memo: Path,
    progress: bool,
) -> list[Generated | Taken]:
    parts: list[Generated | Taken] = []
    with Memo.open(memo) as known:
        for place, one in enumerate(_opened_once(wanted)):
            if place in taken:
                parts += taken[place]
            else:
                parts.append(_answered(one, prompts, settings, known, note, progress))
    return parts


def _answered(
    one: _Opened,
    prompts: pl.DataFrame,
    settings: GenerateSettings,
    memo: Memo,
    note: Callable[[PolicyPlan], None],
    progress: bool,
) -> Generated:
    mine = one.settings
    assert one.policy is not None
    plan = plan_of(mine, one.policy)
    note(plan)
    return generate_responses(plan, prompts, memo=memo, too_long=settings.too_long, progress=progress)


def _is_taken(one: PolicySettings) -> bool:
    return split_policy_spec(one.spec)[0] == "outputs"


def _by_ray(
    wanted: Sequence[PolicySettings],
    taken: Mapping[int, Sequence[Generated | Taken]],
    prompts: pl.DataFrame,
    settings: GenerateSettings,
    output: Path,
    note: Callable[[PolicyPlan], None],
    **how: Any,
) -> list[Generated | Taken]:
    """All that are asked by actors, and the outputs that exist, in the order in which they were given."""
    from ...scale import generate_by_ray

    to_ask = [one for one in wanted if not _is_taken(one)]
    made = generate_by_ray(to_ask, prompts, output, too_long=settings.too_long, **how) if to_ask else []
    for part in made:
        note(part.plan)
    asked = iter(made)
    return [part for i in range(len(wanted)) for part in (taken[i] if i in taken else [next(asked)])]


@contextmanager
def _noted(output: Path, say: Callable[[str], None]) -> Iterator[Callable[[PolicyPlan], None]]:
    """Compare each policy with what an earlier run to this output asked, and keep what this one asks, until it has succeeded."""
    path = output.with_name(f".{output.name}.plan.json")
    before = read_manifest(output)
    try:
        before = store.read_shaped(path, SHAPE) or before
    except CharmError:
        path.unlink(missing_ok=True)
    asked: list[PolicyPlan] = []

    def note(plan: PolicyPlan) -> None:
        asked.append(plan)
        now = plan_record(asked)
        for line in changes(before, plan_record([plan])):
            say(line)
        later = [one for one in before.get("policies", ()) if one["policy"] not in {p.name for p in asked}]
        store.write_json({"policies": [*now["policies"], *later]}, path, force=True)

    yield note
    path.unlink(missing_ok=True)


def _prices(settings: GenerateSettings) -> Prices | None:
    if settings.price_in is None or settings.price_out is None:
        return None
    return Prices(settings.price_in, settings.price_out)
