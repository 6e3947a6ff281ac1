# SPDX-License-Identifier: GPL-2.0-or-later
"""The user as whom `toy --user` runs a session: the one who called sudo, run0 or pkexec."""

from __future__ import annotations

import os
import pwd

from ..errors import ToyError, quoted, typed
from ..host import homes, mounted
from . import kernel

_RUNTIME = "/run/user"


class User:
    """A user of the host's, as the host's accounts have them."""

    def __init__(self, entry: pwd.struct_passwd) -> None:
        self.name = entry.pw_name
        self.uid = entry.pw_uid
        self.gid = entry.pw_gid
        self.groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        self.home = entry.pw_dir
        self.shell = entry.pw_shell
        self.runtime_directory = f"{_RUNTIME}/{self.uid}"

    def environment(self) -> dict[str, str]:
        """Return the variables that a login of the user sets."""
        found = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}
        found |= {"SHELL": self.shell, "XDG_RUNTIME_DIR": self.runtime_directory}
        if os.path.exists(bus := f"{self.runtime_directory}/bus"):
            found["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
        return found


class Directories:
    """The user's directories on the host, taken where toy runs; `show` is called where the root is the machine's."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._home = os.stat(user.home)
        has_runtime = os.path.isdir(user.runtime_directory)
        self._runtime = kernel.tree(user.runtime_directory, read_only=False) if has_runtime else None

    def show(self, *, is_own_view: bool) -> None:
        """Make the runtime directory show in the machine. Raises OSError, and ToyError if the home does not show.

        With `is_own_view`, this process has a mount namespace of its own, and sees the host's /run.
        """
        user = self._user
        if not _is(user.home, self._home):
            raise ToyError(
                f"{user.home} does not show in the machine, which was entered before {user.name} had it",
                "it does once all have left; see who is in: toy list",
            )
        if not os.path.isdir(user.runtime_directory):
            os.makedirs(_RUNTIME, exist_ok=True)
            os.mkdir(user.runtime_directory, 0o700)
            os.chown(user.runtime_directory, user.uid, user.gid, follow_symlinks=False)
        if self._runtime is not None:
            # In a machine others may have mounted it; in a session's own view of the host it is read-only.
            if is_own_view or not os.path.ismount(user.runtime_directory):
                kernel.mount_tree(self._runtime, user.runtime_directory)
            os.close(self._runtime)


def caller() -> User:
    """Return the user who called sudo or its like. Raises ToyError if there is none, or without a home."""
    uid = homes.caller()
    if uid is None:
        raise ToyError("--user means the caller of sudo, run0 or pkexec, and there is none", f"try: sudo {typed()}")
    try:
        user = User(pwd.getpwuid(uid))
    except KeyError:
        raise ToyError(f"there is no user with number {uid}", f"see: getent passwd {uid}") from None
    if not user.home.startswith("/") or not os.path.isdir(user.home):
        raise ToyError(
            f"the home of {user.name} does not exist: {user.home}",
            f"see: getent passwd {user.name}; ls -ld {quoted(user.home)}",
        )
    if not mounted.is_in(os.path.realpath(user.home), homes.shared()):
        raise ToyError(
            f"the home of {user.name} does not show in machines: {user.home}",
            f"it has to be the own directory of a regular user, see: ls -ldn {quoted(user.home)}; id {user.name}",
        )
    return user


def _is(path: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except OSError:
        return False
