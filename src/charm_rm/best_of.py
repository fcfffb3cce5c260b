"""Best of n: of a policy's samples on a prompt, the response that a reward model scores highest."""

from __future__ import annotations

from .errors import NoOverlap, SchemaError
from .given import ScoresLike, as_scores
from .responses import ResponsesLike, as_responses
from .samples import COLUMN, KEY, choose_sample
from .tables import Responses, Scores


def best_samples(responses: ResponsesLike, scores: ScoresLike) -> Responses:
    """Of each policy's samples on a prompt the response that is scored highest, of equal ones the lowest number.

    Args:
        responses: with a column ``sample``.
        scores: of those responses, with the same column.

    Raises:
        SchemaError: the scores or the responses have no column ``sample``.
        NoOverlap: a best response is not among those given.
    """
    responses, scores = as_responses(responses, samples=True), as_scores(scores, samples=True)
    for table in (responses, scores):
        if COLUMN not in table.frame.columns:
            raise SchemaError(
                f"{table.noun}: no column 'sample' says which response a score is of",
                fix="score responses that have the column: charm generate --samples N, then charm score",
            )
    best = choose_sample(Scores(scores.frame.sort(*KEY, COLUMN)), "max")
    kept = responses.frame.join(best.frame, on=[*KEY, COLUMN], how="semi")
    if kept.height < len(best):
        raise NoOverlap(
            f"{len(best) - kept.height} of {len(best)} best responses are not among those given",
            fix="give the responses that were scored",
        )
    return Responses(kept, provenance={"verb": "best_samples", "of": dict(responses.provenance)})
