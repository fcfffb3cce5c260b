"""Every command that writes files, on small inputs: run in a process of its own, ``everything.py INPUTS OUTPUTS [models]``.

Inputs and outputs are given by absolute paths, as that is when a path could get into a file.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

RATED = "--ratings {in}/ratings.parquet"
KNOWN = f"{RATED} --draws 100"
CORE = (
    "init {out}/charm.yaml",
    "ratings fit {in}/battles.parquet -o {out}/ratings.parquet",
    "ratings fit {in}/battles.parquet --prior 1 -o {out}/ratings.csv",
    "ratings save {in}/ratings.parquet -o {out}/saved.parquet",
    "ratings save {in}/board.csv -o {out}/board.parquet",
    "names {in}/scores.csv --ratings arena -o {out}/names.csv",
    "sample {in}/responses.csv -n 10 --stratify policy --benchmark {in}/pairs.parquet --removed {out}/removed.parquet -o {out}/sampled.parquet",
    "features {in}/responses.csv -o {out}/features.parquet",
    "generate {in}/responses.csv --policy python:own_model:answer --policy two=python:own_model:draw --policy outputs:{in}/responses.csv --seed 3 -o {out}/answers",
    "score {in}/responses.csv --rm python:own_model:score -o {out}/scores.parquet",
    "score {in}/responses.parquet --rm python:own_model:score -o {out}/scores.csv",
    "judge {in}/responses.csv --judge python:own_model:judge -o {out}/margins.parquet",
    f"audit {{in}}/scores.parquet {KNOWN} --ties loss -o {{out}}/audit",
    "audit {in}/scores.csv --ratings {in}/board.csv --alias {in}/aliases.csv --draws 0 --group {in}/groups.csv -o {out}/grouped",
    f"audit {{in}}/scores.parquet {KNOWN} --engine streaming -o {{out}}/streamed",
    f"audit {{out}}/margins.parquet {KNOWN} -o {{out}}/judged",
    f"audit {{in}}/annotations.json {KNOWN} --annotator mild -o {{out}}/annotated",
    f"compare {{in}}/scores.parquet {{out}}/scores.parquet {KNOWN} -o {{out}}/compared",
    f"compare a={{in}}/scores.parquet b={{out}}/scores.parquet {KNOWN} --all-pairs -o {{out}}/beside",
    f"influence {{in}}/scores.parquet {RATED} --top 2 -o {{out}}/influence",
    f"calibrate {{in}}/scores.parquet {KNOWN} --over velvet --ref oak --prompts {{in}}/prompts.csv --split train -o {{out}}/offsets.parquet",
    f"calibrate {{in}}/scores.parquet {KNOWN} --all -o {{out}}/joint.json",
    f"calibrate {{in}}/scores.csv {RATED} --draws 0 --style --responses {{in}}/responses.csv --feature words --feature bullets -o {{out}}/calibrator.json",
    f"explain {{in}}/scores.csv {KNOWN} --responses {{in}}/responses.csv --calibrator {{out}}/calibrator.json -o {{out}}/audit/explanation.parquet",
    "apply {in}/scores.parquet {out}/offsets.parquet -o {out}/applied.parquet",
    "apply {in}/scores.csv {out}/calibrator.json --responses {in}/responses.csv -o {out}/styled.parquet",
    f"audit {{out}}/applied.parquet {KNOWN} -o {{out}}/recalibrated",
    "relabel {in}/scores.parquet {in}/responses.csv {out}/offsets.parquet --strategy sampled -o {out}/prefs",
    f"evaluate --scores {{out}}/applied.parquet --baseline-scores {{in}}/scores.csv {KNOWN} -o {{out}}/evaluated",
    "evaluate --rm python:own_model:score --pairs {in}/pairs.parquet --draws 100 -o {out}/pairs",
    "evaluate --rm python:own_model:score --panel --draws 100 -o {out}/panel",
    "evaluate --rm python:own_model:score --baseline python:own_model:other --own {in}/pairs.parquet --placebos --repeats 2 --draws 100 -o {out}/beside-pairs",
    "evaluate --judge python:own_model:judge --benchmark all --data {in}/benchmarks --limit 12 --placebos --repeats 2 --draws 100 -o {out}/all-benchmarks",
    "evaluate --rm python:own_model:other --pairs {in}/pairs.parquet --draws 100 -o {out}/other-pairs",
    f"compare a={{in}}/scores.parquet,{{out}}/pairs b={{out}}/scores.parquet,{{out}}/other-pairs {KNOWN} -o {{out}}/both",
    "run {in}/scored.yaml -o {out}/scored",
    "run {in}/judged.yaml -o {out}/judged-run",
    "run {in}/asked.yaml -o {out}/asked-run",
    "report {out}/audit -o {out}/page.html",
)  # fmt: skip
STUDY = (
    "study plan {in}/responses.parquet --scores {in}/scores.parquet --scores after={out}/scores.parquet --comparisons 60 -o {out}/planned/study.db",
    "study import {in}/battles.parquet --anonymous -o {out}/study.db",
    "study export {out}/study.db -o {out}/exported.parquet",
)
ANALYSIS = (
    "study import {in}/votes.csv --responses {in}/responses.parquet --scores {in}/scores.parquet --scores after={out}/scores.parquet -o {out}/imported/study.db",
    "study analyse {out}/imported/study.db -o {out}/analysed",
)
MODELS = (
    "score {in}/responses.csv --rm {in}/rm --unchecked --max-length 64 -o {out}/rm.parquet",
    "score {in}/words.csv --rm dpo:{in}/causal,{in}/causal -o {out}/dpo.parquet",
    "judge {in}/words.csv --judge hf:{in}/causal -o {out}/local.parquet",
    "generate {in}/words.csv --policies {in}/policies.yaml --max-tokens 12 -o {out}/generated",
    f"evaluate --rm {{in}}/rm --baseline {{in}}/rm --pairs {{in}}/true_pairs.parquet --scores {{in}}/scores.parquet {KNOWN} -o {{out}}/evaluation",
    f"train {{in}}/pairs.parquet --rm {{in}}/rm --max-steps 2 --batch-size 4 --max-length 64 --responses {{in}}/responses.parquet {RATED} --unchecked -o {{out}}/model",
    "train {in}/pairs.parquet --rm {in}/rm --max-steps 2 --batch-size 4 --lora --no-merge --lora-rank 2 -o {out}/adapter",
    "run {in}/whole.yaml -o {out}/whole",
)  # fmt: skip


def main(inputs: Path, outputs: Path, *, models: bool) -> None:
    """Run all commands, in order; the first that fails ends it."""
    from charm_rm.cli import main as charm

    sys.path.insert(0, str(inputs))
    warnings.simplefilter("ignore")
    study = STUDY if importlib.util.find_spec("sqlalchemy") else ()
    analysis = ANALYSIS if study and importlib.util.find_spec("nltk") else ()
    for line in (*CORE, *study, *analysis, *(MODELS if models else ())):
        words = [word.format(**{"in": inputs, "out": outputs}) for word in line.split()]
        print("$ charm", *words, flush=True)
        charm(words, standalone_mode=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), models="models" in sys.argv[3:])
