"""Past one machine: stages run by Ray, over partitioned Parquet. The only room that imports Ray.

A stage is cut into tasks, each a small record of what to read and where to put what comes of it. Actors load their model once and do
tasks until there are none (:mod:`.tasks`). What a task gives lies in a file of its own, which appears whole or not at all: a task
may be done twice, by an actor that is killed and one that takes over, and still has one result. A run that is killed goes on with
the tasks that have none.
"""

from .generating import generate_by_ray as generate_by_ray
from .judging import judge_by_ray as judge_by_ray
from .parts import clear_parts as clear_parts
from .scoring import score_by_ray as score_by_ray
