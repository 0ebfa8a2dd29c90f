"""The command line. `nimble_stop.__main__` starts it; nothing here is public.

``app`` puts the ``commands`` together, ``command`` makes a function one of them,
``global_options`` are the options that all of them have, ``connect`` makes the client, and
``failures`` turns what went wrong into a sentence and an exit code. ``stopping`` has the stages of
``stop``, ``terminal`` writes.

The rule of the two streams: standard output gets results and nothing else, so that a program can
read it; progress, notes and errors go to standard error.
"""
