"""Names beside points: inside the plot, over nothing, first come first served."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from charm_rm.report.labels import Box, Mark, place_names

PLOT = (300, 200)


def point(x: float, y: float, *, half: float = 0.0) -> Mark:
    return Mark(x, y, Box(x - half, y - half, x + half, y + half))


marks = st.lists(
    st.builds(point, st.floats(0, 300), st.floats(0, 200), half=st.floats(0, 20)), min_size=1, max_size=12
)


@given(marks=marks, name=st.text(min_size=1, max_size=20))
def test_names_stay_inside_and_cover_nothing(marks: list[Mark], name: str) -> None:
    places = place_names([(i, name) for i in range(len(marks))], marks, plot=PLOT)
    boxes = [place.box for place in places.values()]
    assert all(b.left >= 0 and b.right <= PLOT[0] and b.top >= 0 and b.bottom <= PLOT[1] for b in boxes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert not any(b.left < m.x < b.right and b.top < m.y < b.bottom for b in boxes for m in marks)


def test_a_lone_point_has_its_name_to_the_right_clear_of_its_bars() -> None:
    place = place_names([(0, "gpt-4o")], [point(100, 100, half=20)], plot=PLOT)[0]
    assert (place.align, place.dx, place.dy) == ("left", 25, 0)


def test_at_the_right_edge_a_name_goes_left() -> None:
    assert place_names([(0, "gpt-4o")], [point(290, 100)], plot=PLOT)[0].align == "right"


def test_where_there_is_room_for_one_the_first_has_it() -> None:
    crowd = [point(20, 10), point(20, 10)]
    long = "x" * 40
    assert list(place_names([(1, long), (0, long)], crowd, plot=(280, 21))) == [1]
