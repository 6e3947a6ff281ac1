# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the command line of systemd-nspawn(1). Nothing is read or run here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ENVIRONMENT = {
    # A machine has a lock of its own, and nspawn's would stay behind after SIGKILL.
    "SYSTEMD_NSPAWN_LOCK": "0",
    # Otherwise it asks the terminal for its colours, and takes what is typed meanwhile for the answer (systemd 256).
    "SYSTEMD_COLORS": "0",
}
"""For nspawn itself; its payload does not get it."""

LATE_OPTIONS = {
    # None is restricted: strace, ip and tcpdump want more than nspawn is going to permit (systemd 261 announces it).
    "--restrict-address-families=": "RestrictAddressFamilies",
}
"""Options for a systemd-nspawn that is new enough to know them, with the names of the settings that do the same."""

_PASSED_ON = (
    *("LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy"),
    # An rpm that is not the system's, if toy runs with one, is the machine's as well: two do not go together.
    *("LD_LIBRARY_PATH", "PYTHONPATH", "RPM_CONFIGDIR"),
)

# nspawn would write these into the overlay, to stay there.
_UNLESS_SET = {
    "ResolvConf": "--resolv-conf=off",
    "Timezone": "--timezone=off",
    "LinkJournal": "--link-journal=no",
}

# nspawn reports a command killed by a signal as 255, so sh waits for it; exec in a subshell runs no builtin of
# sh's, and its traps keep sh alive while a signal to the process group ends the command.
_WRAPPER = 'trap : HUP INT QUIT TERM; (exec "$@"); exit $?'


def bind(source: str, target: str | None = None) -> str:
    """Return the value of a --bind= option."""
    parts = [source] if target is None else [source, target]
    return ":".join(part.replace("\\", "\\\\").replace(":", "\\:") for part in parts)


def passed_on(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that a command in a machine wants as the caller has them."""
    names = [name for name in _PASSED_ON if name in environment]
    return [*names, "PATH"] if "RPM_CONFIGDIR" in names else names


def command_line(
    machine: str,
    root: str,
    command: list[str],
    *,
    binds: Iterable[str] = (),
    read_only_binds: Iterable[str] = (),
    variables: Iterable[str] = (),
    options: Iterable[str] = (),
    settings: Collection[str] | None = None,
    late_options: Iterable[str],
) -> list[str]:
    """Return the command line that runs `command`, or a login shell if it is empty, in the tree `root`.

    `binds` and `read_only_binds` are values that `bind` made. `variables` are names of variables in nspawn's own
    environment: every user could read their values on a command line. `options` are more options. `settings` are the
    names of the settings in the machine's settings file, systemd.nspawn(5), or None if nspawn is to look for no such
    file. `late_options` are those of LATE_OPTIONS that this nspawn knows.
    """
    return [
        "systemd-nspawn",
        "--quiet",
        f"--machine={machine}",
        f"--directory={root}",
        "--as-pid2",
        "--console=autopipe",  # a terminal when there is one, and pipes when not
        # No unit of its own: it is part of the session that called it, with machined or without.
        "--register=no",
        "--keep-unit",
        *(["--settings=no"] if settings is None else []),
        *(option for name, option in _UNLESS_SET.items() if settings is None or name not in settings),
        *(option for option in late_options if settings is None or LATE_OPTIONS[option] not in settings),
        *(f"--bind={value}" for value in binds),
        *(f"--bind-ro={value}" for value in read_only_binds),
        *(f"--setenv={name}" for name in variables),
        *options,
        *(["--", "/bin/sh", "-c", _WRAPPER, "toy", *command] if command else []),
    ]
