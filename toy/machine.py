# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine on disk: its paths, its lock, its database and the base that goes with it."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from . import files
from .errors import ToyError

STATE = Path("/var/lib/toy")
MACHINES = Path("/var/lib/machines")
"""Where machinectl(1) looks."""

# A host name's label, as systemd-nspawn(1) asks of a machine's name.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


class Machine:
    """One named overlay with its state. Nothing is made before `locked`."""

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ToyError(f"{name!r} is no name for a machine", "use 1 to 64 letters, digits and inner dashes")
        self.name = name
        self.directory = STATE / name
        self.mount_point = MACHINES / name
        """Empty on disk; the merged root is mounted here in the launch's own mount namespace."""
        self.overlay = self.directory / "overlay"
        """The upper: every file written in the overlay."""
        self.work = self.directory / "work"
        self.rpmdb = self.directory / "rpmdb"
        """The merged database."""
        self.var = self.directory / "var"
        self.seeded = self.directory / "seeded"
        """Which files of its /var came from the host's, and what they were like."""
        self.host_layer = self.directory / "host"
        """A layer between root and overlay with the host's header set, where that cannot be written."""
        self.accounts = self.directory / "accounts"
        """The host's passwd(5) and its kin, as they were at the last launch."""
        self.log = self.directory / "log"
        """What became of it after the host changed."""
        self._intent = self.directory / "intent"
        self._base = self.directory / "base"
        self._new_rpmdb = self.directory / "rpmdb.new"
        self._old_rpmdb = self.directory / "rpmdb.old"
        self._new_base = self.directory / "base.new"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make what is missing of the machine and hold it for one launch. Raises ToyError if another one has it."""
        MACHINES.mkdir(mode=0o700, parents=True, exist_ok=True)
        STATE.mkdir(mode=0o700, parents=True, exist_ok=True)  # old setuid programs may lie in an overlay
        self.directory.mkdir(mode=0o700, exist_ok=True)
        with files.directory(self.directory) as fd, contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.locked(fd, wait=False))
            except BlockingIOError:
                raise ToyError(
                    f"machine {self.name} is in use", "leave it first, or use another one: toy -n NAME"
                ) from None
            for directory in (self.overlay, self.work, self.var, self.mount_point):
                if not directory.exists():
                    directory.mkdir()
                    directory.chmod(0o755)  # whatever the umask: two of them are / and /var of the overlay
            link = MACHINES / f".{self.name}"
            if not link.is_symlink() and not link.exists():
                link.symlink_to(self.directory)
            self._finish()
            yield

    @property
    def is_in_use(self) -> bool:
        """Whether somebody has it locked now."""
        try:
            with files.directory(self.directory) as fd, files.locked(fd, wait=False):
                return False
        except BlockingIOError:
            return True

    @property
    def has_rpmdb(self) -> bool:
        """Whether there is a merged database. Dot files in its place do not make one."""
        try:
            return any(not name.startswith(".") for name in os.listdir(self.rpmdb))
        except FileNotFoundError:
            return False

    def base(self) -> frozenset[str] | None:
        """Return the files of the host's set that the database was merged with, or None if that cannot be read."""
        try:
            names = json.loads(self._base.read_bytes())
        except (OSError, ValueError):
            return None
        return frozenset(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else None

    def intent(self) -> bytes | None:
        """Return what `intend` recorded, if that was not finished."""
        try:
            return self._intent.read_bytes()
        except FileNotFoundError:
            return None

    def intend(self, intent: bytes) -> None:
        """Record what is going to be done, before anything of it is; `commit` and `rebase` say that it is done."""
        with files.directory(self.directory) as fd, files.naming(self._intent):
            files.write(fd, self._intent.name, intent, durable=True)

    def new_rpmdb(self) -> Path:
        """Return an empty directory to build the next database in."""
        _remove(self._new_rpmdb)
        self._new_rpmdb.mkdir()
        return self._new_rpmdb

    def commit(self, base: AbstractSet[str]) -> None:
        """Put the database in `new_rpmdb` in place, together with its base; power may fail at any step."""
        files.flush(self._new_rpmdb)
        self._write_base(self._new_base, base)  # from here on, _finish() goes forward
        self._finish()
        self._forget_intent()

    def rebase(self, base: AbstractSet[str]) -> None:
        """Record another base for the database as it is."""
        if base != self.base():
            self._write_base(self._base, base)
        self._forget_intent()

    def _forget_intent(self) -> None:
        if self._intent.exists():
            self._intent.unlink()
            with files.directory(self.directory) as fd:
                os.fsync(fd)

    def _write_base(self, path: Path, base: AbstractSet[str]) -> None:
        with files.directory(self.directory) as fd, files.naming(path):
            files.write(fd, path.name, json.dumps(sorted(base), indent=0).encode(), durable=True)

    def _finish(self) -> None:
        """Finish what a commit began, or drop what never came to it."""
        if self._new_base.exists():
            if self._new_rpmdb.exists():
                if self.rpmdb.exists():
                    _remove(self._old_rpmdb)
                    self.rpmdb.rename(self._old_rpmdb)
                self._new_rpmdb.rename(self.rpmdb)
            self._new_base.rename(self._base)
            with files.directory(self.directory) as fd:
                os.fsync(fd)
        _remove(self._new_rpmdb)
        _remove(self._old_rpmdb)


def _remove(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)
