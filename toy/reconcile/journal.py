# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of a machine: its merged database, the base of that, and the plan that is about to be carried out.

The order on stable storage is: the plan, then (by `reconcile`) files, header sets, /var and the database, then the
base. At the end, when triggers were run and the user was told of all that happened, the plan goes. An fsync of the base
is no barrier for other files: so the machine's file system is synchronized before base, or plan, says that all is done.
"""

import errno
import os
import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import cast

from .. import events, process
from ..errors import ToyError
from ..events import Event
from ..filesystem import files, records, regular, stable
from ..headers import header
from ..headers.header import HeaderFile
from ..machine import Machine
from .plan import Plan


def read_base(path: Path) -> frozenset[HeaderFile] | None:
    """Return the header files in a recorded base, or None if it cannot be read. Raises ToyError as `records.read`."""
    stored = records.read(path)
    names = stored.get("headers") if isinstance(stored, dict) else stored  # before there was a version, a list
    if not isinstance(names, list) or not all(isinstance(name, str) and header.is_file_name(name) for name in names):
        return None
    names = map(sys.intern, names)  # a header set's listing has the same strings
    return cast("frozenset[HeaderFile]", frozenset(names))


class Journal:
    """The records of a machine that is locked, or that is only read."""

    def __init__(self, machine: Machine) -> None:
        self._directory = Path(machine.directory)
        self.path = Path(machine.rpmdb)
        self._base = Path(machine.base)
        self._name = machine.name
        self._plan = Path(machine.intent)
        self._untold = Path(machine.untold)
        self._new = Path(machine.new_rpmdb)
        self._old = self._directory / "rpmdb.old"
        self._new_base = Path(machine.new_base)
        self._known: tuple[frozenset[HeaderFile] | None] | None = None

    def has_database(self) -> bool:
        """Say whether there is a merged database: a file other than a dot file in its directory."""
        try:
            with os.scandir(self.path) as entries:
                return any(not entry.name.startswith(".") and not entry.is_dir() for entry in entries)
        except FileNotFoundError:
            return False

    def base(self) -> frozenset[HeaderFile] | None:
        """Return the base, the host's header files that the database was merged with, or None if it cannot be read."""
        if self._known is None:
            self._known = (read_base(self._base),)
        return self._known[0]

    def pending(self) -> Plan | None:
        """Return the recorded plan, which was not finished, or None. Raises ToyError if it cannot be read."""
        try:
            return Plan.from_json(regular.read(os.fspath(self._plan), longest=records.LONGEST))
        except FileNotFoundError:
            return None
        except records.Later:
            raise records.later(self._plan) from None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in (errno.EFBIG, errno.EINVAL, errno.EISDIR):
                raise
            raise ToyError(
                f"the plan {self._plan} is damaged, so the last reconciliation cannot be finished",
                f"drop it, and see which files differ: mv --backup=numbered -T {self._plan} {self._plan}.away;"
                f" toy -n {self._name} -- rpm -Va",
            ) from None

    def intend(self, plan: Plan) -> None:
        """Record a plan before anything of it is done."""
        with files.directory(self._directory) as fd, files.naming(self._plan):
            files.write(fd, self._plan.name, plan.to_json(), durable=True)

    def new(self) -> Path:
        """Return an empty directory to build the next database in."""
        _remove(self._new)
        self._new.mkdir()
        return self._new

    def commit(self, base: AbstractSet[HeaderFile]) -> None:
        """Put the database that was built in `new()` in place, with its base; power may fail at any step."""
        stable.synchronize([self._directory])
        self._write_base(self._new_base, base)  # from here on, finish() goes forward
        self.finish()

    def rebase(self, base: AbstractSet[HeaderFile]) -> None:
        """Record another base for the database that is in place."""
        if base != self.base():
            stable.synchronize([self._directory])
            self._write_base(self._base, base)

    def untold(self) -> list[Event]:
        """Return the events of earlier launches that nobody was told of."""
        return events.untold(self._untold)

    def keep(self, happened: Iterable[Event]) -> None:
        """Keep events until `forget_untold`, lest they are lost if this launch is killed; see `events.keep`."""
        events.keep(self._untold, happened)

    def close(self) -> None:
        """Forget the plan, which is done."""
        if self._plan.exists():
            stable.synchronize([self._directory])
        self._forget(self._plan)

    def forget_untold(self) -> None:
        """Forget the events that were kept, of which the user was told."""
        self._forget(self._untold)

    def _forget(self, path: Path) -> None:
        if path.exists():
            path.unlink()
            with files.directory(self._directory) as fd:
                os.fsync(fd)

    def _write_base(self, path: Path, base: AbstractSet[HeaderFile]) -> None:
        self._known = None
        records.write(path, {"headers": sorted(base)}, durable=True)

    def finish(self) -> None:
        """Finish a commit that began, or remove the new database if none did."""
        self._give_up_unreadable()
        if self._new_base.exists():
            if self._new.exists():
                if self.path.exists():
                    _remove(self._old)
                    self.path.rename(self._old)
                self._new.rename(self.path)
            try:
                self._new_base.rename(self._base)
            except OSError as error:
                error.filename = os.fspath(self._base)  # what is in the way
                raise
            self._known = None
            with files.directory(self._directory) as fd:
                os.fsync(fd)
        _remove(self._new)
        _remove(self._old)

    def _give_up_unreadable(self) -> None:
        """Give up a commit whose base cannot be read: what the database in place was merged with, a plan says."""
        if os.path.lexists(self._new_base) and read_base(self._new_base) is None:
            if self._old.exists() and not self.path.exists():
                self._old.rename(self.path)
            elif self._old.exists() and not self._new.exists():  # the base is that of the old one
                _remove(self._base)
                self._known = None
            _remove(self._new_base)


def _remove(directory: Path) -> None:
    if os.path.lexists(directory):
        process.run(["rm", "-rf", "--one-file-system", "--", os.fspath(directory)])  # however deep it is
