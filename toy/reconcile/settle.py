# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies between two launches: one machine's header set, database and files are brought in line with the host."""

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..database import foreign, keyring, parse, rpmdb
from ..database.merge import Builder
from ..database.reader import ForeignDatabase, Reader
from ..database.rpmdb import Database
from ..errors import DamagedHeader, ToyError, UnusableDatabase
from ..headers import changes, contents, header, own
from ..headers.contents import Content, Readable
from ..headers.headerset import HeaderSet
from ..host import homes
from ..machine import Machine
from ..overlay.apply import WritableUpper
from ..overlay.upper import UpperView
from . import accounts, var
from .events import Event
from .journal import Merged
from .plan import Intent
from .planner import decide
from .sets import Sets, perhaps_standing_in

Run = Callable[[Sequence[str]], None]
"""Runs a command in the overlay, to its end. Raises ToyError if it fails."""


def keep(machine: Machine, layer: Path) -> None:
    """After a launch: put into the machine's set what was changed in its database.

    Raises ToyError if that cannot be done; the next `settle` does it then.
    """
    with Sets.open(machine, layer) as sets, reader_of(machine, is_held=True) as reader:
        _keep(machine, Merged(machine), sets, reader)


def _keep(
    machine: Machine, record: Merged, sets: Sets, reader: Reader
) -> tuple[Content | None, AbstractSet[str] | None]:
    """Return the machine's database, and the files of its base; None where there is none."""
    base: AbstractSet[str] | None = record.base()
    if not record.exists:
        return None, base
    with open_database(machine, reader) as database:
        if base is None:
            base = _guessed_base(sets, database)
        have = own.preserve(database, sets.upper, base=base)
    sets.remember(base - have.files)
    return have, base


def _kept(record: Merged, sets: Sets) -> tuple[Content, AbstractSet[str]] | None:
    """Return what `_keep` did when it was called last, if that is on record."""
    base, stamp = record.base(), sets.upper.stamp
    if base is None or stamp is None or not record.exists:
        return None
    listing = sets.upper.check()
    return Content(record.path, changes.UpperSet(listing.files, listing.whiteouts).over(base), stamp), base


def _guessed_base(sets: Sets, database: Readable) -> AbstractSet[str]:
    """Return what the host's set must have been when the overlay's database was merged, if no record says it."""
    listing, merged = sets.upper.check(), contents.files_of(database).keys()
    if sets.upper.stamp == database.stamp():  # then the upper's set says what is the overlay's own
        return merged - listing.files | listing.whiteouts
    return sets.host_files & (merged | listing.whiteouts)


def settle(
    machine: Machine,
    layer: Path,
    host_database: Database,
    reader: Reader,
    builder: Builder,
    *,
    run: Run,
    happened: list[Event],
    is_left_alone: bool = False,
) -> None:
    """Before a launch: carry over to the host's set what the overlay changed, and make database and files follow.

    The last commit of its database is finished. `host_database` is the host's, and `reader` is what `reader_of`
    returns. `run` runs a command in the overlay. What happened is added to `happened` once it is done. With
    `is_left_alone`, nobody touched the machine's database and set since the last launch.
    Raises DamagedHeader for a header file that is needed and is not what its name says, ToyError for whatever else
    cannot be read or written; nothing is lost then.
    """
    record = Merged(machine)
    upper = Path(machine.overlay)
    root = Path(machine.root)
    tree = WritableUpper(upper, Path(machine.var), root, homes.names())
    happened += accounts.follow(upper, root, Path(machine.accounts))
    recorded = record.base()
    earlier: list[Event] = []
    if record.exists and recorded is None:
        text = f"the host's packages when {machine.name} was last entered ({machine.base} could not be read)"
        happened.append(Event("guessed", text))
    with Sets.open(machine, layer) as sets:
        have, base = (is_left_alone and _kept(record, sets)) or _keep(machine, record, sets, reader)
        listing = sets.upper.check()
        wanted = changes.UpperSet(listing.files, listing.whiteouts)
        if base is not None:
            done = unfinished(machine, record)
            if done is not None and done.base == recorded:
                earlier = _carry_out(tree, sets, done, run)
                wanted, base = done.upper, done.host
        starts = [Content(rpmdb.dbpath(root), sets.host_files, sets.host.stamp), *([have] if have else [])]
        if base is not None and (base != sets.host_files or perhaps_standing_in(wanted)):
            todo = _decide(machine, recorded, sets, host_database, reader, have, base, wanted)
            if base != sets.host_files or todo.upper != wanted:
                todo = todo._replace(events=[*earlier, *todo.events])
                record.intend(todo.to_json())
                earlier = _carry_out(tree, sets, todo, run)
                wanted = todo.upper
        made = None
        if have is None or have.files != wanted.over(sets.host_files):
            made = builder.merge(_contents(sets, wanted), starts=starts)
        _put_in_place(machine, record, sets, reader, builder, wanted, have, made)
        sets.remember(wanted.whiteouts)
    happened += earlier


def _decide(
    machine: Machine,
    recorded: frozenset[str] | None,
    sets: Sets,
    host_database: Database,
    reader: Reader,
    have: Content | None,
    base: AbstractSet[str],
    upper: changes.UpperSet,
) -> Intent:
    """Decide what becomes of the overlay; `upper` is its part over `base`, and `have` its database, if there is one."""
    with contextlib.ExitStack() as stack:
        return decide(
            sets,
            UpperView(Path(machine.overlay), Path(machine.var), Path(machine.root), homes.names()),
            host_database,
            reader,
            None if have is None else stack.enter_context(open_database(machine, reader)),
            recorded=recorded,
            base=base,
            merged=upper.over(base),
            installed=frozenset() if have is None else have.files,
            mend=f"toy -n {machine.name} -- zypper verify",
        )


