"""What is said of how far scoring is."""

from __future__ import annotations

import io

import pytest

from charm_rm.models.scoring.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(stream: io.StringIO, clock: Clock, *, from_store: int = 0, show: bool = True) -> Progress:
    return Progress(rows=2000, size=1000, from_store=from_store, show=show, stream=stream, clock=clock)


def test_says_rows_speed_time_left_and_what_the_store_had() -> None:
    clock = Clock()
    bar = progress(io.StringIO(), clock, from_store=120)
    clock.now = 10.0
    bar.advance(500, 250, tokens=30_000)
    assert bar.line() == "scored 500 of 2,000 responses, 3,000 tokens/s, 30 s left; 120 from the store"


def test_lines_now_and_then_where_there_is_no_terminal() -> None:
    stream, clock = io.StringIO(), Clock()
    with progress(stream, clock) as bar:
        for second in range(1, 101):
            clock.now = float(second)
            bar.advance(20, 10, tokens=1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("scored 600 of 2,000 responses")
    assert lines[-1].startswith("scored 2,000 of 2,000 responses, 1 tokens/s")
    assert "left" not in lines[-1]


def test_one_line_is_rewritten_on_a_terminal() -> None:
    stream, clock = Terminal(), Clock()
    with progress(stream, clock) as bar:
        for second in range(1, 101):
            clock.now = float(second)
            bar.advance(20, 10)
    assert stream.getvalue().count("\r") == 101
    assert stream.getvalue().count("\n") == 1


def test_silence_where_asked() -> None:
    stream = io.StringIO()
    with progress(stream, Clock(), show=False) as bar:
        bar.advance(2000, 1000)
    assert stream.getvalue() == ""


def test_a_run_that_needs_no_scoring_says_so() -> None:
    bar = Progress(rows=0, size=0, from_store=1234, stream=io.StringIO())
    assert bar.line() == "all 1,234 responses came from the store"


def test_rows_are_those_of_the_table_and_texts_are_said_where_they_are_fewer() -> None:
    bar = Progress(rows=805, texts=790, size=790, from_store=15, stream=io.StringIO(), clock=Clock())
    bar.advance(805, 790)
    assert bar.line() == "scored 805 of 805 responses (790 different texts); 15 from the store"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
