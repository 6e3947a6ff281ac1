# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the command line of systemd-nspawn(1). Nothing is read or run here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ENVIRONMENT = {
    # A machine has a lock of its own, and nspawn's would stay behind after SIGKILL.
    "SYSTEMD_NSPAWN_LOCK": "0",
    # Otherwise it asks the terminal for its colours, and takes what is typed meanwhile for the answer (systemd 256).
    "SYSTEMD_COLORS": "0",
}
"""For nspawn itself; what it starts does not get it."""

LATE_OPTIONS = {
    # None is restricted: strace, ip and tcpdump want more than nspawn is going to permit (systemd 261 announces it).
    "--restrict-address-families=": "RestrictAddressFamilies",
}
"""Options for a systemd-nspawn that is new enough to know them, with the names of the settings that do the same."""

# nspawn would write these into the overlay, to stay there.
_UNLESS_SET = {
    "ResolvConf": "--resolv-conf=off",
    "Timezone": "--timezone=off",
    "LinkJournal": "--link-journal=no",
}

# nspawn reports a command killed by a signal as 255, so sh waits for it; exec in a subshell runs no builtin of
# sh's, and its traps keep sh alive while a signal to the process group ends the command.
_WRAPPER = 'trap : HUP INT QUIT TERM; (exec "$@"); exit $?'

# The first process of a machine that is kept: it says that it is there, and ends when its stdin does, not when somebody
# in the machine sends a signal to all processes, or to each sh.
_FIRST = "trap '' HUP INT QUIT TERM USR1 USR2; echo up; read -r _"

FILTERING = {"SystemCallFilter", "RestrictAddressFamilies"}
"""Settings for which there must be filters of system calls."""

WITHOUT_FILTERS = {"SYSTEMD_SECCOMP": "0"}
"""Switches filters off, for nspawn's environment. To make them takes more than half of nspawn's time (54 ms instead of
21, systemd 252), and what sessions in a machine have, they get from toy."""


def bind(source: str, target: str | None = None) -> str:
    """Return the value of a --bind= option."""
    parts = [source] if target is None else [source, target]
    return ":".join(part.replace("\\", "\\\\").replace(":", "\\:") for part in parts)


def command_line(
    machine: str,
    root: str,
    command: list[str] | None,
    *,
    binds: Iterable[str] = (),
    read_only_binds: Iterable[str] = (),
    variables: Iterable[str] = (),
    options: Iterable[str] = (),
    hostname: str | None = None,
    settings: Collection[str] | None = None,
    late_options: Iterable[str],
) -> list[str]:
    """Return the command line that runs `command` in the tree `root`, or with None what waits for the end of its stdin.

    `binds` and `read_only_binds` are values that `bind` made. `variables` are names of variables in nspawn's own
    environment: every user could read their values on a command line. `options` are more options. `hostname` is the
    machine's host name, or else it is that of the machine itself. `settings` are the
    names of the settings in the machine's settings file, systemd.nspawn(5), or None if nspawn is to look for no such
    file. `late_options` are those of LATE_OPTIONS that this nspawn knows.
    """
    return [
        "systemd-nspawn",
        "--quiet",
        f"--machine={machine}",
        f"--directory={root}",
        "--as-pid2",
        "--console=pipe",
        # No unit of its own: it is part of the session that called it, with machined or without.
        "--register=no",
        "--keep-unit",
        *(["--settings=no"] if settings is None else []),
        *(option for name, option in _UNLESS_SET.items() if settings is None or name not in settings),
        *([f"--hostname={hostname}"] if hostname and (settings is None or "Hostname" not in settings) else []),
        *(option for option in late_options if settings is None or LATE_OPTIONS[option] not in settings),
        *(f"--bind={value}" for value in binds),
        *(f"--bind-ro={value}" for value in read_only_binds),
        *(f"--setenv={name}" for name in variables),
        *options,
        "--",
        *(["/bin/sh", "-c", _FIRST] if command is None else ["/bin/sh", "-c", _WRAPPER, "toy", *command]),
    ]
