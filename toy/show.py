# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs that show something: what they print on stdout."""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import differences, homes, parse, rpmdb, settle, standing
from .errors import ToyError, printable
from .machine import Machine
from .merged import Merged
from .package import Package
from .rpmdb import Database


def status(name: str, *, as_json: bool) -> None:
    """Print how a machine stands."""
    stands = standing.status(_machine(name))
    _print([json.dumps(stands.to_json(), indent=2)] if as_json else map(printable, stands.lines))


def diff(name: str, *, as_json: bool) -> None:
    """Print the files that are otherwise in a machine than on the host, and whose they are."""
    machine = _machine(name)
    with (
        settle.reader_of(machine) as reader,
        settle.open_database(machine, reader) as ours,
        Database.open(rpmdb.dbpath()) as theirs,
    ):
        found = [
            # What was removed is the host's.
            (change, path, _owners(_packages(theirs, path) if change == "removed" else ours.owners(path), path))
            for change, path, _ in differences.differences(Path(machine.overlay), Path(machine.root), homes.names())
        ]
    if as_json:
        content = [{"change": change, "path": path, "packages": owners} for change, path, owners in found]
        _print([json.dumps(content, indent=2)])
    else:
        _print(printable(f"{what:7}  {path}  {', '.join(owners) or 'not owned'}") for what, path, owners in found)


def _packages(database: Database, path: str) -> Iterator[Package]:
    return (parse.package(owner.blob) for owner in database.owners(path))


def _owners(packages: Iterable[Package], path: str) -> list[str]:
    """Return the packages that a file is of, as NAME VERSION-RELEASE; not those whose file another one replaced."""
    return sorted(package.label for package in packages if path not in package.absent)


def _machine(name: str) -> Machine:
    machine = Machine(name)
    if not Merged(machine).exists:
        raise ToyError(f"there is no machine {name}", f"to make it: toy -n {name}")
    return machine


def _print(lines: Iterable[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale may lack what a path has
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
