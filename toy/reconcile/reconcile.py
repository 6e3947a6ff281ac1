# SPDX-License-Identifier: GPL-2.0-or-later
"""Reconciliation: a machine's header set, files and database are brought in line with its host, from top to bottom.

adopt          changes in the machine's database are put into its header set    adopt
replay         a recorded plan that was not finished is carried out             journal
read, plan     it is decided what has to change; nothing is written             state, planner
intend         the plan is recorded                                             journal
carry out      files, generated files and header set are changed                overlay.apply
merge          a database is made that holds what the header set does           database.merge
commit         database, base, keys and /var are put in place together          commit
"""

import contextlib
import shlex
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..database import connection
from ..database.merge import Builder
from ..database.reader import Reader
from ..database.rpmdb import Database
from ..errors import ToyError
from ..headers import preserve
from ..headers.changes import UpperSet
from ..headers.contents import Content
from ..headers.header import HeaderFile
from ..machine import Machine
from ..overlay.apply import WritableUpper
from ..overlay.upper_files import Trees, UpperView
from . import planner
from .adopt import adopt, adopted_before
from .commit import commit
from .events import Event
from .facts import ReadFacts, require_true
from .header_sets import HeaderSets
from .journal import Journal
from .merged_database import open_database
from .parts import Parts, Run
from .plan import Plan
from .state import State


def reconcile(
    machine: Machine,
    layer: Path,
    host_database: Database,
    reader: Reader,
    builder: Builder,
    *,
    run: Run,
    is_left_alone: bool = False,
) -> list[Event]:
    """Bring a machine's header set, files and database in line with the host's set. Returns the events.

    `layer` is the lower layer with the host's set, `host_database` the host's database, and `reader` what
    `merged_database.reader_of` returns. With `is_left_alone`, nobody touched the machine's database and set since the
    last launch. Raises DamagedHeader for a header file that is needed and is not what its name says, ToyError for
    whatever else cannot be read or written; nothing is lost then, and the next launch finishes it.
    """
    journal = Journal(machine)
    recorded = journal.base()
    happened: list[Event] = []
    if journal.has_database() and recorded is None:
        text = (
            f"which packages the host had at the last launch of {machine.name}, since {machine.base} could not be read"
        )
        happened.append(Event("guessed", text))
    with HeaderSets.open(machine, layer) as sets:
        parts = Parts(machine, journal, sets, Trees.of(machine), host_database, reader, builder, run)
        adopted = (is_left_alone and adopted_before(journal, sets)) or adopt(machine, journal, sets, reader)
        upper, base = sets.upper.check().upper_set(), adopted.base
        done: list[Event] = []
        if base is not None:
            pending = journal.pending()
            if pending is not None and pending.base == recorded:
                done = _carry_out(parts, pending)
                upper, base = pending.upper, pending.host
            if planner.is_due(base=base, host=sets.host_files, upper=upper):
                plan = _plan(parts, adopted.database, recorded, base, upper)
                if plan is not None:
                    plan = plan._replace(events=[*done, *plan.events])
                    journal.intend(plan)
                    done = _carry_out(parts, plan)
                    upper = plan.upper
        made = _merge(parts, adopted.database, upper)
        commit(parts, upper, before=adopted.database, made=made)
    return [*happened, *done]


def _plan(
    parts: Parts,
    database: Content | None,
    recorded: frozenset[HeaderFile] | None,
    base: AbstractSet[HeaderFile],
    upper: UpperSet,
) -> Plan | None:
    """Read the state of machine and host, and return the plan for it, or None if nothing is to be done."""
    machine, sets, reader = parts.machine, parts.sets, parts.reader
    require_true(sets, parts.host_database, base ^ sets.host_files)
    with contextlib.ExitStack() as stack:
        opened = None if database is None else stack.enter_context(open_database(machine, reader))
        installed = frozenset() if database is None else database.files
        facts = ReadFacts(sets, UpperView(parts.trees), parts.host_database, reader, opened, installed)
        return planner.plan(
            State(
                machine=machine.name,
                recorded=recorded,
                base=base,
                host=sets.host_files,
                upper=upper,
                hidden=sets.hidden.check().files,
                installed=None if database is None else installed,
                facts=facts,
            )
        )


def _carry_out(parts: Parts, plan: Plan) -> list[Event]:
    """Carry out a plan, from its beginning even if part of it was done before. Returns its events, and new ones."""
    machine, upper = parts.machine, parts.sets.upper
    stays = WritableUpper(parts.trees).apply(plan.operations)
    events = [Event("kept", f"{path} (changed in the overlay)") for path in stays]
    for path, command in plan.caches:
        try:
            parts.run(["sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh", *command])
        except ToyError:
            failed = f"{shlex.join(command)} failed in the overlay"
            see = f"; see why: toy -n {machine.name} -- {shlex.join(command)}" if machine.root == "/" else ""
            events.append(Event("stale", f"{path} ({failed}{see})"))
    for file, blob in plan.stand_ins.items():
        upper.write(file, blob)
    preserve.arrange(upper, plan.upper)
    return [*plan.events, *events]


def _merge(parts: Parts, before: Content | None, upper: UpperSet) -> Content | None:
    """Make a database that holds what `upper` over the host's set shows; return None if the one `before` does."""
    sets = parts.sets
    wanted = upper.over(sets.host_files)
    if before is not None and before.files == wanted:
        return None
    contents = {file: sets.upper if file in upper.files else sets.host for file in wanted}
    host = Content(connection.dbpath(Path(parts.machine.root)), sets.host_files, sets.host.read_stamp())
    return parts.builder.merge(contents, starts=[host, *([before] if before else [])])
