# SPDX-License-Identifier: GPL-2.0-or-later
"""Reconciliation: a machine's header set, files and database are brought in line with its host, from top to bottom.

adopt          changes in the machine's database are put into its header set    adopt
replay         a recorded plan that was not finished is carried out             journal
relocate       files move to where directories and links of the host lead       facts, relocate
read, plan     it is decided what has to change; nothing is written             facts, planner
intend         the plan is recorded                                             journal
carry out      files, generated files and header set are changed                carry_out
merge          a database is made that holds what the header set does           merge
commit         database, base, keys and /var are put in place together          commit
run triggers   those of packages run for what the host brought and took away    carry_out
"""

from ..events import Event
from . import planner
from .adopt import adopt, adopted_before
from .carry_out import carry_out, run_triggers, without_lost
from .commit import commit
from .facts import read_state
from .merge import merge
from .parts import Parts
from .relocate import relocate
from .triggers import Run


def reconcile(parts: Parts, *, is_left_alone: bool = False) -> list[Event]:
    """Bring a machine's header set, files and database in line with the host's set. Returns the events.

    With `is_left_alone`, nobody touched the machine's database and set since the last launch. Raises DamagedHeader for
    a header file that is needed and is not what its name says, ToyError for whatever else cannot be read or written;
    nothing is lost then, and the next launch finishes it.
    """
    machine, journal, sets = parts.machine, parts.journal, parts.sets
    recorded, pending = journal.base(), journal.pending()
    happened: list[Event] = []
    if journal.has_database() and recorded is None and (pending is None or pending.base is None):
        happened.append(
            Event(
                "guessed",
                f"which packages the host had at the last launch of {machine.name}, "
                f"since {machine.base} could not be read",
            )
        )
    adopted = (is_left_alone and adopted_before(journal, sets)) or adopt(machine, journal, sets, parts.reader)
    upper, base = sets.upper.list().upper_set(), adopted.base
    done: list[Event] = []
    runs: list[Run] = []
    if base is not None:
        if recorded is None and pending is not None and pending.base is not None:
            recorded = pending.base if base == pending.base else pending.host
        if pending is not None and recorded in (pending.base, pending.host):
            runs = pending.triggers
        if pending is not None and pending.base == recorded:
            pending, lost = without_lost(parts, pending)
            happened += lost
            done = carry_out(parts, pending)
            upper, base = pending.upper, pending.host
        if planner.is_due(base=base, host=sets.host_files, upper=upper):
            with read_state(parts, adopted.database, recorded=recorded, base=base, upper=upper) as state:
                relocated = relocate(parts, state)
                done += relocated.events
                plan = planner.plan(relocated.state, relocated.covering)
            if plan is not None:
                plan = plan._replace(events=[*done, *plan.events], triggers=[*runs, *plan.triggers])
                journal.intend(plan)
                done = carry_out(parts, plan)
                upper, runs = plan.upper, plan.triggers
    made = merge(parts, adopted.database, upper)
    happened = commit(parts, upper, [*happened, *done], before=adopted.database, made=made)
    return [*happened, *run_triggers(parts, runs)]
