"""``--fail-if``: the grammar, what an expression holds for, exit codes, and that a verdict is not passed off as evidence."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.cli.fail_if import Figure, Measured, apply_gates, parse_gate, test_gate
from charm_rm.cli.measured import AUDIT_NAMES, COMPARE_NAMES, EVALUATE_NAMES
from charm_rm.errors import BadSetting

Charm = Callable[..., Result]
NAMES = {"favour": "policy", "q": "policy", "mismatch": "pair", "spearman": None, "sharpness": None}
FOUND = Measured(
    {"spearman": Figure(0.9, 0.8, 0.95), "sharpness": Figure(2.0, 1.5, 2.5)},
    {
        "policy": {
            "a": {"favour": Figure(60, -10, 130), "q": Figure(0.3)},
            "b": {"favour": Figure(-80, -99, -61), "q": Figure(0.001)},
            "c": {"favour": Figure(40, None, 90), "q": Figure(None)},
        },
        "pair": {"a against b": {"mismatch": Figure(0.2)}},
    },
)


def fails(text: str, found: Measured = FOUND) -> bool:
    return test_gate(parse_gate(text, NAMES), found).failed


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("favour>50", True),
        ("favour > 60", False),
        ("favour>=60", True),
        ("favour.low>50", False),
        ("favour.high<-60", True),
        ("favour.high < -61.5", False),
        ("favour>50 and q<0.05", False),  # of one policy, not of two
        ("favour<-50 and q<0.05", True),
        ("favour>100 or spearman<0.95", True),
        ("spearman<0.5 and favour>50 or sharpness>1.9e0", True),  # `and` binds tighter
        ("spearman.low<.81", True),
        ("favour>50 AND spearman<0.95", True),
        ("favour>50 and spearman<0.5", False),
        ("favour.low < -1e300", True),  # c's interval is open below
        ("mismatch>0.1", True),
    ],
)
def test_what_holds(text: str, failed: bool) -> None:
    assert fails(text) is failed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("favor>50", "Did you mean 'favour'"),
        ("favor>50", "known here: favour, q, mismatch"),
        ("favour=50", "is not NAME > NUMBER"),
        ("favour>", "is not NAME > NUMBER"),
        ("", "is not NAME > NUMBER"),
        ("favour>50 and", "is not NAME > NUMBER"),
        ("favour.mid>50", "there is no end 'mid'"),
        ("favour.mid>50", "name an end of the interval, .low or .high"),
        ("favour=>5", "there is no operator '=>'"),
        ("favour==5", "use one of >, >=, <, <="),
        ("favour ≥ 5", "there is no operator '≥'"),
        ("favour>5 & q<0.1", "'&' joins no conditions"),
        ("favour>5 && q<0.1", "join them with 'and' or 'or'"),
        ("favour>5%", "'5%' is no plain number"),
        ("favour>5 Elo", "'5 Elo' is no plain number"),
        ("favour>nan", "is not NAME > NUMBER"),
        ("favour>1_0", "is not NAME > NUMBER"),
        ("favour>٥", "is not NAME > NUMBER"),
        ("__import__('os').system('true')>0", "is not NAME > NUMBER"),
        ("favour>1 and mismatch>1", "about each policy and each pair"),
        ("favour>1 and " * 50 + "favour>1", "longer than 500"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadSetting) as error:
        parse_gate(text, NAMES)
    assert said in str(error.value)


def test_nothing_passes_that_was_not_measured() -> None:
    empty = Measured({"spearman": Figure(float("nan"))}, {"policy": {"a": {"favour": Figure(3.0)}}})
    for text, name in (
        ("spearman<0.5", "spearman"),
        ("favour.low>50", "favour.low"),
        ("favour>5 and q<0.1 or spearman>0", "q"),
        ("mismatch>0", ""),
    ):
        with pytest.raises(BadSetting, match=f"{name}.* was not measured"):
            fails(text, Measured(empty.whole, empty.rows | {"policy": {"a": {"favour": Figure(9.0)}}}))


def test_what_decides_is_told_and_what_does_not_is_noted() -> None:
    outcome = test_gate(parse_gate("favour>50", NAMES), FOUND)
    assert outcome.words == "favour>50: a has favour 60 [-10, 130]"
    assert "reaches back over 50" in outcome.notes[0]
    assert "favour.low>50 fails on evidence alone" in outcome.notes[0]
    assert test_gate(parse_gate("favour<-50", NAMES), FOUND).notes == ()
    passed = test_gate(parse_gate("favour>500 or spearman<0.1", NAMES), FOUND)
    assert (
        passed.words == "favour>500 or spearman<0.1 holds for none of 3 policies (spearman 0.9 [0.8, 0.95])"
    )
    held = test_gate(parse_gate("q<0.01", NAMES), FOUND)
    assert held.failed
    assert held.notes == ("not tested, for want of figures: 'c'",)


def test_one_policy_without_a_figure_is_no_pass() -> None:
    """It is named, unless the expression holds for another, or is settled for it by what was measured."""
    with pytest.raises(BadSetting, match="q was not measured for policy 'c', and it holds for no other"):
        fails("q<0.0001")
    with pytest.raises(BadSetting, match="not measured for policy 'c'"):
        fails("q<0.0001 or favour>1000")
    assert not fails("q<0.0001 and favour>1000")  # whatever the q of c


def test_a_row_that_never_has_a_figure_is_left_out() -> None:
    rows = {"mean": {"favour": Figure(1.0)}, "a": {"favour": Figure(1.0), "q": Figure(0.5)}}
    outcome = test_gate(parse_gate("q<0.1", NAMES), Measured({}, {"policy": rows}))
    assert (outcome.failed, outcome.notes) == (False, ("left out, having no such figure: 'mean'",))
    assert "for none of 1 policy" in outcome.words
    with pytest.raises(BadSetting, match="q was not measured"):
        fails("q<0.1", Measured({}, {"policy": {"mean": rows["mean"]}}))


def test_a_condition_that_holds_decides_beside_one_that_cannot_be_told() -> None:
    gates = [parse_gate(text, NAMES) for text in ("q<0.0001", "favour>50")]
    with pytest.raises(click.exceptions.Exit) as end:
        apply_gates(gates, FOUND)
    assert end.value.exit_code == 3
    with pytest.raises(BadSetting, match="policy 'c'"):
        apply_gates([gates[0], parse_gate("favour>500", NAMES)], FOUND)


def test_a_policy_with_too_few_prompts_does_not_pass(charm: Charm, tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [f"p{i},m{j},{j + rng.gauss(0, 1):.3f}" for j in range(10) for i in range(60 if j != 5 else 10)]
    (tmp_path / "s.csv").write_text("\n".join(["prompt_id,policy,score", *lines]), encoding="utf-8")
    ratings = "\n".join(["policy,rating,std_err", *(f"m{j},{1000 + 40 * j},5" for j in range(10))])
    (tmp_path / "r.csv").write_text(ratings, encoding="utf-8")
    audit = ("audit", tmp_path / "s.csv", "--ratings", tmp_path / "r.csv", "--quiet", "--fail-if")
    result = charm(*audit, "favour.high>900")
    assert result.exit_code == 2, result.stderr
    assert "favour.high was not measured for policy 'm5'" in result.stderr
    assert charm(*audit, "favour.high>-900").exit_code == 3


CONDITIONS = st.tuples(
    st.sampled_from(["favour", "favour.low", "favour.high", "spearman", "sharpness.high"]),
    st.sampled_from([">", ">=", "<", "<="]),
    st.integers(-3, 3),
)


@given(
    st.lists(st.lists(CONDITIONS, min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=1, max_size=4),
    st.tuples(*[st.integers(-3, 3)] * 2),
)
def test_as_python_would_evaluate_it(
    groups: list[list[tuple[str, str, int]]], favours: list[tuple[int, int, int]], whole: tuple[int, int]
) -> None:
    """Every name is known here, so that Python's own `any`, `and`, `or` are the oracle."""
    text = " or ".join(" and ".join(f"{n}{op}{x}" for n, op, x in group) for group in groups)
    rows = {f"p{i}": {"favour": Figure(*map(float, f))} for i, f in enumerate(favours)}
    found = Measured({"spearman": Figure(whole[0]), "sharpness": Figure(0, 0, whole[1])}, {"policy": rows})
    values = [
        {"favour": f[0], "favour.low": f[1], "favour.high": f[2], "spearman": whole[0], "sharpness.high": whole[1]}
        for f in favours
    ]  # fmt: skip
    compare = {
        ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    }  # fmt: skip
    expected = any(
        any(all(compare[op](row[n], x) for n, op, x in group) for group in groups) for row in values
    )
    assert fails(text, found) is expected


