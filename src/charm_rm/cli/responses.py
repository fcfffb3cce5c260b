"""``charm responses``: a look at responses before anyone scores them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from .common import conclude, echo, print_frame, print_json
from .fail_if import Figure, Gate, Measured, apply_gates, fail_if_option
from .help import CharmCommand, CharmGroup
from .options import PATH, json_option, table_options, top_option

if TYPE_CHECKING:
    from ..generation import ResponseCheck
    from ..settings import TableSettings

_COUNTS = ("missing", "empty", "cut_off", "refused", "duplicated", "identical")
_WORDS = "missing {missing}, empty {empty}, cut off {cut_off}, refused {refused}, duplicated {duplicated}, identical {identical}"
# What --fail-if can name: counts of all policies, and the same as shares of one policy's answers and gaps.
NAMES: dict[str, str | None] = {
    **dict.fromkeys(_COUNTS),
    **dict.fromkeys([f"{name}_share" for name in _COUNTS], "policy"),
}


@click.group("responses", cls=CharmGroup)
def command() -> None:
    """Look at responses before anyone scores them.

    \b
    Examples:
      charm responses check responses/ --prompts prompts.parquet
    """


@command.command("check", cls=CharmCommand, short_help="What is missing, empty, cut off, refused or repeated")
@click.argument("responses", type=PATH)
@click.option(
    "--prompts",
    type=PATH,
    help="The prompts that each policy should have answered (default: all that any of them did).",
)
@table_options("responses", "prompts", samples=False)
@top_option(10)
@fail_if_option(NAMES)
@json_option
def check(
    responses: Path,
    prompts: Path | None,
    read_as: TableSettings,
    top: int,
    gates: tuple[Gate, ...],
    as_json: bool,
) -> None:
    """Count what spoils RESPONSES: a table of prompt, policy and response, or a folder that `charm generate` wrote.

    missing: a prompt without an answer of the policy; of several samples, each by which a prompt has fewer than the policy's
    others. empty: no text. cut off: ended at the limit of tokens (where the table has
    finish_reason). refused: opens with a refusal or an apology (English phrases), or the server says so. duplicated: the policy
    gives the same text to several prompts. identical: another policy gives the same text to the same prompt.

    --fail-if takes these counts over all policies, and each with _share: a policy's share of its answers and gaps.

    \b
    Examples:
      charm responses check responses/
      charm responses check responses/ --prompts prompts.parquet
      charm responses check r.jsonl --fail-if 'missing>0 or empty>0'
      charm responses check r.jsonl --fail-if 'refused_share>0.2'
    """
    from ..generation import check_responses, load_prompts
    from ..responses import load_responses

    table = load_responses(responses, columns=read_as.fields("responses"))
    wanted = None if prompts is None else load_prompts(prompts, columns=read_as.named("prompts"))
    found = check_responses(table, prompts=wanted)
    _show(found, top, as_json=as_json)
    apply_gates(gates, _figures(found))


def _show(found: ResponseCheck, top: int, *, as_json: bool) -> None:
    total = found.total
    if as_json:
        return print_json(
            {
                "prompts": found.prompts,
                "others": found.others,
                "total": total,
                "policies": found.policies.to_dicts(),
                "identical": found.identical.to_dicts(),
                "findings": found.findings.to_dicts(),
            }
        )
    words = _WORDS.format(**{name: "unknown" if n is None else f"{n:,}" for name, n in total.items()})
    conclude(words)
    print_frame(
        found.policies,
        title=f"{counted(found.policies.height, 'policy', 'policies')}, {counted(found.prompts, 'prompt')}",
        limit=40,
    )
    if found.others:
        echo(f"not looked at: {counted(found.others, 'answer')} to prompts that are not in --prompts")
    if found.findings.height:
        print_frame(found.findings, title="Findings", limit=top or None, main=False)
    if found.identical.height:
        print_frame(found.identical, title="Policies with texts in common", limit=top or None, main=False)
    if not any(total.values()):
        echo(
            "nothing missing, empty, refused or repeated"
            + ("; cut-off answers cannot be told" if total["cut_off"] is None else "")
        )
    elif total["cut_off"] is None:
        echo("cut-off answers cannot be told: no answer has a finish_reason")
    return None


def _figures(found: ResponseCheck) -> Measured:
    whole = {name: Figure(n) for name, n in found.total.items()}
    rows = {
        row["policy"]: {
            f"{name}_share": Figure(
                None if row[name] is None else row[name] / (row["answers"] + row["missing"])
            )
            for name in _COUNTS
        }
        for row in found.policies.iter_rows(named=True)
    }
    return Measured(whole, {"policy": rows})
