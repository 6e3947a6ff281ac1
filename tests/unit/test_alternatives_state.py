# SPDX-License-Identifier: GPL-2.0-or-later
"""States of alternatives, as update-alternatives(1) stores them, and what is no state."""

import pytest

from toy.reconcile.alternatives import State, parse

LINK = {"edi": "/usr/bin/edi"}
TWO = {**LINK, "edi.1": "/usr/share/man/man1/edi.1"}

STATES = {
    "two programs": (
        "auto\n/usr/bin/edi\n\n/usr/bin/a\n10\n/usr/bin/b\n5\n\n",
        State(False, LINK, {"/usr/bin/a": ["10"], "/usr/bin/b": ["5"]}),
    ),
    "chosen by hand": ("manual\n/usr/bin/edi\n\n/usr/bin/a\n10\n\n", State(True, LINK, {"/usr/bin/a": ["10"]})),
    "a slave": (
        "auto\n/usr/bin/edi\nedi.1\n/usr/share/man/man1/edi.1\n\n/usr/bin/a\n10\n/usr/share/a.1\n\n",
        State(False, TWO, {"/usr/bin/a": ["10", "/usr/share/a.1"]}),
    ),
    "a program without the slave": (
        "auto\n/usr/bin/edi\nedi.1\n/usr/share/man/man1/edi.1\n\n/usr/bin/a\n10\n\n/usr/bin/b\n5\n/b.1\n\n",
        State(False, TWO, {"/usr/bin/a": ["10", ""], "/usr/bin/b": ["5", "/b.1"]}),
    ),
    "no program": ("auto\n/usr/bin/edi\n\n", State(False, LINK, {})),
    "empty": ("", None),
    "another mode": ("other\n/usr/bin/edi\n\n", None),
    "a slave without a link": ("auto\n/usr/bin/edi\nedi.1\n\n", None),
    "a name that is too long": (f"auto\n/usr/bin/edi\n\n/usr/{'x' * 256}\n10\n\n", None),
    "a name as long as can be": (
        f"auto\n/usr/bin/edi\n\n/usr/{'x' * 255}\n10\n\n",
        State(False, LINK, {f"/usr/{'x' * 255}": ["10"]}),
    ),
    "a name of few letters with more bytes": (f"auto\n/usr/bin/edi\n\n/usr/{'ü' * 128}\n10\n\n", None),
    "more than anybody has": ("auto\n/usr/bin/edi\n\n" + "/usr/bin/a\n10\n" * 5000, None),
    "a link that leads out": ("auto\n/usr/../edi\n\n", None),
    "a program that leads out": ("auto\n/usr/bin/edi\n\n../a\n10\n\n", None),
    "a name that leads out": ("auto\n/usr/bin/edi\n../x\n/y\n\n", None),
}


@pytest.mark.parametrize(("content", "state"), STATES.values(), ids=STATES)
def test_states(content: str, state: State | None) -> None:
    assert parse("edi", content.encode()) == state