EXAMPLE = ("audit", "--example", "--draws", "0", "--quiet")


def test_exit_codes(charm: Charm) -> None:
    failed = charm(*EXAMPLE, "--fail-if", "favour>50")
    assert failed.exit_code == 3
    assert "FAILED: favour>50: gemma-2-9b-it-SimPO has favour 132.4 [" in failed.stderr
    assert "3 policies in all" in failed.stderr
    assert failed.stdout.count("\n") == 1
    passed = charm(*EXAMPLE, "--fail-if", "favour>500", "--fail-if", "spearman<0.5")
    assert passed.exit_code == 0
    assert passed.stderr.count("passed: ") == 2
    one_of_two = charm(*EXAMPLE, "--fail-if", "favour>500", "--fail-if", "md>0.5")
    assert one_of_two.exit_code == 3
    assert "md>0.5: gpt4_0613 against gpt4_1106_preview has md 0.5" in one_of_two.stderr
    unknown = charm(*EXAMPLE, "--fail-if", "bias>1")
    assert unknown.exit_code == 2
    assert "known here: favour, abs_favour" in unknown.stderr


def test_markdown_for_a_job_summary_says_what_failed(charm: Charm) -> None:
    result = charm("audit", "--example", "--draws", "0", "--markdown", "--fail-if", "abs_favour>100")
    assert result.exit_code == 3
    assert "- **FAILED:** abs\\_favour\\>100: gemma-2-9b-it-SimPO has abs\\_favour 132.4" in result.stdout


