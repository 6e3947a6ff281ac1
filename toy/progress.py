# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows how far long work is, on a terminal: one line, which is removed at the end."""

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

from .streams import complain

_MANY = 200
"""Fewer items take no time."""

_Item = TypeVar("_Item")


def shown(items: Iterable[_Item], total: int, what: str) -> Iterator[_Item]:
    """Yield items, and show how many of them it has been."""
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
