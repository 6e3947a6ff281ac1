# SPDX-License-Identifier: GPL-2.0-or-later
"""What toy is at when harm is done to it (`torture.py`): how a host comes there, and what is run then."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

from host import Host
from image import HELLO, LEGACY, RPMS
from model import package
from overlay import start
from packages import Package, build
from reconciled import TOOL, directory, link
from truth import OVERLAY

MINE = """
echo mine > /usr/share/mine; mkdir -p /usr/lib/one /usr/lib/two /srv/mine; echo mine > /usr/lib/one/new
echo more > /usr/lib/two/new; echo mine > /srv/mine/deep; chmod 640 /srv/mine/deep; echo mine > /var/lib/mine
"""
"""Makes files of the user's in the overlay."""

CERTIFICATES = (
    "mkdir -p /var/lib/ca-certificates; for n in $(seq 20); do echo %s $n > /var/lib/ca-certificates/$n.pem; done"
)

STATE = Package(
    "state",
    files={f"/var/lib/state/{number}": "1" for number in range(5)},
    directories=("/var/lib/state",),
)
RIVAL = Package("rival", files={"/usr/bin/hello": "#!/bin/sh\necho rival"})
ONE, TWO = directory("/usr/lib/one", "theirs"), link("/usr/lib/one", "two")
NEW_LEGACY = replace(LEGACY, version="2", files={**LEGACY.files, "/usr/bin/legacy-2": ""})
NEW_STATE = replace(STATE, version="2", files={**dict.fromkeys(STATE.files, "2"), "/var/lib/state/new": "2"})
A1, A2, B1, B2, B3, C1, C2, D1, D2, D3 = (
    package(*each) for each in ("a1", "a2", "b1", "b2", "b3", "c1", "c2", "d1", "d2", "d3")
)
"""Of those of a random walk: a and b share a file, c has a directory that becomes a link, b and d an alternative."""


@dataclass(frozen=True)
class Scenario:
    """One of those."""

    prepare: Callable[[Host], None]
    command: Callable[[Host], list[str]]
    after: str = ""
    """The program of the command in the machine whose end is the beginning of what is looked at."""
    is_dump: bool = False
    """Whether it changes the host's header set, and no machine."""
    may_lack: tuple[str, ...] = ()
    """The packages that need not be there if rpm was interrupted: then the outcome is not the same each time."""
    installs: bool = False
    """Whether the command installs packages: their headers have the time in them."""


def rpm(host: Host, *arguments: str) -> str:
    """Return a line of shell that has rpm do something, without triggers."""
    return " ".join([*host.rpm, "--notriggers", *arguments])


def upgrade(*packages: Package) -> str:
    """Return the arguments of rpm that install packages."""
    files = " ".join(f"{RPMS}/{package.file}" for package in packages)
    return f"-U --oldpackage --replacepkgs --replacefiles --nodeps {files}"


def into_overlay(host: Host, script: str) -> None:
    """Run a script in the overlay."""
    host.run(*OVERLAY, "sh", "-ec", script)


def _host_only(host: Host) -> None:
    build(host, [A1, A2, B1, TOOL["1"]], RPMS)
    host.sh(rpm(host, upgrade(A1, B1)))
    host.run("toy", "dump")
    host.sh(rpm(host, upgrade(A2, B1, TOOL["1"])) + "; " + rpm(host, "-e legacy"))


def _first(host: Host) -> None:
    build(host, [STATE, A1], RPMS)
    host.sh(f"{' '.join(host.rpm)} {upgrade(STATE, A1)}")
    host.sh(f"useradd --system theirs; {CERTIFICATES % 'old'}")
    host.run("toy", "dump")


def _updated(host: Host) -> None:
    build(host, [A1, A2, B1, B2, B3, C1, C2, D2, D3, RIVAL, ONE, TWO, NEW_LEGACY, TOOL["1"]], RPMS)
    install = f"{' '.join(host.rpm)} "
    host.sh(install + upgrade(ONE, A1, C1, B1))
    into_overlay(host, f"{install}{upgrade(B2, D3, TOOL['1'], HELLO)}; {install} -e --nodeps legacy a; {MINE}")
    into_overlay(host, "echo mine >> /etc/b.conf; echo mine >> /etc/c.conf; rm /usr/bin/editor")
    host.sh(f"{install}{upgrade(TWO, A2, C2, B3, D2, RIVAL, NEW_LEGACY)}; {install} -e library")


def _around(host: Host) -> None:
    build(host, [A1, B1, D1, STATE, NEW_STATE], RPMS)
    install = f"{' '.join(host.rpm)} "
    host.sh(f"{install}{upgrade(STATE)}; {CERTIFICATES % 'old'}")
    into_overlay(host, f"{install}{upgrade(B1)}; {MINE}")
    into_overlay(
        host,
        "useradd --system ours; install -o ours /dev/null /usr/lib/ours; install -o ours /dev/null /var/lib/ours;"
        "echo mine > /var/lib/state/3; echo mine > /var/lib/ca-certificates/mine.pem",
    )
    host.sh(f"useradd --system theirs; {CERTIFICATES % 'new'}; {install}{upgrade(NEW_STATE, A1, D1)}")


def _behind(host: Host) -> None:
    build(host, [A1, A2, B1, C1, TOOL["1"]], RPMS)
    host.sh(f"{' '.join(host.rpm)} {upgrade(A1, C1)}")
    host.run(*OVERLAY, "true")
    install = rpm(host, upgrade(A2, B1, TOOL["1"], HELLO)), rpm(host, "-e --nodeps legacy c")
    process = start(host, *OVERLAY, "sh", "-ec", f"{'; '.join(install)}; {MINE} echo waiting; exec sleep 1000")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _entered(host: Host) -> None:
    build(host, [A1, A2, B1, C1, TOOL["1"]], RPMS)
    host.sh(f"{' '.join(host.rpm)} {upgrade(A1, C1)}")
    host.run(*OVERLAY, "sh", "-ec", MINE)
    host.run(*OVERLAY, "true")


def _toy(*command: str) -> Callable[[Host], list[str]]:
    return lambda _: ["toy", *command]


def _installing(host: Host) -> list[str]:
    return ["toy", "--", *host.rpm, "--notriggers", *upgrade(A2, B1, TOOL["1"], HELLO).split()]


def _with_triggers(host: Host) -> list[str]:
    return ["toy", "--", *host.rpm, *upgrade(A2, B1, TOOL["1"], HELLO).split()]


SCENARIOS = {
    "dump": Scenario(_host_only, _toy("dump"), is_dump=True),
    "first launch": Scenario(_first, _toy("--", "true")),
    "update": Scenario(_updated, _toy("--", "true")),
    "surroundings": Scenario(_around, _toy("--", "true")),
    "adoption": Scenario(_behind, _toy("--", "true")),
    "end": Scenario(_entered, _installing, after="rpm", installs=True),
    "rpm": Scenario(_entered, _with_triggers, may_lack=("b", "hello", "tool")),
    "zypper": Scenario(_entered, _toy("--", "zypper", "-n", "install", "hello"), may_lack=("hello",)),
}
