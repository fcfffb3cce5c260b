"""A study as raters meet it: a real server on loopback over a real database, in this process."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from charm_rm.settings import ServeSettings
from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
from charm_rm.study.rules import Rules
from charm_rm.tables import Responses, Scores

# Names that would be found if they were anywhere in what a browser gets.
POLICIES = ("zephyrine-9000-instruct", "quillon-maxima-chat")
MODELS = ("grudge-rm-original", "grudge-rm-calibrated")
STUDY = "who-beats-zephyrine"
SECRETS = (*POLICIES, *MODELS, STUDY, "zephyrine", "quillon", "grudge")

LONG = """The tide follows the moon, because the moon pulls the water nearest to it a little more than the rest.

1. The sea bulges on the side of the moon, and on the far side.
2. The earth turns below these bulges, so that most coasts have **two** high waters a day.

```python
def hours_between_tides(moon_day: float = 24.84) -> float:
    return moon_day / 2
```

| place | range |
|---|---|
| Fundy | 16 m |
| Kiel | 0.1 m |
"""


def study(
    n: int = 4, *, wanted: int = 2, answers: Sequence[tuple[str, str]] | None = None, **rules: Any
) -> Study:
    """``n`` prompts, two policies, one comparison each; ``answers`` gives the texts of the first ones."""
    given = list(answers or ())
    texts = [
        given[i] if i < len(given) else (f"{LONG}\n\nFirst {i}.", f"Because of the moon, {i}.")
        for i in range(n)
    ]
    ids = [f"db-prompt-{i}" for i in range(n)]
    rows = [
        (ids[i], f"Why are there tides? ({i})", POLICIES[k], texts[i][k]) for i in range(n) for k in range(2)
    ]
    responses = pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row")
    scores = responses.select("prompt_id", "policy").with_columns(score=pl.int_range(pl.len()) * 0.731)
    a, b = sorted(POLICIES)
    comparisons = pl.DataFrame(
        {
            "comparison_id": [f"db-comparison-{i}" for i in range(n)],
            "prompt_id": ids,
            "policy_a": [a] * n,
            "policy_b": [b] * n,
            "kind": ["main"] * n,
            "inclusion": [0.5] * n,
            "votes_wanted": [wanted] * n,
        }
    )
    none = {"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean}
    return Study(
        STUDY,
        Comparisons(comparisons),
        StudyVotes(pl.DataFrame(schema=none)),
        models=tuple(StudyModel(name, scores=Scores(scores)) for name in MODELS),
        responses=Responses(responses),
        provenance=Rules(**{"repeats": 0.0, "checks": 0.0, **rules}).as_provenance(),
    )


@dataclass
class Served:
    """A study that is being served at ``url``; ``clock`` adds to the time that the server sees."""

    url: str
    database: Any
    clock: list[float] = field(default_factory=lambda: [0.0])
    server: Any = None

    def now(self) -> float:
        """The server's time."""
        return time.time() + self.clock[0]

    def stop(self) -> None:
        """Tell the server to stop, as SIGTERM does."""
        self.server.should_exit = True

    def link(self, name: str = "ann", **more: Any) -> str:
        """A new invitation link."""
        return f"{self.url}/i/{self.database.invite(name, now=self.now(), **more).token}"

    def votes(self) -> list[dict[str, Any]]:
        """The votes that stand."""
        return list(self.database.read().votes.frame.iter_rows(named=True))


@contextmanager
def serve(folder: Path, what: Study | None = None, **settings: Any) -> Iterator[Served]:
    """Serve a study from a new file until the end of the block."""
    import uvicorn

    from charm_rm.study.database import create_study
    from charm_rm.study.web.app import create_app
    from charm_rm.study.web.server import configuration, listen

    chosen = ServeSettings(port=0, **settings)
    with create_study(folder / "study.db", what or study()) as database:
        listening = listen(chosen)
        served = Served(f"http://127.0.0.1:{listening.getsockname()[1]}", database)
        server = uvicorn.Server(configuration(create_app(database, chosen, now=served.now), chosen))
        served.server = server
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.stop()
            thread.join(20)
            listening.close()


def hidden(page: str, form: str = "vote") -> dict[str, str]:
    """The hidden fields of a form, as a browser without a script would send them."""
    inside = re.search(rf'<form id="{form}".*?</form>', page, re.DOTALL)
    assert inside, f"no form {form!r} in the page"
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', inside[0]))


def cookie(client: Any, kind: str) -> tuple[str, str]:
    """Name and value of a client's session cookie: ``rater`` or ``admin``."""
    return next((name, value) for name, value in client.cookies.items() if name.startswith(f"{kind}-"))
