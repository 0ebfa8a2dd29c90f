"""The command line. `nimble_stop.__main__` starts it; nothing here is public.

The rule of the two streams: standard output gets results and nothing else, so that a program can
read it; progress, notes and errors go to standard error.
"""
