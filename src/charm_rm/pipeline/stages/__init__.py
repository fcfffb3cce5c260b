"""One stage, one file: the function that a command and a run both call (load, verb, save), and the run's part, ``run_stage``.

The function takes settings and what was loaded, refuses or replaces outputs, and returns what a command prints.
``run_stage(run)`` finds its inputs in the run directory and returns one line of summary.
"""
