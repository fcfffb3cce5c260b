"""What ``--rm`` and ``--judge`` take, in words -> a preference model.

Filled where the kinds of models meet: this is the one place that knows all of them.
"""
