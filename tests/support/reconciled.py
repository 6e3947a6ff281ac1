# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of reconciliations have in common: both sides' zypper, and what must hold at the end."""

import signal

from host import Host
from packages import Package
from truth import OVERLAY

UPPER = "/var/lib/toy/toy/overlay"


def program(name: str, version: str, *, more: str = "") -> Package:
    """A package with a program that says its version, a directory, and a file that only this version has."""
    files = {f"/usr/bin/{name}": f"#!/bin/sh\necho {name} {version}", f"/usr/share/{name}/only-{version}": version}
    if more:
        files[more] = version
    return Package(name, version, files=files, directories=(f"/usr/share/{name}",))


TOOL = {version: program("tool", version) for version in "123"}


def overlay(host: Host, *arguments: str) -> str:
    """Run zypper in the overlay."""
    return host.run(*OVERLAY, "zypper", "-n", *arguments).stdout


def on_host(host: Host, *arguments: str) -> None:
    """Run zypper on the host."""
    host.zypper(*arguments)


def enter(host: Host) -> list[str]:
    """Enter the overlay once and return what toy said."""
    return host.run(*OVERLAY, "true").stderr.splitlines()


def in_upper(host: Host, path: str) -> bool:
    return host.run("test", "-e", f"{UPPER}{path}", check=False).returncode == 0


def directory(path: str, *files: str) -> Package:
    """Version 1 of a package, in which the path is a directory with these files, and the directory `to` beside it."""
    return Package("filesystem", files={f"{path}/{name}": name for name in files}, directories=(path,))


def link(path: str, target: str, *files: str) -> Package:
    """Version 2, in which the path is a link; what else was in the directory moves to where that leads."""
    # As the filesystem package of distributions does it, since rpm does not.
    move = f"d=$(dirname {path})/{target}; case {target} in /*) d={target};; esac; mkdir -p $d; cp -an {path}/. $d/"
    return Package(
        "filesystem",
        "2",
        files={name: name.rpartition("/")[2] for name in files},
        links={path: target},
        scripts=f"%pretrans\n[ -L {path} ] || [ ! -d {path} ] || {{ {move}; rm -rf {path}; }}\n",
    )


def killed_before(host: Host, module: str, line: str) -> None:
    """Launch, and have toy kill itself where a line of it begins so."""
    folder, name = host.sh(f"rpm -ql toy | grep /{module}.py").strip().rsplit("/", 1)
    kill = f"sed -i 's/^\\( *\\){line}/\\1import os; os.kill(os.getpid(), 9)\\n&/' {folder}/{name}"
    host.sh(f"cp -a {folder} /tmp/modules; rm {folder}/__pycache__/{name[:-3]}.*; {kill}")
    killed = host.run(*OVERLAY, "true", check=False).returncode
    host.sh(f"cp -a /tmp/modules/. {folder}")
    assert killed in (-signal.SIGKILL, 128 + signal.SIGKILL)
