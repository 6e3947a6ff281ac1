# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows on a terminal what takes long, and its progress: one line, which is erased at the end."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

from .streams import complain

_MANY = 200
"""From this number of items on, progress is shown; fewer take no time."""

_Item = TypeVar("_Item")


def shown(items: Iterable[_Item], total: int, what: str) -> Iterator[_Item]:
    """Yield items, and show meanwhile how many of `total` were yielded; `what` names the work."""
    if total < _MANY or not os.isatty(2):
        yield from items
        return
    width = 0
    for number, item in enumerate(items):
        if number * 100 // total != (number - 1) * 100 // total:
            line = f"toy: {what}: {number} of {total}"
            width = len(line)
            complain(f"\r{line}")
        yield item
    complain(f"\r{' ' * width}\r")


@contextlib.contextmanager
def during(what: str) -> Iterator[None]:
    """Show what is done meanwhile, where nobody knows how long it takes."""
    line = f"toy: {what}"
    if os.isatty(2):
        complain(f"\r{line}")
    try:
        yield
    finally:
        if os.isatty(2):
            complain(f"\r{' ' * len(line)}\r")
