"""All that is known of one session, a label and a text each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nimble_stop._cli.text import moment, one_line, printable, volumes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nimble_stop.models import StreamingSession, VolumeConfiguration


def session_rows(session: StreamingSession, now: datetime) -> Iterator[tuple[str, str]]:
    """Tell every member that the service sent; those without a value are empty."""
    yield "session", printable(session.session_id or "not told by the service")
    yield "state", printable(session.state or "")
    yield "status", _sentence(session.status_code, session.status_message)
    yield "owner", printable(session.owned_by or "")
    yield "instance", printable(session.ec2_instance_type or "")
    yield "volumes", _volume(session.volume_configuration) + volumes(session)
    yield "persistence", printable(session.session_persistence_mode or "")
    yield "backups", _backups(session)
    for label, time, person in (
        ("created", session.created_at, session.created_by),
        ("started", session.started_at, session.started_by),
        ("stopped", session.stopped_at, session.stopped_by),
        ("updated", session.updated_at, session.updated_by),
    ):
        yield label, _event(time, person, now)
    yield "stops", _event(session.stop_at, None, now)
    yield "terminates", _event(session.terminate_at, None, now)
    yield "termination", printable(session.automatic_termination_mode or "")
    yield "profile", printable(session.launch_profile_id or "")
    yield "image", printable(session.streaming_image_id or "")
    yield "tags", ", ".join(f"{one_line(k)}={one_line(v)}" for k, v in (session.tags or {}).items())
    yield "arn", printable(session.arn or "")


def _sentence(code: str | None, message: str | None) -> str:
    return one_line(": ".join(part for part in (code, message) if part))


def _volume(configuration: VolumeConfiguration | None) -> str:
    if configuration is None:
        return ""
    values = (
        (configuration.size, "GiB"),
        (configuration.iops, "IOPS"),
        (configuration.throughput, "MiB/s"),
    )
    return "".join(f"{value} {unit}, " for value, unit in values if value is not None)


def _backups(session: StreamingSession) -> str:
    kept = session.max_backups_to_retain
    parts = (
        session.backup_mode,
        f"at most {kept} kept" if kept is not None else None,
        f"started from {session.started_from_backup_id}"
        if session.started_from_backup_id
        else None,
    )
    return printable(", ".join(part for part in parts if part))


def _event(time: datetime | None, person: str | None, now: datetime) -> str:
    by = f"by {printable(person)}" if person else ""
    return " ".join(part for part in (moment(time, now) if time else "", by) if part)
