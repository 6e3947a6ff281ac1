# SPDX-License-Identifier: GPL-2.0-or-later
"""Brings a machine in line with its host before a launch, and after it adopts what was done in the machine.

This holds the steps around `reconcile`: the host's header set, damaged header files, accounts, printing and logging
events, repository metadata, SELinux labels.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .. import events, failure
from ..database.copies import Copy
from ..database.merge import Builder
from ..database.reader import Reader
from ..database.rpmdb import Database
from ..errors import Attempt, DamagedHeader, ToyError
from ..events import Event
from ..following import accounts, own_homes, repositories, var
from ..headers.dump import mended
from ..headers.header import HeaderFile
from ..headers.headerset import HeaderSet
from ..machine import Machine
from ..overlay import labels
from . import adopt, host_set
from .journal import Journal
from .merged_database import reader_of
from .parts import Parts
from .reconcile import reconcile

Run = Callable[[Sequence[Path], Sequence[str], bytes, int], list[str]]
"""Runs a command in an overlay over some lower layers, as `parts.Run` does."""

Say = Callable[[str], None]
"""Takes a line for the user."""

_MOST_AHEAD, _LARGEST_AHEAD = 100, 32 << 20
"""Most headers, and bytes of them, that are imported before it is known whether they are wanted."""


def bring_in_line(machine: Machine, ahead: Copy | None, *, run: Run, is_left_alone: bool, say: Say) -> list[Path]:
    """Bring header sets, merged database and files of a machine that is locked and not mounted up to date.

    `ahead` is the copy of the host's database that was begun in `Machine.new_rpmdb`, or None. `run` runs a command in
    the overlay over the given lower layers. With `is_left_alone`, nobody touched the machine's database and set since
    the last launch.
    Returns the lower layers, uppermost first.
    """
    record = Journal(machine)
    if ahead is None:
        record.finish()
    try:
        with Builder(record.new, ahead) as builder, reader_of(machine, is_held=True) as reader:
            if ahead is not None:
                builder.begin(_likely_to_be_imported(machine))
            if record.has_database() and (ahead is not None or not is_left_alone):
                # `adopt` asks these two in any case. They take 7 ms (2,000 packages), while we read the host's set.
                reader.ask_ahead("open", machine.rpmdb)
                reader.ask_ahead("packages")
            with host_set.open_database(machine) as host_database:
                lower = _reconcile(machine, host_database, reader, builder, run, say, is_left_alone=is_left_alone)
    except BaseException:
        with contextlib.suppress(ToyError, OSError):  # what is on its way says more, and the next launch does it
            record.finish()
        raise
    record.finish()
    try:
        var.share_metadata(Path(machine.var))
    except (ToyError, OSError) as error:
        what = f"the host's repository metadata is not shared: {failure.explained(error).what}"
        say(f"{what}; to fetch it: toy -n {machine.name} -- zypper refresh")
    _label(machine, say)
    return lower


def keep(machine: Machine, layer: Path, *, say: Say) -> bool:
    """Put into a machine's set what a launch changed in its database, and say whether there is a database.

    `layer` is the uppermost of the lower layers. Raises ToyError if that cannot be done; the next launch does it then.
    """
    with Attempt(f"keep what was changed in machine {machine.name}"):
        adopt.keep(machine, layer)
    _label(machine, say)
    return Journal(machine).has_database()  # else the next launch makes one


def _likely_to_be_imported(machine: Machine) -> dict[HeaderFile, bytes]:
    """Return the overlay's header files, with magic, by name, if they are few and its set is nothing but them."""
    with contextlib.suppress(ToyError, OSError), HeaderSet.open(Path(machine.overlay)) as headers:
        listing = headers.list()
        if not headers.is_opaque() and not listing.whiteouts and len(listing.files) <= _MOST_AHEAD:
            found: dict[HeaderFile, bytes] = {}
            for file in sorted(listing.files):
                found[file] = headers.read(file)
                if sum(map(len, found.values())) > _LARGEST_AHEAD:
                    return {}
            return found
    return {}


def _label(machine: Machine, say: Say) -> None:
    try:
        labels.restore(machine)
    except ToyError as error:  # SELinux may refuse the files to confined programs
        say(f"files of machine {machine.name} may lack their SELinux labels: {error}")


def _reconcile(
    machine: Machine,
    database: Database,
    reader: Reader,
    builder: Builder,
    run: Run,
    say: Say,
    *,
    is_left_alone: bool,
) -> list[Path]:
    """Reconcile, and once more if a damaged header file was in the way and could be mended.

    `database` is the host's. Returns the lower layers, uppermost first.
    """
    with Attempt("bring the host's header set up to date"):
        lower, done = host_set.current_set(machine, database)
    _say_mended(done.mended, say)

    def run_in_overlay(command: Sequence[str], stdin: bytes = b"", lines: int = 0) -> list[str]:
        return run(lower, command, stdin, lines)

    time, journal = events.now(), Journal(machine)
    journal.untold()  # raises ToyError if a later version of toy wrote it, before anything is done
    happened: list[Event] = []
    try:
        upper, root = Path(machine.overlay), Path(machine.root)
        happened += accounts.follow(machine, journal.keep)
        happened += own_homes.follow(machine, journal.keep)
        happened += repositories.follow(upper, root, Path(machine.repositories), journal.keep)
        with Parts.open(machine, lower[0], database, reader, builder, run_in_overlay) as parts:
            happened += reconcile(parts, is_left_alone=is_left_alone)
    except DamagedHeader:
        before = lower
        lower, done = host_set.current_set(machine, database, everything=True)
        changed = [*done.mended, *adopt.mend(machine, lower[0], database)]
        if not changed and not any(done) and lower == before:
            raise
        _say_mended(changed, say)
        reader.stop()  # it has the database as it was before
        with Parts.open(machine, lower[0], database, reader, builder, run_in_overlay) as parts:
            happened += reconcile(parts)
    finally:
        # What was done before something was in the way is not done again.
        is_kept = _tell(machine, journal, happened, time, say)
    if is_kept:
        journal.close()
    return lower


def _tell(machine: Machine, journal: Journal, happened: Iterable[Event], time: str, say: Say) -> bool:
    """Log events, and print them. Until both is done, they stay in the record of those that nobody was told of.

    An error is only printed: another one may be on its way. Returns False if log and record both cannot be written.
    """
    found: list[Event] = []
    problem: ToyError | OSError | None = None
    try:
        found = events.in_order(dict.fromkeys([*journal.untold(), *happened]))
        if found:
            events.record(Path(machine.log), found, time)
    except (ToyError, OSError) as error:
        problem = error
    found = found or events.in_order(happened)
    events.say(found, say, more=f"toy status {machine.name}")
    try:
        if problem is None:
            journal.forget_untold()
        else:
            say(f"the log of machine {machine.name} lacks what happened: {failure.explained(problem)}")
            journal.keep(found)
    except (ToyError, OSError) as error:
        if problem is None:
            say(f"the next launch says again what happened: {failure.explained(error)}")
        return problem is None
    return True


def _say_mended(files: Iterable[HeaderFile], say: Say) -> None:
    for file in files:
        say(mended(file))