def unfinished(machine: Machine, record: Merged) -> Intent | None:
    """Return what a launch was about to do, if it is on record. Raises ToyError if that cannot be read."""
    stored = record.intent()
    try:
        return None if stored is None else Intent.from_json(stored)
    except ValueError:
        raise ToyError(
            f"{machine.intent} is damaged, so what it was about is not finished",
            f"have it left so, and see what is amiss: mv {machine.intent} {machine.intent}.away;"
            f" toy -n {machine.name} -- rpm -Va",
        ) from None


def _carry_out(tree: WritableUpper, sets: Sets, todo: Intent, run: Run) -> list[Event]:
    """Do what was intended; what was done before is done again. Returns what happened."""
    events = [Event("kept", f"{path} (changed in the overlay)") for path in tree.apply(todo.operations)]
    for path, command in todo.caches:
        try:
            run(["sh", "-c", 'command -v "$1" >/dev/null || exit 0; exec "$@"', "sh", *command])
        except ToyError:
            events.append(Event("stale", f"{path} ({shlex.join(command)} failed in the overlay)"))
    for file, blob in todo.stand_ins.items():
        sets.upper.write(file, blob)
    own.arrange(sets.upper, todo.upper)
    return [*todo.events, *events]


def _contents(sets: Sets, upper: changes.UpperSet) -> dict[str, HeaderSet]:
    """Return the header files that one sees with an upper over the host's set, and where each lies."""
    return {file: sets.upper if file in upper.files else sets.host for file in upper.over(sets.host_files)}


def _put_in_place(
    machine: Machine,
    record: Merged,
    sets: Sets,
    reader: Reader,
    builder: Builder,
    wanted: changes.UpperSet,
    have: Content | None,
    made: Content | None,
) -> None:
    """Put the database that was made in the place of the one there is, or leave that; with a /var that goes with it."""
    dbpath = rpmdb.dbpath(Path(machine.root))
    if made is not None:
        # libsolv knows solvables by hdrNum, and these are new.
        var.forget_installed(Path(machine.var))
    if record.base() != sets.host_files:
        _seed(machine, record.base(), sets, reader, wanted)
    if made is not None:
        builder.close(made)
    then = keyring.recall(Path(machine.keys)) if have is not None else {}
    target = Path(machine.rpmdb) if made is None else made.path
    keys = keyring.follow(target, own=Path(machine.rpmdb), host=dbpath, then=then)
    if made is not None:
        record.commit(sets.host_files)
    else:
        record.rebase(sets.host_files)
    keyring.remember(Path(machine.keys), keys)
    now = made or have
    sets.upper.stamp = now.stamp if now else None


def _seed(machine: Machine, base: AbstractSet[str] | None, sets: Sets, reader: Reader, wanted: changes.UpperSet) -> None:
    """Have the machine's /var follow the host's, as to what packages own there."""
    record = Path(machine.seeded)
    shown, known = wanted.over(sets.host_files), var.owned(record)
    # What is hidden may show again without any change of the host.
    every = shown | sets.host_files
    if base is None or known is None:
        try:
            with rpmdb.Database.open(rpmdb.dbpath(Path(machine.root))) as database:
                owned, unknown = database.owned_below("/var"), set(wanted.files)
        except UnusableDatabase:  # rpm is at work in it, say: the header set says the same, and takes longer
            owned, unknown = {}, set(every)
    else:
        owned = {file: known[file] for file in every & known.keys()}
        unknown = set(every - base - known.keys())
    for file in unknown:
        if file in wanted.files:
            owned[file] = reader.paths_below(sets.upper.read_blob(file), "/var")
        else:
            owned[file] = parse.paths_below(sets.host.read_blob(file), "/var")
    # What stands for a package of the host's says nothing of what that owns: who made it may be anybody.
    standing = set(map(header.label, wanted.files))
    of_host = {file for file in sets.host_files if file in shown or header.label(file) in standing}
    var.seed(Path(machine.var), owned, own=wanted.files, of_host=of_host, homes=homes.names(), record=record)


def reader_of(machine: Machine, *, is_held: bool = False) -> Reader:
    """Return what reads a machine's database, as it is when the reader begins, and its headers."""
    return Reader(foreign.place(machine.rpmdb, is_still=is_held)) if os.path.isdir(machine.rpmdb) else Reader()


@contextlib.contextmanager
def open_database(machine: Machine, reader: Reader) -> Iterator[ForeignDatabase]:
    """Open the merged database: root in the overlay can put anything in its place."""
    try:
        yield reader.open(Path(machine.rpmdb))
    except UnusableDatabase as error:
        mend = f"to have it made anew from the header set: mv {machine.rpmdb} {machine.rpmdb}.damaged"
        raise ToyError(error.what, mend) from error


def mend(machine: Machine, damaged: DamagedHeader) -> list[str]:
    """Write a header file of the overlay anew, if its database still has the header. Returns the files written."""
    if not Merged(machine).exists:
        return []
    with (
        HeaderSet.open_upper(Path(machine.overlay), Path(machine.root)) as upper,
        reader_of(machine, is_held=True) as reader,
        open_database(machine, reader) as database,
    ):
        number = contents.files_of(database).get(damaged.file)
        if number is None or damaged.file not in upper.list().files:
            return []
        for found in database.headers([number]):
            upper.write(damaged.file, found.blob)
    return [damaged.file]
