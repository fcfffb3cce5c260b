"""A seeded fuzzer of every command: valid small inputs, changed in one place or two, and what must hold whatever comes.

``python -m fuzz --cases 2000`` (in ``tests/``) runs it by hand, ``python -m fuzz --only 17`` one case, with its traceback;
``tests/fuzz/test_fuzz.py`` runs it in the slow suite. :mod:`.inputs` has the valid inputs, the modules ``*_changes`` what is done to
them, :mod:`.commands` the command lines, :mod:`.case` makes and runs one case, :mod:`.fleet` many, in processes with limits.
"""
