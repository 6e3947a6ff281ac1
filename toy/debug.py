# SPDX-License-Identifier: GPL-2.0-or-later
"""TOY_DEBUG=1: prints each command that toy runs, what that writes to stderr, and where in toy an error came from."""

import os
from collections.abc import Sequence

from .errors import printable, quoted
from .streams import complain


def is_on() -> bool:
    """Say whether the user asked for debug output."""
    return os.environ.get("TOY_DEBUG", "") not in ("", "0")


def command(words: Sequence[str]) -> None:
    """Print a command that toy is about to run, if debug output is on."""
    if is_on():
        complain(f"toy: + {shown(words)}\n")


def said(text: str) -> None:
    """Print what a command wrote to stderr, if debug output is on."""
    if is_on():
        complain("".join(f"toy: | {printable(line)}\n" for line in text.splitlines()))


def load() -> None:
    """Import what `trace` needs. That takes 2 ms, and few launches need it."""
    import traceback  # noqa: F401


def trace(error: BaseException) -> None:
    """Print the traceback of an error."""
    import traceback

    complain("".join(traceback.format_exception(error)))


def shown(words: Sequence[str]) -> str:
    """Return a command as one line that can be typed in a shell, without the values of environment variables.

    Those may be secret: a proxy's has a password.
    """
    return " ".join(map(_quoted, map(_without_value, words)))


def _without_value(word: str) -> str:
    """Return a word, --setenv=NAME=VALUE without the value: systemd-nspawn(1) can take that from its environment."""
    option, _, setting = word.partition("=")
    return f"{option}={setting.partition('=')[0]}" if option == "--setenv" else word


def _quoted(word: str) -> str:
    if word.isprintable():
        return quoted(word)
    escaped = printable(word.replace("\\", r"\\").replace("'", r"\'"))
    return f"$'{escaped}'"  # see bash(1), QUOTING
