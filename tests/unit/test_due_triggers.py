# SPDX-License-Identifier: GPL-2.0-or-later
"""Which triggers run in an overlay after its host changed, in which order, and with what."""

import json
from collections.abc import Sequence

import pytest
from tables import trigger
from world import World

from toy.database import answers
from toy.headers.package import Trigger

FONTS = ["/usr/share/fonts/a"]

IN, TRANS_IN, TRANS_OUT = (
    trigger(kind, "/usr/share/fonts", "/opt/")
    for kind in ("filetriggerin", "transfiletriggerin", "transfiletriggerpostun")
)

Runs = Sequence[tuple[str, Sequence[str], Sequence[str]]]
"""For each run: whose trigger it is, the arguments of its script, and what that reads."""


def runs(world: World) -> Runs:
    return [(run.package, run.command[6:], run.paths) for run in world.plan().triggers]


FOR_FILES: dict[str, tuple[World, Runs]] = {
    "what came": (
        World(
            after=["b-1", "c-1"],
            own=["a-1"],
            files={"b-1": ["/usr/share/fonts/b", "/usr/bin/b"], "c-1": ["/opt/c", "/usr/share/fonts-c"]},
            triggers={"a-1": [TRANS_IN]},
        ),
        [("a 1-1", ["0"], ["/usr/share/fonts/b", "/opt/c", "/usr/share/fonts-c"])],
    ),
    "nothing that it is for": (World(after=["b-1"], own=["a-1"], triggers={"a-1": [TRANS_IN, TRANS_OUT]}), []),
    "what went": (
        World(before=["b-1"], own=["a-1"], files={"b-1": FONTS}, triggers={"a-1": [TRANS_IN, TRANS_OUT]}),
        [("a 1-1", ["0"], [])],
    ),
    "what went, for a trigger that gets the paths": (
        World(
            before=["b-1"],
            own=["a-1"],
            files={"b-1": FONTS},
            triggers={"a-1": [trigger(f"filetrigger{when}", "/usr/share/fonts") for when in ("un", "postun")]},
        ),
        [("a 1-1", ["0"], FONTS)] * 2,
    ),
    "a file that its prefix names": (
        World(
            before=["b-1"],
            own=["a-1"],
            files={"b-1": FONTS},
            triggers={"a-1": [trigger("transfiletriggerpostun", *FONTS)]},
        ),
        [("a 1-1", ["0"], [])],
    ),
    "another file in that folder": (
        World(
            before=["b-1"],
            own=["a-1"],
            files={"b-1": FONTS},
            triggers={"a-1": [trigger("transfiletriggerpostun", "/usr/share/fonts/b")]},
        ),
        [],
    ),
    "what a package that gives way takes away": (
        World(
            after=["b-2"],
            own=["a-1", "b-1"],
            files={"b-1": FONTS, "b-2": ["/usr/bin/b"]},
            triggers={"a-1": [TRANS_OUT]},
        ),
        [("a 1-1", ["0"], [])],
    ),
    "what the overlay does not show": (
        World(
            before=["b-1"],
            after=["b-2"],
            own=["a-1"],
            removed=["b-1"],
            files={"b-1": FONTS, "b-2": FONTS},
            triggers={"a-1": [TRANS_IN, TRANS_OUT]},
        ),
        [],
    ),
    "that of a package that gives way": (
        World(after=["a-1/host", "b-1"], own=["a-1"], files={"b-1": FONTS}, triggers={"a-1": [TRANS_IN]}),
        [],
    ),
    "those that keep header sets": (
        World(after=["b-1"], own=["toy-1"], files={"b-1": FONTS}, triggers={"toy-1": [TRANS_IN]}),
        [],
    ),
    "higher priorities first, and file triggers before those of transactions": (
        World(
            after=["b-1"],
            own=["a-1", "c-1", "d-1"],
            files={"b-1": FONTS},
            triggers={
                "a-1": [trigger("transfiletriggerin", "/usr/share", priority=1)],
                "c-1": [trigger("transfiletriggerin", "/usr/share", priority=2)],
                "d-1": [trigger("filetriggerin", "/usr/share", priority=0)],
            },
        ),
        [(f"{name} 1-1", ["0"], FONTS) for name in "dca"],
    ),
}

