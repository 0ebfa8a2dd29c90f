"""The command line. `nimble_stop.__main__` starts it; nothing here is public.

``app`` puts the commands together, ``settings`` holds the options that all of them have,
``connection`` makes the client, ``failures`` turns what went wrong into a sentence and an exit
code, ``output`` writes results. The other modules are one command or one part of what is shown.

The rule of the two streams: standard output gets results and nothing else, so that a program can
read it; progress, notes and errors go to standard error.
"""
