"""How a suite of `unittest` tests a tool that uses nimble_stop: `python -m unittest` runs it."""

from __future__ import annotations

import os
import unittest
from unittest import mock

import nimble_stop
from nimble_stop.local import LocalNimble, ServiceFailure


class StopTest(unittest.TestCase):
    """Each test has an endpoint of its own, and the environment leads there."""

    def setUp(self) -> None:
        """Start the endpoint, and have `nimble_stop.stop_session` read the environment anew."""
        self.local = self.enterContext(LocalNimble())
        environ = self.local.environment_changes(os.environ).applied_to(os.environ)
        self.enterContext(mock.patch.dict(os.environ, environ, clear=True))
        nimble_stop.reset_default_client()
        self.addCleanup(nimble_stop.reset_default_client)

    def test_stops_a_session_once(self) -> None:
        """One call is one stop."""
        self.local.add_session(studio_id="studio-1", session_id="artist-1")

        session = nimble_stop.stop_session("studio-1", "artist-1")

        self.assertEqual(session.state, "STOP_IN_PROGRESS")
        self.local.requests.assert_stopped_once("artist-1")

    def test_reports_a_conflict(self) -> None:
        """A conflict is not retried."""
        self.local.add_session(studio_id="studio-1", session_id="artist-1")
        self.local.inject(ServiceFailure("ConflictException"))

        with self.assertRaises(nimble_stop.ConflictException):
            nimble_stop.stop_session("studio-1", "artist-1")

        self.local.requests.assert_not_stopped("artist-1")


if __name__ == "__main__":
    unittest.main()
