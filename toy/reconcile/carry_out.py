# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out plans: changes the files of an upper, the files that programs generate in it, and its header set.

Triggers run at the end, when the new database is in place.
"""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from .. import process
from ..errors import ToyError
from ..headers import preserve
from ..overlay.apply import RENAMED, WritableUpper
from . import retired, triggers
from .events import Event
from .parts import Parts
from .plan import Plan
from .triggers import Run


def carry_out(parts: Parts, plan: Plan) -> list[Event]:
    """Carry out a plan, from its beginning even if part of it was done before. Returns its events, and new ones."""
    machine, upper = parts.machine, parts.sets.upper

    def keep(path: str, now: str) -> None:
        parts.journal.keep([Event("kept", RENAMED.format(path=path, now=now))])

    events = [Event("kept", each) for each in WritableUpper(parts.trees, keep).apply(plan.operations)]
    for path, command in plan.caches:
        try:
            parts.run(["sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh", *command])
        except ToyError as error:
            failed = f"{shlex.join(command)} {_failed(error)} in the overlay"
            see = f"; see why: toy -n {machine.name} -- {shlex.join(command)}" if machine.root == "/" else ""
            events.append(Event("stale", f"{path} ({failed}{see})"))
    for file, blob in plan.stand_ins.items():
        upper.write(file, blob)
    record = Path(machine.retired)
    if retired.read(record) != plan.retired:
        retired.write(record, plan.retired)
    preserve.arrange(upper, plan.upper)
    return [*plan.events, *events]


def run_triggers(parts: Parts, runs: Iterable[Run]) -> list[Event]:
    """Run triggers. Returns an event for each that fails, or takes too long."""
    events = []
    for run in runs:
        try:
            parts.run(run.command, b"".join(os.fsencode(f"{path}\n") for path in run.paths))
        except ToyError as error:
            events.append(triggers.event(parts.machine.name, run.package, f"its trigger {_failed(error)}", run.again))
    return events


def _failed(error: ToyError) -> str:
    """Return what a command did that ended with an error: "failed", or that it was killed for taking too long."""
    return error.why if isinstance(error, process.TookTooLong) else "failed"
