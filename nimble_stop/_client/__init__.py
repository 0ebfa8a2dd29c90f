"""The clients, and the module's own `stop_session`."""
