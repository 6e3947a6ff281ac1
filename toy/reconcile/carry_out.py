# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out plans: changes the files of an upper, the files that programs generate in it, and its header set."""

import shlex
from pathlib import Path

from .. import process
from ..errors import ToyError
from ..headers import preserve
from ..overlay.apply import WritableUpper
from . import retired
from .events import Event
from .parts import Parts
from .plan import Plan


def carry_out(parts: Parts, plan: Plan) -> list[Event]:
    """Carry out a plan, from its beginning even if part of it was done before. Returns its events, and new ones."""
    machine, upper = parts.machine, parts.sets.upper
    stays = WritableUpper(parts.trees).apply(plan.operations)
    events = [Event("kept", each) for each in stays]
    for path, command in plan.caches:
        try:
            parts.run(["sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh", *command])
        except ToyError as error:
            failed = f"{shlex.join(command)} {_failed(error)} in the overlay"
            see = f"; see why: toy -n {machine.name} -- {shlex.join(command)}" if machine.root == "/" else ""
            events.append(Event("stale", f"{path} ({failed}{see})"))
    for label, commands in plan.triggers:
        try:
            for command in commands:
                parts.run(command)
        except ToyError as error:
            again = f"toy -n {machine.name} -- zypper in -f {shlex.quote(label.split()[0])}"
            events.append(
                Event("stale", f"what {label} keeps of others' files (its trigger {_failed(error)}: {again})")
            )
    for file, blob in plan.stand_ins.items():
        upper.write(file, blob)
    record = Path(machine.retired)
    if retired.read(record) != plan.retired:
        retired.write(record, plan.retired)
    preserve.arrange(upper, plan.upper)
    return [*plan.events, *events]


def _failed(error: ToyError) -> str:
    """Return what a command did that ended with an error: "failed", or that it was killed for taking too long."""
    return error.why if isinstance(error, process.TookTooLong) else "failed"
