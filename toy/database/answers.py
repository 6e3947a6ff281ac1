# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns the answers of a confined process into values, and checks that they have the right types.

Each function takes what came through `wire`, and raises TypeError, ValueError or the like if that has other types. Only
types are checked: what an answer says may be made up by the database in the machine. `reader` asks the questions.
"""

import sys
from collections.abc import Set as AbstractSet
from typing import Any

from ..headers import header
from ..headers.header import Header, HeaderFile
from ..headers.package import KINDS, Condition, Outline, Package, PackageFile, Trigger
from ..headers.stamp import Stamp


def text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def to_texts(value: Any) -> list[str]:
    """Return several texts."""
    return list(map(text, value))


def to_paths(value: Any) -> AbstractSet[str]:
    """Return paths."""
    return frozenset(map(text, value))


def to_outline(value: Any) -> Outline:
    """Return the outline of packages."""
    folders, links = value
    return Outline(to_paths(folders), {text(path): text(target) for path, target in links})


def to_header(value: Any) -> Header:
    """Return a header."""
    *texts, blob = value
    name, version, release, arch = map(text, texts)
    if not isinstance(blob, bytes):
        raise TypeError
    return Header(name, version, release, arch, blob)


def to_headers(value: Any) -> list[Header]:
    """Return several headers."""
    return list(map(to_header, value))


def to_packages(value: Any) -> dict[str, list[int]]:
    """Return the hdrNums of each package name."""
    return {text(name): list(map(int, numbers)) for name, numbers in value}


def to_stamp(value: Any) -> Stamp:
    """Return a stamp."""
    names, runs = value
    return Stamp.checked(text(names), [(int(first), int(last), int(tid)) for first, last, tid in runs])


def to_file(value: Any) -> HeaderFile:
    """Return the name of a header file."""
    name = text(value)
    if not header.is_file_name(name):
        raise ValueError
    return HeaderFile(sys.intern(name))


def to_files(value: Any) -> dict[HeaderFile, int]:
    """Return the hdrNum of each header file."""
    return {to_file(file): int(number) for file, number in value}


def to_package(value: Any) -> Package:
    """Return a package."""
    name, arch, evr, provides, obsoletes, files, absent, installation, triggers = value
    epoch, version, release = map(text, evr)
    return Package(
        text(name),
        text(arch),
        (epoch, version, release),
        frozenset(map(text, provides)),
        tuple(map(to_condition, obsoletes)),
        tuple(map(to_package_file, files)),
        frozenset(map(text, absent)),
        text(installation),
        tuple(map(to_trigger, triggers)),
    )


def to_condition(value: Any) -> Condition:
    """Return a condition for packages."""
    name, flags, version = value
    return text(name), int(flags), text(version)


def to_trigger(value: Any) -> Trigger:
    """Return a trigger."""
    kind, conditions, priority, program, script = value
    if kind not in KINDS:
        raise ValueError
    return Trigger(text(kind), tuple(map(to_condition, conditions)), int(priority), text(program), text(script))


def to_package_file(value: Any) -> PackageFile:
    """Return a file of a package."""
    path, mode, digest, target, kept, owner, is_ghost = value
    return PackageFile(text(path), int(mode), text(digest), text(target), bool(kept), text(owner), bool(is_ghost))
