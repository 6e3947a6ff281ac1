# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: what happened to a machine after its host changed. A launch prints them, and the machine's log keeps them.

A line of the log is a time as in ISO 8601, the kind of the event with a colon, and a text, with spaces between.
"""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import printable
from .filesystem import files, records, regular

_FEW = 5
"""Lines on events that a launch prints at most."""


_LONGEST = 256 << 20
"""Most bytes of a log."""

FOLLOWED = "followed"
"""The kind of an event that is logged and not printed."""

_KINDS = ("guessed", "broken", "gone", "back", "conflict", "retired", "kept", "clash", "stale", "shadowed", FOLLOWED)
"""All kinds of events, in the order in which a launch prints them."""


class Event(NamedTuple):
    """One thing that happened: a line of the log, after the time."""

    kind: str
    """One of the words in `_KINDS`."""
    text: str
    """What it happened to, and what there is to do."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Reconciliation(NamedTuple):
    """The events of one launch, as the log has them."""

    time: str
    """As in ISO 8601, with the offset from UTC."""
    events: list[Event]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return events by kind, those that matter most first."""
    order = {kind: index for index, kind in enumerate(_KINDS)}
    return sorted(events, key=lambda event: order.get(event.kind, len(order)))


def say(events: Sequence[Event], line: Callable[[str], None], *, more: str) -> None:
    """Print the first few events by `line`, and how many are left, with the command that shows them: `more`."""
    events = [event for event in events if event.kind != FOLLOWED]
    few = events if len(events) <= _FEW else events[: _FEW - 1]
    for event in few:
        line(str(event))
    if len(few) < len(events):
        line(f"and {len(events) - len(few)} more events; see: {more}")


def now() -> str:
    """Return the present time as the log has it."""
    return datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")


def record(log: Path, events: Iterable[Event], time: str | None = None) -> None:
    """Append events to a log, durably: those of one launch with one time, or with the present one.

    Raises OSError if not all can be written; then the log stays as it was.
    """
    time = time or now()
    lines = "".join(f"{time} {printable(str(event))}\n" for event in events).encode()
    with files.naming(log):
        fd = regular.opened(os.fspath(log), os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":  # a launch was killed while it wrote there
                lines = b"\n" + lines
            _append(fd, lines, size)
        finally:
            os.close(fd)


def _append(fd: int, content: bytes, size: int) -> None:
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, size)
        raise


def untold(record: Path) -> list[Event]:
    """Return the events in a record of those that nobody was told of; none if it cannot be read."""
    stored = records.read(record)
    try:
        return [Event(str(each["kind"]), str(each["text"])) for each in stored["events"]]
    except (LookupError, TypeError):
        return []


def keep(record: Path, happened: Iterable[Event]) -> None:
    """Add events to a record of those that nobody was told of, durably: the launch may be killed before it says them.

    What cannot be seen afterwards, such as another name of a file, is kept before it is done.
    """
    new = list(happened)
    before = untold(record) if new else []
    if not set(before).issuperset(new):
        every = dict.fromkeys([*before, *new])
        records.write(record, {"events": [event._asdict() for event in every]}, durable=True)


def last(log: Path) -> Reconciliation | None:
    """Return the last launch in a log with events of another kind than FOLLOWED, else the last one, or None."""
    with contextlib.suppress(FileNotFoundError):
        lines = regular.read(os.fspath(log), longest=_LONGEST).decode(errors="backslashreplace").splitlines()
        by_time: dict[str, list[Event]] = {}
        for time, kind, text in (line.split(" ", 2) for line in lines if line.count(" ") >= 2):
            if kind.endswith(":"):
                by_time.setdefault(time, []).append(Event(kind[:-1], text))
        telling = [time for time, events in by_time.items() if any(event.kind != FOLLOWED for event in events)]
        for time in reversed(telling or list(by_time)):
            return Reconciliation(time, in_order(by_time[time]))
    return None
