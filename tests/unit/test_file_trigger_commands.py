# SPDX-License-Identifier: GPL-2.0-or-later
"""Which file triggers of the overlay's packages are to be run, and by which commands."""

import pytest
from tables import package

from toy.headers.package import FileTrigger
from toy.reconcile.triggers import commands, due

IN = FileTrigger(False, ("/usr/share/fonts", "/opt/"), "/bin/sh", "cat")
OUT = FileTrigger(True, ("/usr/share/fonts",), "/bin/sh", "true")


@pytest.mark.parametrize(
    ("trigger", "came", "went", "paths"),
    [
        pytest.param(IN, ["/usr/share/fonts/a", "/usr/bin/a"], set(), ["/usr/share/fonts/a"], id="a path"),
        pytest.param(IN, ["/opt/a", "/usr/share/fonts-b"], set(), ["/opt/a", "/usr/share/fonts-b"], id="as rpm does"),
        pytest.param(IN, ["/usr/bin/a"], {"/usr/share/fonts"}, None, id="none"),
        pytest.param(OUT, ["/usr/share/fonts/a"], {"/usr/bin"}, None, id="nothing went"),
        pytest.param(OUT, [], {"/usr/bin", "/usr/share/fonts/b"}, [], id="something went"),
    ],
)
def test_what_is_due(trigger: FileTrigger, came: list[str], went: set[str], paths: list[str] | None) -> None:
    one = package("a-1")._replace(triggers=(trigger,))
    found = list(due([package("b-1"), one], came=came, went=went))
    assert found == ([] if paths is None else [(one, trigger, paths)])
    assert list(due([one._replace(name="toy")], came=came, went=went)) == []


def test_all_paths_are_in_some_command() -> None:
    paths = [f"/{'x' * 1000}/{number}" for number in range(1500)]
    found = list(commands(IN, paths))
    assert [path for command in found for path in command[6:]] == paths
    assert all(sum(map(len, command)) < 600_000 for command in found)
    assert len(found) == 4
    assert [command[6:] for command in commands(OUT, [])] == [[]]
