"""The stages of ``nimble-stop stop``: parse, select the sessions, run, present.

``commands.stop`` parses. ``selection`` says which sessions are meant, ``run`` and ``single`` stop
them, ``presentation`` shows the results and chooses the exit code. Each stage gets the value that
it needs and hands a smaller one on.
"""
