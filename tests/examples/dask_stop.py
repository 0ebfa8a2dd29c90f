# ruff: noqa: T201  # a program of its own prints
# Dask has no types.
# mypy: disable-error-code="no-untyped-call"
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Stop a studio's running sessions on a Dask cluster."""

from __future__ import annotations

from distributed import Client, LocalCluster

from nimble_stop import NimbleClient, StreamingSessionState


def stop_on_dask(dask: Client, studio_id: str, run_id: str) -> None:
    """Stop the sessions in batches that Dask's workers carry out."""
    with NimbleClient() as client:
        ready = (
            session.session_id
            for session in client.list_sessions(studio_id)
            if session.session_id and session.state == StreamingSessionState.READY
        )
        for result in client.stop_sessions(
            studio_id, ready, run_id=run_id, executor=dask.get_executor()
        ):
            print(result.session_id, result.error or result.session)


if __name__ == "__main__":
    # A cluster on this machine; Client("tcp://scheduler:8786") takes one that exists.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as dask,
    ):
        stop_on_dask(dask, "demo-studio", "night-1")
