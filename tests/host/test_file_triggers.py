# SPDX-License-Identifier: GPL-2.0-or-later
"""File triggers of the overlay's packages run for what the host's packages bring and take away."""

import pytest
from host import Host
from image import publish
from packages import Package
from reconciled import enter, on_host, overlay
from truth import OVERLAY

pytestmark = pytest.mark.usefixtures("database_and_files_agree")

INDEX = "/var/lib/index"


def indexer(scripts: str) -> Package:
    """A package that keeps an index of /usr/share/things."""
    return Package("indexer", files={"/usr/bin/indexer": "#!/bin/sh\nls /usr/share/things"}, scripts=scripts)


def things(number: str, version: str = "1") -> Package:
    """A package with a thing."""
    return Package(f"thing-{number}", version, files={f"/usr/share/things/{number}": number})


@pytest.mark.everywhere
@pytest.mark.parametrize("kind", ["filetrigger", "transfiletrigger"])
def test_an_index_of_the_overlay_has_what_the_host_adds(host: Host, kind: str) -> None:
    log = f"%{kind}in -- /usr/share/things\ncat >> {INDEX}\n%{kind}postun -- /usr/share/things\necho gone >> {INDEX}\n"
    publish(host, indexer(log), *map(things, "12"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1", "thing-2")
    host.run(*OVERLAY, "rm", "-f", INDEX)
    on_host(host, "install", "hello")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX, check=False).stdout == ""
    on_host(host, "remove", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "gone\n"
    host.run(*OVERLAY, "rm", INDEX)
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


def test_a_program_without_a_script(host: Host) -> None:
    program = f"#!/bin/sh\ncat > {INDEX}; indexer.done"
    scripts = "%transfiletriggerin -p /usr/bin/keeper -- /usr/share/things\n"
    publish(host, Package("keeper", files={"/usr/bin/keeper": program}, scripts=scripts), things("1"))
    overlay(host, "install", "keeper")
    host.run(*OVERLAY, "sh", "-c", "ln -s true /usr/bin/indexer.done")
    on_host(host, "install", "thing-1")
    assert enter(host) == []
    assert host.run(*OVERLAY, "cat", INDEX).stdout == "/usr/share/things/1\n"


STALE = "toy: stale: what indexer 1-1 keeps of others' files"


def test_a_script_that_fails_is_named(host: Host) -> None:
    publish(host, indexer("%transfiletriggerin -- /usr/share/things\nexit 3\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    assert enter(host) == [f"{STALE} (its trigger failed: toy -n toy -- zypper in -f indexer)"]
    assert enter(host) == []


def test_a_script_in_lua_is_named(host: Host) -> None:
    publish(host, indexer("%transfiletriggerin -p <lua> -- /usr/share/things\nprint('x')\n"), things("1"))
    overlay(host, "install", "indexer")
    on_host(host, "install", "thing-1")
    lua = "its trigger is in Lua, which only rpm runs: toy -n toy -- zypper in -f indexer"
    assert enter(host) == [f"{STALE} ({lua})"]


def test_more_files_than_a_command_line_takes(host: Host) -> None:
    log = f"%transfiletriggerin -- /usr/share/things\nsort | tail -1 >> {INDEX}\n"
    many = {f"/usr/share/things/{'long' * 50}/{number:05}": "" for number in range(6000)}
    publish(host, indexer(log), Package("many", files=many))
    overlay(host, "install", "indexer")
    host.run(*OVERLAY, "rm", "-f", INDEX)
    on_host(host, "install", "many")
    assert enter(host) == []
    assert host.run(*OVERLAY, "tail", "-1", INDEX).stdout.endswith("/05999\n")
