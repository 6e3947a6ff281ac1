# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out plans: changes the files of an upper, the files that programs generate in it, and its header set.

Triggers run at the end, when the new database is in place.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import quoted
from ..events import Event
from ..headers import header, preserve
from ..headers.changes import UpperSet
from ..overlay.apply import RENAMED, WritableUpper
from . import retired, triggers
from .in_overlay import Command, run_each
from .parts import Parts
from .plan import Plan
from .triggers import Run

_IF_THERE = ("sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh")
"""Runs a command if the overlay has it."""


def carry_out(parts: Parts, plan: Plan) -> list[Event]:
    """Carry out a plan, from its beginning even if part of it was done before. Returns its events, and new ones."""
    machine, upper = parts.machine, parts.sets.upper

    def keep(path: str, now: str) -> None:
        parts.journal.keep([Event("kept", RENAMED.format(path=path, now=now))])

    events = [Event("kept", each) for each in WritableUpper(parts.trees, keep).apply(plan.operations)]
    commands = [Command([*_IF_THERE, *words]) for _, words in plan.caches]
    problems = run_each(parts.run, commands, "making caches anew")
    for (path, command), problem in zip(plan.caches, problems, strict=True):
        if problem is not None:
            failed = f"{shlex.join(command)} {problem} in the overlay"
            see = f"; see why: toy -n {machine.name} -- {shlex.join(command)}" if machine.root == "/" else ""
            events.append(Event("stale", f"{path} ({failed}{see})"))
    for file, blob in plan.stand_ins.items():
        upper.write(file, blob)
    record = Path(machine.retired)
    if retired.read(record) != plan.retired:
        retired.write(record, plan.retired)
    preserve.arrange(upper, plan.upper)
    return [*plan.events, *events]


def without_lost(parts: Parts, plan: Plan) -> tuple[Plan, list[Event]]:
    """Return a plan without those packages of the overlay whose header files are lost, and an event for each.

    No database has their headers either, or they would be in the header set by now.
    """
    lost = plan.upper.files - plan.stand_ins.keys() - parts.sets.upper.list().files
    events = []
    for file in sorted(lost):
        name, version = header.name_and_evr(file)
        again = f"toy -n {parts.machine.name} -- zypper in {quoted(name)}"
        events.append(Event("gone", f"{name} {version} (its header is lost; install it again: {again})"))
    return plan._replace(upper=UpperSet(plan.upper.files - lost, plan.upper.whiteouts)), events


def run_triggers(parts: Parts, runs: Sequence[Run]) -> list[Event]:
    """Run triggers. Returns an event for each that fails, or takes too long."""
    problems = run_each(parts.run, [Command(run.command, run.paths) for run in runs], "running triggers of packages")
    return [
        triggers.event(parts.machine.name, run.package, f"its trigger {problem}", run.again)
        for run, problem in zip(runs, problems, strict=True)
        if problem is not None
    ]