FOR_FILES_OF_OWN_PACKAGES: dict[str, tuple[World, Runs]] = {
    "a package of the host's that keeps something of an own one": (
        World(
            before=["a-1"],
            after=["a-1", "b-1"],
            own=["c-1"],
            files={"b-1": FONTS, "c-1": ["/opt/c"]},
            triggers={"a-1": [TRANS_IN]},
        ),
        [("a 1-1", ["0"], FONTS)],
    ),
    "one that keeps nothing of it": (
        World(before=["a-1"], after=["a-1", "b-1"], own=["c-1"], files={"b-1": FONTS}, triggers={"a-1": [TRANS_IN]}),
        [],
    ),
    "one that is new on the host": (
        World(after=["a-1"], own=["c-1"], files={"c-1": ["/opt/c"]}, triggers={"a-1": [TRANS_IN, TRANS_OUT]}),
        [("a 1-1", ["0"], ["/opt/c"])],
    ),
    "one that was removed in the overlay": (
        World(
            before=["a-1"],
            after=["a-1", "b-1"],
            own=["c-1"],
            removed=["a-1"],
            files={"b-1": FONTS, "c-1": ["/opt/c"]},
            triggers={"a-1": [TRANS_IN]},
        ),
        [],
    ),
    "one that keeps something of what gives way": (
        World(
            before=["a-1"],
            after=["a-1", "b-2"],
            own=["b-1"],
            files={"b-1": FONTS, "b-2": FONTS},
            triggers={"a-1": [TRANS_IN]},
        ),
        [("a 1-1", ["0"], FONTS)],
    ),
}


def for_b(*kinds: str) -> dict[str, list[Trigger]]:
    return {"a-1": [trigger(f"trigger{kind}", "b") for kind in kinds]}


FOR_PACKAGES: dict[str, tuple[World, Runs]] = {
    "one that came": (
        World(after=["b-1"], own=["a-1"], triggers=for_b("in", "un", "postun")),
        [("a 1-1", ["1", "1"], [])],
    ),
    "one that changed": (
        World(before=["b-1"], after=["b-2"], own=["a-1"], triggers=for_b("postun", "in")),
        [("a 1-1", ["1", "2"], []), ("a 1-1", ["1", "1"], [])],
    ),
    "one that went": (
        World(before=["b-1"], own=["a-1"], triggers=for_b("postun", "un", "in")),
        [("a 1-1", ["1", "0"], [])] * 2,
    ),
    "another one": (World(before=["c-1"], after=["d-1"], own=["a-1"], triggers=for_b("in", "un", "postun")), []),
    "one of the host's own": (World(before=["a-1"], after=["a-1", "b-1"], own=["c-1"], triggers=for_b("in")), []),
}


@pytest.mark.parametrize(("world", "expected"), FOR_FILES.values(), ids=FOR_FILES)
def test_triggers_for_files(world: World, expected: Runs) -> None:
    assert runs(world) == expected


@pytest.mark.parametrize(("world", "expected"), FOR_FILES_OF_OWN_PACKAGES.values(), ids=FOR_FILES_OF_OWN_PACKAGES)
def test_triggers_of_the_hosts_packages(world: World, expected: Runs) -> None:
    assert runs(world) == expected


@pytest.mark.parametrize(("world", "expected"), FOR_PACKAGES.values(), ids=FOR_PACKAGES)
def test_triggers_for_packages(world: World, expected: Runs) -> None:
    assert runs(world) == expected


def test_what_is_to_be_installed_again() -> None:
    own, _ = FOR_FILES["what came"]
    hosts, _ = FOR_FILES_OF_OWN_PACKAGES["a package of the host's that keeps something of an own one"]
    assert [world.plan().triggers[0].again for world in (own, hosts)] == ["a", "c"]


def test_a_script_in_lua_gets_its_arguments() -> None:
    lua = trigger("triggerin", "b", program="<lua>")._replace(script="print(arg[2] % arg[3])")
    (run,) = World(after=["b-1"], own=["a-1"], triggers={"a-1": [lua]}).plan().triggers
    program, script = run.command[4:6]
    assert program == "<lua>"
    assert script.splitlines()[1:] == [
        'arg = { "", 1, 1 }',
        "function rpm.next_file() return io.read() end",
        lua.script,
    ]


@pytest.mark.parametrize(
    ("one", "why"),
    [(trigger("triggerprein", "b"), "its %triggerprein has to run before what the host brought")],
)
def test_what_cannot_run_is_named(one: Trigger, why: str) -> None:
    planned = World(after=["b-1"], own=["a-1"], triggers={"a-1": [one]}).plan()
    assert planned.triggers == []
    assert [str(event) for event in planned.events if event.kind == "stale"] == [
        f"stale: what a 1-1 keeps of others' files ({why}: toy -n toy -- zypper in -f a)"
    ]


def test_an_answer_with_another_kind_is_refused() -> None:
    one = trigger("filetriggerin", "/usr", priority=3)
    assert answers.to_trigger(json.loads(json.dumps(one))) == one
    with pytest.raises(ValueError):
        answers.to_trigger(one._replace(kind="filetriggerprein"))
