# SPDX-License-Identifier: GPL-2.0-or-later
"""The parser of the command line."""

import argparse
from typing import NoReturn

from . import __version__
from .errors import EXIT_FAILURE, ToyError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _, is_verb, rest = message.partition("invalid choice: ")
        what = f"no verb {rest.partition(' (')[0]}" if is_verb else message
        next_step = "to run a command: toy -- COMMAND" if is_verb else "see: toy --help"
        self.exit(EXIT_FAILURE, f"toy: {what}; {next_step}\n")


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and the command that follows them, if any.

    The options are `name`, `snapshot` and `verb`, and of a verb `machine` and `json`, or `root` and `changed`. Raises
    ToyError for what does not go together; for what cannot be understood, the process ends as argparse has it.
    """
    words, command = arguments, list[str]()
    if "--" in arguments:
        split = arguments.index("--")
        words, command = arguments[:split], arguments[split + 1 :]
    options = _parser().parse_args(words)
    if options.init and options.verb is None:
        options.verb = "init"
    if options.snapshot is not None and options.verb:
        raise ToyError(f"{options.verb} takes no snapshot", "see: toy --help")
    if command and options.verb:
        raise ToyError(f"{options.verb} takes no command", "see: toy --help")
    if "--" in arguments and not command:
        raise ToyError("no command after --", "for a shell, just: toy")
    return options, command


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="toy",
        usage="toy [-n NAME] [--snapshot N|default] [-- COMMAND ARG...]\n"
        "       toy status|diff [NAME] [--json]\n       toy dump [--root DIR]",
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
    parser.add_argument("--init", action="store_true", help="the same as dump")
    parser.add_argument("--version", action="version", version=f"toy {__version__}")
    parser.set_defaults(root=None, changed=False)
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
        verb.add_argument("--root", metavar="DIR", help="the root (default: /)")
        verb.add_argument("--changed", action="store_true", help="look only at what changed since the last dump")
    return parser
