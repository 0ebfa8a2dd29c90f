"""The command line. `nimble_stop.__main__` starts it; nothing here is public.

``app`` puts the commands together, ``command`` makes a function one of them, ``settings`` holds the
options that all of them have, ``connection`` makes the client, ``failures`` turns what went wrong
into a sentence and an exit code, ``output`` writes results. ``reading``, ``stopping``, ``serving``
and ``completion`` are the commands; the other modules are parts of what they do or show.

The rule of the two streams: standard output gets results and nothing else, so that a program can
read it; progress, notes and errors go to standard error.
"""