def test_distance_from_zero_begins_at_zero_where_the_interval_holds_it(charm: Charm) -> None:
    """No interval of |favour| that holds 0 lies beyond a limit."""
    result = charm("audit", "--example", "--draws", "0", "-q", "--fail-if", "abs_favour.low>0 and q>0.5")
    assert result.exit_code == 0, result.stderr


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_says_what_the_command_says(charm: Charm) -> None:
    command, shown = re.findall(r"```(?:bash|text)\n(.*?)```", PAGE, flags=re.DOTALL)[:2]
    result = charm(*shlex.split(command)[1:])
    assert result.exit_code == 3
    assert shown.strip() in result.stderr


def test_the_commands_of_the_workflow_are_right_but_for_their_files(charm: Charm) -> None:
    workflow = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0])
    steps = [step["run"] for step in workflow["jobs"]["audit"]["steps"] if "charm " in step.get("run", "")]
    commands = [step for step in steps if step.startswith("charm ")]
    assert len(commands) == 2
    for command in commands:
        words, _, target = command.replace("\\\n", " ").partition(">>")
        assert target.strip() == '"$GITHUB_STEP_SUMMARY"'
        result = charm(*shlex.split(words)[1:])
        assert result.exit_code == 2
        assert "scores.parquet: no such file" in result.stderr


def test_the_page_names_all_that_can_be_tested() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE)) | {
        f"{f}_{w}" for f in ("first", "second") for w in ("sharpness", "spearman")
    }
    named |= {f"{name}_difference" for name in named}
    assert set(AUDIT_NAMES) | set(COMPARE_NAMES) | set(EVALUATE_NAMES) <= named
