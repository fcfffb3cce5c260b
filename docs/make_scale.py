"""Write the plans of docs/scale.md: hours, bytes and dollars, by the cost model that the page states.

python docs/make_scale.py                       writes them into the page, between its marks
python docs/make_scale.py --check               exits with 1 where the page does not have them
python docs/make_scale.py --show --gpu-hour 4   prints them with another price, and writes nothing
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

PAGE = Path(__file__).with_name("scale.md")
BEGIN, END = "<!-- plans: written by docs/make_scale.py -->", "<!-- end of plans -->"


@dataclass(frozen=True)
class Assumed:
    """What is assumed of machines; only the last line was measured. The page says where each comes from."""

    gpu_flops: float = 989e12  # dense bfloat16 of an H100 SXM, by its data sheet
    share: float = 0.40  # of it that forward passes over long batches reach
    train_share: float = 0.35  # and forward and backward passes together
    decode_tokens: float = 2500.0  # an 8B policy's tokens a second and GPU, many sequences at once
    gpu_hour: float = 2.50  # dollars
    load_minutes: float = 3.0  # until a model is on its GPU
    disk: float = 1e9  # bytes a second of a node's reading
    # Measured, on two cores, in one process (perf/RESULTS.md: 200 policies x 20,000 prompts, `draws=0`, 9.51 s).
    comparisons: float = 4e6 * 199 / 2 / 9.51


@dataclass(frozen=True)
class Plan:
    """What is to be done, by whom."""

    name: str
    prompts: float
    policies: float
    gpus: int
    parameters: float = 8e9
    tokens: float = 600.0  # a conversation as the model reads it
    answer: float = 400.0  # of them the response
    generated: bool = False  # whether the responses have to be made first
    train_pairs: float = 0.0

    @property
    def rows(self) -> float:
        """Responses, and so scores."""
        return self.prompts * self.policies


def score_tokens_per_second(plan: Plan, a: Assumed) -> float:
    """Of one GPU: share · FLOPs / (2 · parameters)."""
    return a.share * a.gpu_flops / (2 * plan.parameters)


def score_hours(plan: Plan, a: Assumed) -> float:
    """rows · tokens / (GPUs · tokens a second), and the loading."""
    return (
        plan.rows * plan.tokens / (plan.gpus * score_tokens_per_second(plan, a)) / 3600 + a.load_minutes / 60
    )


def generate_hours(plan: Plan, a: Assumed) -> float:
    """rows · answer / (GPUs · tokens a second)."""
    return plan.rows * plan.answer / (plan.gpus * a.decode_tokens) / 3600 if plan.generated else 0.0


def train_hours(plan: Plan, a: Assumed) -> float:
    """6 · parameters · (2 · pairs · tokens) / (GPUs · share · FLOPs)."""
    work = 6 * plan.parameters * 2 * plan.train_pairs * plan.tokens
    return work / (plan.gpus * a.train_share * a.gpu_flops) / 3600


def audit_hours(plan: Plan, a: Assumed) -> float:
    """rows · (policies - 1) / 2 / comparisons a second: every pair of responses to a prompt is compared, on one machine."""
    return plan.rows * (plan.policies - 1) / 2 / a.comparisons / 3600


def text_bytes(plan: Plan) -> float:
    """Four bytes a token of answer, packed to two fifths."""
    return plan.rows * plan.answer * 4 * 0.4


def score_bytes(plan: Plan) -> float:
    """About 20 bytes a score: the number, its hash of the text and the tokens; ids and names pack to little."""
    return plan.rows * 20


def read_hours(plan: Plan, a: Assumed) -> float:
    """The scores from one disk."""
    return score_bytes(plan) / a.disk / 3600


PLANS = (
    Plan("20K prompts x 10 policies, 8B reward model, one node of 8 GPUs", 2e4, 10, 8, train_pairs=2e4),
    Plan("1M prompts x 100 policies, 8B reward model, 32 nodes of 8 GPUs", 1e6, 100, 256, train_pairs=1e6),
    Plan("the same, responses made as well", 1e6, 100, 256, generated=True, train_pairs=1e6),
    Plan("audit of a billion scores every night, no GPU", 5e6, 200, 0),
)


def table(a: Assumed) -> str:
    """All plans, a row a stage."""
    lines = ["| plan | stage | hours | GPU-hours | dollars | bytes |", "|---|---|---:|---:|---:|---:|"]
    for plan in PLANS:
        stages = [("generate", generate_hours(plan, a), True, text_bytes(plan))] if plan.generated else []
        if plan.gpus:
            stages.append(("score", score_hours(plan, a), True, text_bytes(plan)))
        stages.append(("read the scores", read_hours(plan, a), False, score_bytes(plan)))
        stages.append(("audit", audit_hours(plan, a), False, score_bytes(plan)))
        if plan.train_pairs:
            stages.append(("train, one epoch", train_hours(plan, a), True, 16 * plan.parameters))
        name = plan.name
        for stage, hours, gpu, size in stages:
            busy = hours * plan.gpus if gpu else 0.0
            lines.append(
                f"| {name} | {stage} | {_hours(hours)} | {_number(busy)} | {_number(busy * a.gpu_hour)} | {_bytes(size)} |"
            )
            name = ""
        slowest = max(stages, key=lambda one: one[1])
        lines.append(f"| | **bottleneck: {slowest[0]}** | | | | |")
    return "\n".join(lines)


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s" if hours * 3600 >= 1 else "< 1 s"
    return f"{hours * 60:.1f} min" if hours < 1 else f"{hours:.1f} h"


def _number(value: float) -> str:
    if value == 0:
        return "-"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def render(a: Assumed) -> str:
    """The page with fresh plans."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table(a)}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write, check or show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--gpu-hour", type=float, default=Assumed.gpu_hour)
    given = parser.parse_args()
    assumed = replace(Assumed(), gpu_hour=given.gpu_hour)
    if given.show:
        print(table(assumed))
    elif not given.check:
        PAGE.write_text(render(Assumed()), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != render(Assumed()):
        sys.exit("docs/scale.md is stale: python docs/make_scale.py")


if __name__ == "__main__":
    main()
