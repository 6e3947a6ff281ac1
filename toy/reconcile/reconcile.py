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
from collections.abc import Callable, Sequence
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
from .adopt import Adopted, adopt, adopted_before
from .commit import commit
from .events import Event
from .facts import ReadFacts, require_true
from .header_sets import HeaderSets
from .journal import Journal
from .merged_database import open_database
from .plan import Plan
from .state import State

Run = Callable[[Sequence[str]], None]
"""Runs a command in the overlay, to its end. Raises ToyError if it fails."""


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
    trees = Trees.of(machine)
    tree = WritableUpper(trees)
    with HeaderSets.open(machine, layer) as sets:
        adopted = (is_left_alone and adopted_before(journal, sets)) or adopt(machine, journal, sets, reader)
        upper, base = _upper(sets), adopted.base
        done: list[Event] = []
        if base is not None:
            pending = journal.pending()
            if pending is not None and pending.base == recorded:
                done = _carry_out(machine, pending, tree, sets, run)
                upper, base = pending.upper, pending.host
            if planner.is_due(base=base, host=sets.host_files, upper=upper):
                plan = _plan(machine, sets, trees, host_database, reader, adopted, recorded, base, upper)
                if plan is not None:
                    plan = plan._replace(events=[*done, *plan.events])
                    journal.intend(plan)
                    done = _carry_out(machine, plan, tree, sets, run)
                    upper = plan.upper
        made = _merge(machine, sets, builder, adopted.database, upper)
        commit(machine, journal, sets, trees, reader, builder, upper, before=adopted.database, made=made)
    return [*happened, *done]


def _upper(sets: HeaderSets) -> UpperSet:
    listing = sets.upper.check()
    return UpperSet(listing.files, listing.whiteouts)


def _plan(
    machine: Machine,
    sets: HeaderSets,
    trees: Trees,
    host_database: Database,
    reader: Reader,
    adopted: Adopted,
    recorded: frozenset[HeaderFile] | None,
    base: AbstractSet[HeaderFile],
    upper: UpperSet,
) -> Plan | None:
    """Read the state of machine and host, and return the plan for it, or None if nothing is to be done."""
    require_true(sets, host_database, base ^ sets.host_files)
    database = adopted.database
    with contextlib.ExitStack() as stack:
        opened = None if database is None else stack.enter_context(open_database(machine, reader))
        installed = None if database is None else database.files
        return planner.plan(
            State(
                machine=machine.name,
                recorded=recorded,
                base=base,
                host=sets.host_files,
                upper=upper,
                hidden=sets.hidden.check().files,
                installed=installed,
                facts=ReadFacts(sets, UpperView(trees), host_database, reader, opened, installed or frozenset()),
            )
        )


def _carry_out(machine: Machine, plan: Plan, tree: WritableUpper, sets: HeaderSets, run: Run) -> list[Event]:
    """Carry out a plan, from its beginning even if part of it was done before. Returns its events, and new ones."""
    events = [Event("kept", f"{path} (changed in the overlay)") for path in tree.apply(plan.operations)]
    for path, command in plan.caches:
        try:
            run(["sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh", *command])
        except ToyError:
            line = shlex.join(command)
            see = f"see why: toy -n {machine.name} -- {line}"
            events.append(Event("stale", f"{path} ({line} failed in the overlay; {see})"))
    for file, blob in plan.stand_ins.items():
        sets.upper.write(file, blob)
    preserve.arrange(sets.upper, plan.upper)
    return [*plan.events, *events]


def _merge(
    machine: Machine, sets: HeaderSets, builder: Builder, before: Content | None, upper: UpperSet
) -> Content | None:
    """Make a database that holds what `upper` over the host's set shows; return None if the one `before` does."""
    wanted = upper.over(sets.host_files)
    if before is not None and before.files == wanted:
        return None
    contents = {file: sets.upper if file in upper.files else sets.host for file in wanted}
    host = Content(connection.dbpath(Path(machine.root)), sets.host_files, sets.host.read_stamp())
    return builder.merge(contents, starts=[host, *([before] if before else [])])
