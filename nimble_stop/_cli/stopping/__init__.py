"""The stages of ``stop``: select the sessions, run, present."""
