# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: dispatches what the user asked for, prints errors, and is the only place that exits.

The parser is in `options`; frequent calls are recognised here without it.
"""

import os
import sys

from . import streams
from .errors import EXIT_FAILURE, Attempt, ToyError, typed
from .machine import DEFAULT


def main() -> int:
    """Run toy and return its exit status. An error that the user or the machine caused is one line on stderr."""
    streams.hold()
    os.umask(0o022)  # so that what toy makes has the mode that its code names
    _leave_homes_alone()
    try:
        return _run(sys.argv[1:])
    except Exception as error:
        _report(error)
    except KeyboardInterrupt:
        streams.say(f"interrupted, and nothing is left half done; run it again: {typed()}")
    return EXIT_FAILURE


def _report(error: Exception) -> None:
    try:
        from . import failure

        failure.report(error)
    except Exception:  # no memory left, say, or toy is gone from the disk and cannot be imported
        streams.say(f"{type(error).__name__}: {error}")


def _leave_homes_alone() -> None:
    """Keep librpm and the commands that toy runs from reading configuration in a home directory.

    Macros, rpmrc and popt's aliases can run commands, and everybody who is root in a machine can write them there.
    """
    os.environ["HOME"] = os.devnull  # if it were unset, they would look in passwd(5)
    os.environ.pop("XDG_CONFIG_HOME", None)


def _run(arguments: list[str]) -> int:
    match arguments:
        # Frequent calls need no parser, and skip the time to import it and what else they do not need.
        case []:
            return _launch(DEFAULT)
        case ["--", _, *_]:
            return _launch(DEFAULT, arguments[1:])
        case ["-n", name]:
            return _launch(name)
        case ["-n", name, "--", _, *_]:
            return _launch(name, arguments[3:])
        case ["dump", "--changed"]:
            return _dump(None, everything=False)
        case ["dump", "--changed", "--root", root]:
            return _dump(root, everything=False)
        case ["dump", "--in-transaction", path]:
            return _add(path)
    return _parsed(arguments)


def _parsed(arguments: list[str]) -> int:
    from . import options

    asked, command = options.parse(arguments)
    if asked.verb == options.HELP:
        streams.show(asked.text)
        return 0
    if asked.verb is None and asked.snapshot is None:
        return _launch(DEFAULT if asked.name is None else asked.name, command, with_host=asked.host, as_user=asked.user)
    _require_root()
    if asked.verb in ("dump", "init"):
        return _dump(asked.root, everything=not asked.changed)
    _require_running_system()
    if asked.verb is None:
        from .snapshots import enter

        with Attempt(f"enter snapshot {asked.snapshot}"):
            with_host, as_user = asked.host, asked.user
            return enter.enter(
                asked.snapshot, asked.name, command, say=streams.say, with_host=with_host, as_user=as_user
            )
    if asked.verb == "list":
        from .report import listing

        listing.show_all(as_json=asked.json)
        return 0
    from .report import show

    verb = show.status if asked.verb == "status" else show.diff
    verb(asked.name if asked.machine is None else asked.machine, as_json=asked.json)
    return 0


def _dump(root: str | None, *, everything: bool) -> int:
    _require_root()
    from .dump_root import dump_root

    dump_root(root, everything=everything, say=streams.say)
    return 0


def _add(path: str) -> int:
    _require_root()
    from .dump_root import add_packages_of

    add_packages_of(path)
    return 0


def _launch(name: str, command: list[str] | None = None, *, with_host: bool = False, as_user: bool = False) -> int:
    _require_root()
    _require_running_system()
    from .launch import launch

    with Attempt(f"enter machine {name}"):
        return launch.launch(name, command or [], say=streams.say, with_host=with_host, as_user=as_user)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ToyError("toy must run as root", f"try: sudo {typed()}")


def _require_running_system() -> None:
    from .host import running_system

    running_system.require_running_system()
