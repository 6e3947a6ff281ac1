# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: verbs and options, what is printed, exit statuses. The only place that exits."""

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from . import __version__, diff, events, host, launch, rpmdb, settle, status, sync
from .errors import EXIT_FAILURE, ToyError
from .headerset import HeaderSet
from .machine import Machine
from .rpmdb import Database
from .sync import Depth

DEFAULT_MACHINE = "toy"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _, is_verb, rest = message.partition("invalid choice: ")
        what = f"no verb {rest.partition(' (')[0]}" if is_verb else message
        next_step = "to run a command: toy -- COMMAND" if is_verb else "see: toy --help"
        self.exit(EXIT_FAILURE, f"toy: {what}; {next_step}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run toy and return its exit status. Whatever the user or the machine did wrong is one line on stderr."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except ToyError as error:
        _say(str(error))
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}; mend that and try again")
    except KeyboardInterrupt:
        _say("interrupted; nothing is half done, try again")
    return EXIT_FAILURE


def _say(line: str) -> None:
    print(f"toy: {events.printable(line)}", file=sys.stderr)


def _run(arguments: list[str]) -> int:
    words, command = arguments, []
    if "--" in arguments:
        split = arguments.index("--")
        words, command = arguments[:split], arguments[split + 1 :]
    options = _parser().parse_args(words)
    if command and options.verb:
        raise ToyError(f"{options.verb} takes no command", "see: toy --help")
    if "--" in arguments and not command:
        raise ToyError("no command after --", "for a shell, just: toy")
    if os.geteuid() != 0:
        raise ToyError("not root", "try: sudo toy")
    if options.verb in _SHOW:
        return _show(options)
    if options.verb or options.init:
        return _dump(options)
    return launch.launch(options.name, command, say=_say)


_SHOW = ("status", "diff")


def _show(options: argparse.Namespace) -> int:
    machine = Machine(options.machine or options.name)
    if not machine.has_rpmdb:
        raise ToyError(f"there is no machine {machine.name}", f"to make it: toy -n {machine.name}")
    lines: Iterable[str]
    content: object
    if options.verb == "status":
        stands = status.status(machine)
        lines, content = stands.lines, stands.to_json()
    else:
        found = _differences(machine)
        lines = (f"{change:7}  {path}  {', '.join(owners) or 'not owned'}" for change, path, owners in found)
        content = [{"change": change, "path": path, "packages": owners} for change, path, owners in found]
    if options.json:
        lines = [json.dumps(content, indent=2)]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale may lack what a path has
    try:
        for line in lines:
            print(line if options.json else events.printable(line))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _differences(machine: Machine) -> list[tuple[str, str, list[str]]]:
    """Return what changed, which path, and the packages that it is of; what was removed is the host's."""
    with settle.open_database(machine) as ours, Database.open(rpmdb.dbpath()) as theirs:
        return [
            (change, path, (theirs if change == "removed" else ours).labels_of_owners(path))
            for change, path, _ in diff.differences(machine.overlay, host.ROOT)
        ]


def _dump(options: argparse.Namespace) -> int:
    if options.root is not None:
        # rpm's configuration was read when rpm was imported, and is the host's; from here on every path is the root's.
        try:
            os.chroot(options.root)
        except OSError as error:
            raise ToyError(
                f"{options.root}: {error.strerror}", "give the directory of a root: toy dump --root DIR"
            ) from None
        os.chdir("/")
    with Database.open(rpmdb.dbpath()) as database, HeaderSet.open(Path("/"), create=True) as headers:
        done = sync.dump(database, headers, depth=options.depth)
        for file in done.mended:
            _say(f"header file {file} was not what the rpm database has; mended")
        headers.check()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="toy",
        usage="toy [-n NAME] [-- COMMAND ARG...]\n       toy status|diff [NAME] [--json]\n       toy dump [--root DIR]",
        description="A shell in a writable overlay over the running system, with an rpm database that tells the truth.",
        epilog="The exit status is the command's; 125 means that toy failed, 126 and 127 that the command was not run.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-n", "--name", default=DEFAULT_MACHINE, help="the machine to enter, made at its first use (default: toy)"
    )
    parser.add_argument("--init", action="store_true", help="the same as dump")
    parser.add_argument("--version", action="version", version=f"toy {__version__}")
    parser.set_defaults(root=None, depth=Depth.EVERYTHING, verb=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, purpose in (
        ("status", "say what a machine has, what became of it after the host changed, and what needs a look"),
        ("diff", "list the files that are otherwise in a machine than on the host, and whose they are"),
    ):
        verb = verbs.add_parser(name, prog=f"toy {name}", help=purpose, description=purpose, allow_abbrev=False)
        verb.add_argument("machine", nargs="?", metavar="NAME", help="the machine (default: toy)")
        verb.add_argument("--json", action="store_true", help="for programs")
    for name in ("dump", "init"):
        verb = verbs.add_parser(
            name,
            prog=f"toy {name}",
            help="make a root's header set match its rpm database",
            description="Make a root's header set match its rpm database.",
            allow_abbrev=False,
        )
        verb.add_argument("--root", type=Path, metavar="DIR", help="the root (default: /)")
        depth = verb.add_mutually_exclusive_group()
        depth.add_argument(
            "--changed",
            dest="depth",
            action="store_const",
            const=Depth.CHANGED,
            help="look only at what changed since the last dump",
        )
        depth.add_argument(
            "--in-transaction",
            dest="depth",
            action="store_const",
            const=Depth.PASSING,
            help="for use by rpm while it is at work",
        )
        verb.set_defaults(depth=Depth.EVERYTHING)
    return parser
