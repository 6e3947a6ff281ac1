# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: what is asked for, what is printed, exit statuses. The only place that exits."""

import os
import sys

from .errors import EXIT_FAILURE, ToyError, printable

DEFAULT_MACHINE = "toy"


def main(arguments: list[str] | None = None) -> int:
    """Run toy and return its exit status. Whatever the user or the machine did wrong is one line on stderr."""
    os.umask(0o022)  # what it makes has the mode that it says
    _leave_homes_alone()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except ToyError as error:
        _say(str(error))
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}; mend that and try again")
    except KeyboardInterrupt:
        _say("interrupted; nothing is half done, try again")
    return EXIT_FAILURE


def _leave_homes_alone() -> None:
    """Have librpm and every command find no configuration in a home.

    Macros, rpmrc and popt's aliases can run commands, and in a machine everybody who is root can write them.
    """
    os.environ["HOME"] = os.devnull  # without it they would ask passwd(5)
    os.environ.pop("XDG_CONFIG_HOME", None)


def _say(line: str) -> None:
    print(f"toy: {printable(line)}", file=sys.stderr)


def _run(arguments: list[str]) -> int:
    match arguments:
        # What is called often takes no parser, and has no time for one, nor for modules that it does not need.
        case []:
            return _launch(DEFAULT_MACHINE)
        case ["--", _, *_]:
            return _launch(DEFAULT_MACHINE, arguments[1:])
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
    name = DEFAULT_MACHINE if asked.name is None else asked.name
    if asked.verb is None and asked.snapshot is None:
        return _launch(name, command)
    _require_root()
    if asked.verb in ("dump", "init"):
        return _dump(asked.root, everything=not asked.changed)
    _require_running_system()
    if asked.verb is None:
        from . import snapshot

        return snapshot.enter(asked.snapshot, asked.name, command, say=_say)
    from . import show

    verb = show.status if asked.verb == "status" else show.diff
    verb(asked.machine or name, as_json=asked.json)
    return 0


def _dump(root: str | None, *, everything: bool) -> int:
    _require_root()
    from . import dump

    dump.dump(root, everything=everything, say=_say)
    return 0


def _add(path: str) -> int:
    _require_root()
    from . import dump

    dump.add(path)
    return 0


def _launch(name: str, command: list[str] | None = None) -> int:
    _require_root()
    _require_running_system()
    from . import launch

    return launch.launch(name, command or [], say=_say)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ToyError("not root", "try: sudo toy")


def _require_running_system() -> None:
    from . import surroundings

    surroundings.require_running_system()
