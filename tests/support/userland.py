# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of this machine that a host with a root of its own needs: those of some packages and their requirements."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import rpm
from host import Host

_DEBIAN = (
    "rpm", "python3-rpm", "zypper", "systemd-container", "createrepo-c", "btrfs-progs", "util-linux", "procps", "make",
)  # fmt: skip

_PROGRAMS = (
    "/bin/sh", "awk", "btrfs", "createrepo_c", "diff", "find", "flock", "getent", "grep", "gzip", "ls", "make", "mount",
    "ps", "python3", "rpm", "rpmbuild", "sed", "setpriv", "systemd-nspawn", "systemd-sysext", "tar", "useradd",
    "zypper",
)  # fmt: skip
"""Programs of those packages and of a system's basic ones."""

_WITHOUT = ("/usr/share/doc", "/usr/share/locale", "/usr/share/man")


def paths(model: Host, like: Path) -> list[str]:
    """Return the paths, from the root, of what a host needs and `model` has; all in `like` is among them."""
    of_packages = _of_debian() if shutil.which("dpkg") else _of_rpm()
    wanted = {_real(path) for path in of_packages if not path.startswith(_WITHOUT)}
    wanted |= {"bin", "sbin", "lib", "lib64"}
    for folder, _, files in os.walk("/etc"):
        wanted |= {folder[1:], *(f"{folder[1:]}/{name}" for name in files)}
        wanted |= {f"{folder[1:]}/{name}" for name in os.listdir(folder)}
    for tree in other_rpm():
        wanted |= {tree[1:], *(f"{folder[1:]}/{name}" for folder, _, files in os.walk(tree) for name in files)}
    for path in [path for path in wanted if path.endswith(".py")]:
        cache = f"/{os.path.dirname(path)}/__pycache__"
        if os.path.isdir(cache):
            wanted |= {cache[1:], *(f"{cache[1:]}/{name}" for name in os.listdir(cache))}
    for folder, folders, files in os.walk(like):
        below = os.path.relpath(folder, like)
        wanted |= {os.path.normpath(f"{below}/{name}") for name in (*folders, *files)}
    present = model.run(
        "/usr/bin/python3", "-c",
        "import os, sys; [print(end=p + '\\0') for p in sys.stdin.read().split('\\0') if os.path.lexists('/' + p)]",
        input="\0".join(sorted(wanted)),
    ).stdout  # fmt: skip
    return present.strip("\0").split("\0")


def other_rpm() -> list[str]:
    """Return the directories of an rpm that is not the system's, if this runs with one (tests/README.md)."""
    if "RPM_CONFIGDIR" not in os.environ:
        return []
    of_rpm = ("RPM_CONFIGDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
    folders = [folder for name in of_rpm for folder in os.environ.get(name, "").split(":") if folder]
    programs = shutil.which("rpm")
    assert programs is not None
    return [folder for folder in (*folders, os.path.dirname(programs)) if folder not in ("/bin", "/usr/bin")]


def _of_debian() -> list[str]:
    required = _lines("dpkg-query", "--show", "--showformat=${Priority} ${Package}\n")
    wanted = [*_DEBIAN, *(name for priority, name in map(str.split, required) if priority == "required")]
    options = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    every = _lines("apt-cache", "depends", "--recurse", "--installed", *(f"--no-{name}" for name in options), *wanted)
    installed = {name for _, name in map(str.split, required)}
    return _lines("dpkg", "--listfiles", *sorted({line for line in every if line in installed}))


def _of_rpm() -> list[str]:
    needed = [rpm.__file__, *filter(None, map(shutil.which, _PROGRAMS))]
    packages = with_requirements(_lines("rpm", "-q", "--file", "--qf", "%{NAME}\n", *map(os.path.realpath, needed)))
    return [path for path in _lines("rpm", "-q", "--list", *sorted(packages)) if path.startswith("/")]


def with_requirements(packages: Iterable[str], *options: str) -> set[str]:
    """Return installed packages with all that they require; `options` are for rpm(8)."""
    found: set[str] = set()
    new = set(packages)
    while new:
        found |= new
        required = {line.split()[0] for line in _lines("rpm", *options, "-q", "--requires", *sorted(new))}
        wanted = sorted(name for name in required if not name.startswith(("rpmlib(", "(")))  # "(" begins a rich one
        providers = _lines("rpm", *options, "-q", "--qf", "%{NAME}\n", "--whatprovides", *wanted) if wanted else []
        new = {line for line in providers if " " not in line} - found  # "no package provides NAME"
    return found


def _lines(*command: str) -> list[str]:
    # rpm(8) fails where nothing provides one of many.
    printed = subprocess.run(command, check=command[0] != "rpm", stdout=subprocess.PIPE, text=True).stdout
    return [line for line in printed.splitlines() if line]


def _real(path: str) -> str:
    """Return a path of a package, from the root, with the links /bin and its kin in it resolved."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)[1:]
