# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: what became of a machine after its host changed. A launch says them, and the machine's log keeps them.

A line of the log is a time as in ISO 8601, the kind of the event with a colon, and a text.
"""

import contextlib
import datetime
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import printable
from ..filesystem import files

_FEW = 5
"""Lines that a launch says at most."""


FOLLOWED = "followed"
"""The kind of what is worth a line in the log only."""

_KINDS = ("guessed", "broken", "conflict", "retired", "kept", "clash", "stale", "shadowed", FOLLOWED)
"""What can happen, and in which order it is said."""


class Event(NamedTuple):
    """One thing that happened: a line of the log, after the time."""

    kind: str
    """One of the words in `_KINDS`."""
    text: str
    """What it happened to, and what there is to do."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Reconciliation(NamedTuple):
    """What one launch did, as the log has it."""

    time: str
    """As in ISO 8601, with the offset from UTC."""
    events: list[Event]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return events with what matters most at the beginning."""
    order = {kind: index for index, kind in enumerate(_KINDS)}
    return sorted(events, key=lambda event: order.get(event.kind, len(order)))


def say(events: Sequence[Event], line: Callable[[str], None], *, more: str) -> None:
    """Say the first few events, and what shows the rest: `more` is a command."""
    events = [event for event in events if event.kind != FOLLOWED]
    few = events if len(events) <= _FEW else events[: _FEW - 1]
    for event in few:
        line(str(event))
    if len(few) < len(events):
        line(f"and {len(events) - len(few)} more: {more}")


def record(log: Path, events: Iterable[Event]) -> None:
    """Append events, all with the present time, to a log."""
    time = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
    with files.naming(log), open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{time} {printable(str(event))}\n" for event in events)


def last(log: Path) -> Reconciliation | None:
    """Return what the log says of the last time that there was something to say, or None if it says nothing at all."""
    with contextlib.suppress(FileNotFoundError):
        lines = log.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
        by_time: dict[str, list[Event]] = {}
        for time, kind, text in (line.split(" ", 2) for line in lines if line.count(" ") >= 2):
            if kind.endswith(":"):
                by_time.setdefault(time, []).append(Event(kind[:-1], text))
        telling = [time for time, events in by_time.items() if any(event.kind != FOLLOWED for event in events)]
        for time in reversed(telling or list(by_time)):
            return Reconciliation(time, by_time[time])
    return None
