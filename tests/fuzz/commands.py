"""The command lines that are fuzzed: ``@kind`` is an input (``@a|b`` one of two), ``%name`` an output, ``{x,y}`` one of several words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

_COMPARED = "@scores|margins|judgements"
_ANY_SOURCE = "@scores|margins|judgements|win_rates"

# Line -> weight. Those that need a model take 20 to 100 times as long as the others.
LINES = {
    f"audit {_ANY_SOURCE} --ratings @ratings --draws {{0,0,100}} ?audit": 12,
    "audit @scores|margins --ratings @ratings --draws 0 --group @groups ?audit": 4,
    "audit @scores --ratings @ratings --draws 0 --alias @aliases ?audit": 4,
    "audit @scores|margins --ratings @ratings --draws 0 --prompts @prompts ?audit": 4,
    f"audit {_ANY_SOURCE} --ratings @ratings --draws 0 -o %out": 1,
    f"audit {_ANY_SOURCE} --ratings @ratings --draws 0 {{--csv,--markdown,--quiet,--all}} --fail-if favour>50": 4,
    "audit @run_scores --ratings @ratings --draws 0 --engine streaming ?audit": 4,
    f"compare {_COMPARED} {_COMPARED} --ratings @ratings --draws 0 ?audit": 5,
    f"compare {_COMPARED} {_COMPARED} --ratings @ratings --draws 0 {{--csv,--markdown,--quiet}} --fail-if difference<0": 2,
    "compare a=@scores b=@margins @judgements --ratings @ratings --draws 0 {--all-pairs,--csv,--json,--quiet} ?audit": 3,
    "power @scores|margins --ratings @ratings {--json,--csv,--quiet,--scope=these} --prompts {100,1000}": 3,
    "power @scores @margins --ratings @ratings --favour {10,30,300}": 2,
    "power --battles @battles --rating-width {1,1e-300,50}": 2,
    f"influence {_ANY_SOURCE} --ratings @ratings --top 2 {{--csv,--markdown,--quiet}}": 2,
    f"influence {_ANY_SOURCE} --ratings @ratings --top 2": 3,
    "influence @scores --battles @battles --prior 0.5 --top 2": 3,
    f"calibrate {_COMPARED} --ratings @ratings --over velvet --ref oak --draws {{0,100}} -o %offsets.parquet ?calibrate": 6,
    f"calibrate {_COMPARED} --ratings @ratings --all --draws 0 -o %offsets{{.parquet,.csv,.jsonl,.json}} ?joint": 5,
    "calibrate @scores|margins --ratings @ratings --over auto --ref auto --draws 0": 2,
    "apply @scores @offsets -o %calibrated{.parquet,.csv,.jsonl,.json}": 7,
    "apply @margins|judgements @judge_offsets -o %calibrated.parquet": 3,
    "relabel @scores @responses @offsets -o %prefs --strategy {pair,all-pairs,best-vs-worst,sampled}": 8,
    "relabel @scores @responses @offsets --prompts @prompts -o %prefs": 2,
    "calibrate @scores --style --responses @responses --ratings @ratings -o %calibrator.json ?style": 4,
    "apply @scores @calibrator --responses @responses -o %calibrated.parquet": 4,
    "relabel @scores @responses --calibrator @calibrator --strategy sampled -o %prefs": 2,
    "explain @scores --responses @responses --ratings @ratings ?style": 2,
    "explain @scores --responses @responses --ratings @ratings --calibrator @calibrator -o %explained.parquet": 2,
    "ratings fit @battles -o %ratings{.parquet,.csv,.jsonl} ?fit": 10,
    "study export @study -o %battles{.parquet,.csv,.jsonl} {--comments,--force}": 4,
    "study progress @study {--json,--csv,--quiet,--markdown}": 3,
    "study invite @study Ann Bob {--json,--csv,--quiet,--count=3} --days {1,30}": 3,
    "study plan @responses --scores @scores --scores other=@margins|judgements --comparisons {5,20} -o %study.db ?plan": 5,
    "study plan @responses --scores @scores|margins --width {0.05,0.3} {--json,--csv,--quiet} ?plan": 2,
    "study import @votes --anonymous -o %study.db ?import": 5,
    "study import @votes --scores @scores --responses @responses -o %study.db --anonymous": 3,
    "ratings fit @text_battles --style {words,bullets,headers} -o %ratings.parquet": 4,
    "ratings show @ratings ?show": 8,
    "audit @graded --ratings @ratings --draws 0 ?graded": 8,
    "sample @pairs|preferences|responses -n 20 -o %prompts{.parquet,.csv,.jsonl} ?sample": 4,
    "sample @pairs --benchmark @llmbar --removed %removed.parquet -o %prompts.parquet ?sample": 3,
    "names @scores|margins|judgements|graded|win_rates|responses --ratings @ratings -o %aliases{.csv,.json} ?names": 4,
    "names @scores --ratings @ratings --alias @aliases": 2,
    "convert @scores|margins|judgements|win_rates|responses|ratings -o %table{.parquet,.csv,.jsonl,.json} ?convert": 5,
    "convert @battles --as battles -o %table.parquet": 2,
    "features @responses -o %features{.parquet,.csv,.jsonl} ?features": 5,
    "ratings save @ratings -o %board{.parquet,.csv,.jsonl,.json}": 4,
    "score @responses --rm python:fuzz_models:score -o %scores{.parquet,.csv,.jsonl,.json} ?store": 8,
    "score @responses --rm python:fuzz_models:score -o %scores.parquet --cache @store": 2,
    "judge @responses --judge python:fuzz_models:judge --pairs {vs:oak,all,sampled:2} -o %margins.parquet": 6,
    "judge @responses --judge openai:gpt --prompt @judge_prompt --pairs vs:oak -o %margins.parquet --dry-run": 5,
    "generate @responses --policy python:fuzz_models:answer -o %answers ?generate": 5,
    "generate @responses --policy python:fuzz_models:answer --policy outputs:@responses -o %answers": 3,
    "responses check @responses ?check": 5,
    "responses check @responses --prompts @responses ?check": 3,
    "evaluate --scores @scores --ratings @ratings --draws 0 ?show": 5,
    "evaluate --scores @scores --baseline-scores @scores --ratings @ratings --draws 0 -o %evaluation": 2,
    "evaluate --rm python:fuzz_models:score --pairs @pairs --draws 0 -o %evaluation": 6,
    "evaluate --rm python:fuzz_models:score --own @pairs --draws 0 {--placebos,--repeats=2} {--json,--quiet} --limit 20": 3,
    "evaluate --rm python:fuzz_models:score --panel --draws 0 {--json,--csv,--quiet}": 1,
    "evaluate --rm python:fuzz_models:score --benchmark all --data @llmbar|rm_bench --draws 0 {--placebos,--all,--json} -o %evaluation": 4,
    "evaluate --judge python:fuzz_models:judge --benchmark all --data @llmbar --draws 0 --repeats {2,3} --limit {1,3}": 2,
    "evaluate --rm python:fuzz_models:score --benchmark llmbar --data @llmbar --draws 0": 5,
    "evaluate --judge python:fuzz_models:judge --benchmark rm-bench --data @rm_bench --draws 0": 4,
    "run @configuration --dry-run @@run_scores @@run_responses @@run_battles": 6,
    "run @configuration -o %run_ --until audit @@run_scores @@run_responses @@run_battles": 6,
    "run @configuration -o %run_ @@run_scores @@run_responses @@run_battles": 1,
    "run @configuration -o @run_folder {--dry-run,--until=audit} @@run_scores @@run_responses @@run_battles": 4,
    "report @audit_folder|run_folder -o %page.html": 3,
    "relabel @scores @responses @offsets -o @prefs_folder --force": 2,
    "init %charm.yaml": 1,
    "train @pairs|preferences --rm @model --dry-run --max-length {16,200}": 4,
    "doctor --rm @model --responses @responses --quick": 5,
    "score @responses --rm dpo:@causal,@causal --n-prompts 1 --policy oak -o %scores.parquet --no-cache": 1,
    "score @responses --rm @model --n-prompts 2 --policy oak -o %scores.parquet --no-cache": 4,
    "evaluate --rm @model --pairs @pairs --limit 3 --draws 0": 1,
    "judge @responses --judge hf:@causal --n-prompts 1 --pairs vs:oak -o %margins.parquet --no-cache": 3,
}
# ?name: one of these, or nothing.
OPTIONS = {
    "audit": ("--outcome soft", "--json", "--reference oak", "--ties loss", "--unrated skip", "--split test", "--top 0", "--scope these"),
    "calibrate": ("--link sigmoid", "--unpaired", "--json", "--link sigmoid --temperature 0.01", "--split train"),
    "joint": ("--link sigmoid", "--json", "--ref oak", "--objective least-squares", "--link sigmoid --temperature 100"),
    "fit": ("--style length", "--prior 1", "--anchor oak=1000", "--cluster prompt_id", "--votes all", "--judge all", "--json"),
    "import": ("--json", "--people all", "--first-left", "--quiet", "--column rater=prompt_id", "--original nobody"),
    "plan": ("--json", "--random-share 1", "--balance 1 --keep-self-naming", "--policy oak --policy reed", "--votes-per-comparison 3 --raters 1", "--checks 0"),
    "graded": ("--judge grader", "--judge tone", "--judge gpt", "--json", "--unrated skip"),
    "names": ("--json", "--category overall", "--force"),
    "generate": ("--json", "--no-cache", "--system brief", "--dry-run"),
    "check": ("--json", "--csv", "--top 0", "--fail-if missing>1000000"),
    "convert": ("--json", "--sample mean", "--column policy=policy", "--as scores", "--as responses"),
    "sample": ("--near-duplicates 1", "--json", "--language en", "--min-words 3", "--prompt-ids text", "--stratify prompt"),
    "show": ("--json", "--category overall", "--date latest", "--date 2024-12-31"),
    "style": ("--feature words", "--feature words --feature bullets", "--json", "--own column:response"),
    "features": ("--json", "--policy oak", "--feature words", "--own column:response", "--own python:fuzz_models:score"),
    "store": ("--no-cache", "--json", "--n-prompts 5", "--policy oak", "--policy oak --policy nobody"),
}  # fmt: skip
MODELS = {"model", "causal"}


@dataclass(frozen=True)
class Line:
    """A command line with its choices made: words, which kinds of inputs it takes, and files that lie beside them."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]
    beside: tuple[str, ...]


def choose_line(rng: Random, *, models: bool, line: str | None = None, options: bool = True) -> Line:
    """A line, by weight (or this one), with its choices made."""
    lines = {one: w for one, w in LINES.items() if models or not any(f"@{m}" in one for m in MODELS)}
    line = line or rng.choices(list(lines), list(lines.values()))[0]
    line = re.sub(r"\{([^}]*)\}", lambda found: rng.choice(found[1].split(",")), line)
    some = 0.3 if options else 0.0
    line = re.sub(
        r"\?(\w+)", lambda found: rng.choice(OPTIONS[found[1]]) if rng.random() < some else "", line
    )
    line = re.sub(r"(?<!@)@([\w|]+)", lambda found: f"@{rng.choice(found[1].split('|'))}", line)
    words = line.split()
    kinds = [kind for word in words if not word.startswith("@@") for kind in re.findall(r"@(\w+)", word)]
    beside = [word[2:] for word in words if word.startswith("@@")]
    return Line(tuple(w for w in words if not w.startswith("@@")), tuple(kinds), tuple(beside))
