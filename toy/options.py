# SPDX-License-Identifier: GPL-2.0-or-later
"""The parser of the command line."""

import argparse
import contextlib
import io
import shlex
from typing import NoReturn

from . import __version__
from .errors import ToyError

HELP = "help"
"""The verb that stands for --help and --version."""

_WITH_VALUE = ("-n", "--name", "--snapshot")
"""Options before the verb that have their value in the next word."""

_ALONE = ("-H", "-h", "--help", "--host", "--init", "--user", "--version")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ToyError(message, f"see: {self.prog} --help")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and the words of the command after --, none if there is none.

    The options are `name`, `snapshot`, `host`, `user` and `verb`; for status and diff also `machine` and `json`, for
    list `json`, for dump and init `root` and `changed`, for HELP `text`, the lines to print. Raises ToyError for
    arguments that are unknown, or do not go together.
    """
    words, command = arguments, list[str]()
    if "--" in arguments:
        split = arguments.index("--")
        words, command = arguments[:split], arguments[split + 1 :]
    parser, verbs = _parser()
    position = _position_of_verb(words)
    to_run = f"to run a command: {shlex.join(['toy', *arguments[:position], '--', *arguments[position:]])}"
    if position < len(words) and words[position] not in verbs:
        raise ToyError(f"{words[position]!r} is no verb of toy", to_run)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            options, rest = parser.parse_known_args(words)
    except SystemExit:  # --help or --version
        return argparse.Namespace(verb=HELP, name=None, text=printed.getvalue().splitlines()), []
    if rest:
        has_option = any(word.startswith("-") for word in rest)
        raise ToyError(f"unrecognized arguments: {shlex.join(rest)}", "see: toy --help" if has_option else to_run)
    if options.init:
        if options.verb not in (None, "init", "dump"):
            raise ToyError(f"--init and {options.verb} do not go together", "see: toy --help")
        options.verb = "init"
    if options.snapshot is not None and options.verb:
        raise ToyError(f"toy {options.verb} does not take --snapshot", "see: toy --help")
    for name in ("host", "user"):
        if vars(options)[name] and options.verb:
            raise ToyError(f"toy {options.verb} does not take --{name}", "see: toy --help")
    if options.name is not None and options.verb == "list":
        raise ToyError("toy list is about all machines", "to see them: toy list")
    if command and options.verb:
        raise ToyError(f"toy {options.verb} does not take a command", "see: toy --help")
    if "--" in arguments and not command:
        raise ToyError("no command after --", "for a shell, just: toy")
    return options, command


def _position_of_verb(words: list[str]) -> int:
    """Return the index of the first word after the options: the verb's. Raises ToyError for an unknown option."""
    position = 0
    while position < len(words) and words[position].startswith("-"):
        word = words[position]
        if word.partition("=")[0] not in (*_WITH_VALUE, *_ALONE) and not word.startswith("-n"):
            raise ToyError(f"unrecognized arguments: {word}", "see: toy --help")
        position += 2 if word in _WITH_VALUE else 1
    return position


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser, and the verbs that it knows."""
    parser = _Parser(
        prog="toy",
        usage="toy [-n NAME] [--host] [--user] [--snapshot N|default] [-- COMMAND ARG...]\n"
        "       toy status|diff [NAME] [--json]\n       toy list [--json]\n       toy dump [--root DIR]",
        description="A shell in a writable overlay over the running system, with an rpm database that tells the truth.",
        epilog="The exit status is the command's; 125 means that toy failed, 126 and 127 that the command was not run.",
        allow_abbrev=False,
    )
    parser.add_argument("-n", "--name", help="the machine to enter, made at its first use (default: toy)")
    parser.add_argument(
        "--snapshot",
        metavar="N|default",
        help="enter this snapshot instead of the running root, or the one that is booted next; without a name, what is"
        " written is gone afterwards",
    )
    parser.add_argument(
        "-H", "--host", action="store_true", help="see and debug the host: its processes, devices, journal and sockets"
    )
    parser.add_argument("--user", action="store_true", help="be the one who called sudo, run0 or pkexec, and not root")
    parser.add_argument("--init", action="store_true", help="the same as dump")
    parser.add_argument("--version", action="version", version=f"toy {__version__}")
    parser.set_defaults(root=None, changed=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name, purpose in (
        ("status", "say what a machine has, what became of it after the host changed, and what needs a look"),
        ("diff", "list the files that differ from the host's, with the packages that own them"),
    ):
        verb = verbs.add_parser(name, prog=f"toy {name}", help=purpose, description=purpose, allow_abbrev=False)
        verb.add_argument("machine", nargs="?", metavar="NAME", help="the machine (default: toy)")
        verb.add_argument("--json", action="store_true", help="for programs")
    purpose = "say who is in which machine"
    verb = verbs.add_parser("list", prog="toy list", help=purpose, description=purpose, allow_abbrev=False)
    verb.add_argument("--json", action="store_true", help="for programs")
    for name in ("dump", "init"):
        verb = verbs.add_parser(
            name,
            prog=f"toy {name}",
            help="make a root's header set match its rpm database",
            description="Make a root's header set match its rpm database.",
            allow_abbrev=False,
        )
        verb.add_argument("--root", metavar="DIR", help="the root (default: /)")
        verb.add_argument("--changed", action="store_true", help="look only at what changed since the last dump")
    return parser, list(verbs.choices)
