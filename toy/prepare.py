# SPDX-License-Identifier: GPL-2.0-or-later
"""What a launch does before and after, where something changed."""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import entry, events, failure, host, labels, nspawn, rpmdb, run, seen, settle, var
from .build import Builder
from .copying import Copy
from .errors import Attempt, DamagedHeader, ToyError
from .events import Event
from .headerset import HeaderSet
from .machine import Machine
from .merged import Merged
from .reader import Reader
from .rpmdb import Database
from .seen import Seen

Say = Callable[[str], None]
"""Takes a line for the user."""

_FEW, _LARGEST = 100, 32 << 20
"""Headers, and bytes, that are worth to be imported before it is known whether they are wanted."""


def prepare(machine: Machine, ahead: Copy | None, *, say: Say) -> Seen:
    """Bring header sets, merged database and files of a machine that is locked and not mounted up to date.

    `ahead` is what `copying.ahead` began.
    """
    dbpath = os.fspath(rpmdb.dbpath())
    last = seen.last(machine)
    spawn = seen.of_nspawn()
    late_options = _LateOptions(last.late_options if last is not None and last.nspawn == spawn else None)
    database, accounts = seen.of_database(machine, dbpath), seen.of_accounts(machine)
    is_left_alone = last is not None and last.machine == seen.of_machine(machine)
    record = Merged(machine)
    if ahead is None:
        record.finish()
    try:
        with Builder(record.new, ahead) as builder, settle.reader_of(machine, is_held=True) as reader:
            if ahead is not None:
                builder.begin(_own(machine))
            if record.exists and (ahead is not None or not is_left_alone):
                # These two are always asked. They take 7 ms (2,000 packages), while the host's set is looked at here.
                reader.ask_ahead("open", machine.rpmdb)
                reader.ask_ahead("packages")
            with host.open_database(machine) as host_database:
                lower = _settle(
                    machine, host_database, reader, builder, dbpath, late_options, say, is_left_alone=is_left_alone
                )
    finally:
        record.finish()
    try:
        var.share_metadata(Path(machine.var))
    except (ToyError, OSError) as error:
        what = f"the host's repository metadata is not shared: {failure.explained(error).what}"
        say(f"{what}; to fetch it: toy -n {machine.name} -- zypper refresh")
    _label(machine, say)
    return Seen(
        lower=list(map(os.fspath, lower)),
        dbpath=dbpath,
        late_options=late_options.get(),
        nspawn=spawn,
        database=database,
        accounts=accounts,
        host_set=seen.of_host_set(machine),
        metadata=seen.of_metadata(machine),
        machine=seen.of_machine(machine),
    )


def keep(machine: Machine, stands: Seen, *, say: Say) -> None:
    """After a launch: put into the machine's set what was changed in its database.

    Raises ToyError if that cannot be done; the next launch does it then.
    """
    with Attempt(f"keep what was changed in machine {machine.name}"):
        settle.keep(machine, Path(stands.lower[0]))
    _label(machine, say)
    if Merged(machine).exists:  # else the next launch makes one
        stands.machine = seen.of_machine(machine)
        stands.remember(machine)


def _own(machine: Machine) -> dict[str, bytes]:
    """Return the header files of the overlay's set, if they are all that there is to it, and few."""
    with contextlib.suppress(ToyError, OSError), HeaderSet.open(Path(machine.overlay)) as headers:
        listing = headers.check()
        if not headers.opaque and not listing.whiteouts and len(listing.files) <= _FEW:
            found: dict[str, bytes] = {}
            for file in sorted(listing.files):
                found[file] = headers.read(file)
                if sum(map(len, found.values())) > _LARGEST:
                    return {}
            return found
    return {}


class _LateOptions:
    """Those of `nspawn.LATE_OPTIONS` that systemd-nspawn knows. It is asked meanwhile: that takes 12 ms."""

    def __init__(self, known: list[str] | None) -> None:
        self._known = known
        self._asked = run.Asked(["systemd-nspawn", "--help"]) if known is None else None

    def get(self) -> list[str]:
        """Return them."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            try:
                said = asked.answer()
            except ToyError:  # the launch says what is the matter with it
                said = ""
            self._known = [option for option in nspawn.LATE_OPTIONS if option in said]
        return self._known or []


def _label(machine: Machine, say: Say) -> None:
    try:
        labels.restore(machine)
    except ToyError as error:  # what is confined may not get at it
        say(f"files of machine {machine.name} may lack their SELinux labels: {error}")


def _settle(
    machine: Machine,
    database: Database,
    reader: Reader,
    builder: Builder,
    dbpath: str,
    late_options: _LateOptions,
    say: Say,
    *,
    is_left_alone: bool,
) -> list[Path]:
    """Settle what changed on either side; `database` is the host's. Returns the lower layers, uppermost first."""
    with Attempt("bring the host's header set up to date"):
        lower, done = host.current_set(machine, database)
    _say_mended(done.mended, say)

    def run_in_overlay(command: Sequence[str]) -> None:
        stands = Seen(lower=list(map(os.fspath, lower)), dbpath=dbpath, late_options=late_options.get())
        line = entry.command_line(machine, stands, list(command), own_options=[])
        run.run(line, environment=nspawn.ENVIRONMENT)

    happened: list[Event] = []
    try:
        settle.settle(
            machine, lower[0], database, reader, builder,
            run=run_in_overlay, happened=happened, is_left_alone=is_left_alone,
        )  # fmt: skip
    except DamagedHeader as damaged:
        before = lower
        lower, done = host.current_set(machine, database, everything=True)
        mended = [*done.mended, *settle.mend(machine, damaged)]
        if not mended and not any(done) and lower == before:
            raise
        _say_mended(mended, say)
        reader.stop()  # it shows the database as it was before
        settle.settle(machine, lower[0], database, reader, builder, run=run_in_overlay, happened=happened)
    finally:
        if happened:
            happened = events.in_order(happened)
            events.record(Path(machine.log), happened)
            events.say(happened, say, more=f"toy status {machine.name}")
    return lower


def _say_mended(mended: Iterable[str], say: Say) -> None:
    for file in mended:
        say(f"header file {file} was not what the rpm database has; mended")
