# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads headers with librpm: what they say of a package and of its files.

Errors name the header file that is given as `file`: its path or, if the header is from a database, its name.
"""

import contextlib
import stat
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from ..errors import ToyError, quoted
from ..headers import header
from ..headers.header import Header
from ..headers.package import KINDS, Condition, Package, PackageFile, Trigger, is_plain
from .librpm import parsed, rpm, to_header, unreadable

_UNKNOWN = -1
"""State of each file in a header without file states (rpm, include/rpm/rpmfiles.h: rpmfileState)."""

_DIGESTS = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
"""hashlib's names of the values of RPMTAG_FILEDIGESTALGO (rpm, rpmio/rpmcrypto.h: rpmHashAlgo_e)."""


_SENSE = rpm.RPMSENSE_LESS | rpm.RPMSENSE_EQUAL | rpm.RPMSENSE_GREATER
"""The flags of a dependency that say how it compares versions."""


def paths_below(blob: bytes, directory: str, *, file: str = "") -> AbstractSet[str]:
    """Return the paths in a directory that a package owns, perhaps the directory itself among them, without %ghosts.

    Raises ToyError if rpm cannot read it.
    """
    found = parsed(blob, file)
    inside = directory.rstrip("/") + "/"
    return {
        path
        for path, flags in zip(_paths(found, file), found["fileflags"], strict=False)  # a header may be made up
        if f"{path}/".startswith(inside) and is_plain(path) and not flags & rpm.RPMFILE_GHOST
    }


def package(blob: bytes, *, file: str = "") -> Package:
    """Return the package that a header describes. Raises ToyError if rpm cannot read it, or if it makes no sense."""
    try:
        return _package(blob, file)
    except (TypeError, ValueError) as error:  # it was not rpm that made it
        raise unreadable(file, error) from error


def _paths(found: "rpm.hdr", file: str) -> list[str]:
    """Return the paths of a package's files. rpm's "filenames" refuses those of a package that was relocated."""
    folders = found["dirnames"]
    try:
        return [folders[index] + name for index, name in zip(found["dirindexes"], found["basenames"], strict=False)]
    except IndexError as error:
        raise unreadable(file, error) from error


def _package(blob: bytes, file: str) -> Package:
    found = parsed(blob, file)
    algorithm = _DIGESTS.get(found["filedigestalgo"] or 1, "")
    files, absent = [], set()
    paths = _paths(found, file)
    columns = (found[tag] for tag in ("filemodes", "filedigests", "filelinktos", "fileflags"))
    owners = zip(found["fileusername"], found["filegroupname"], strict=True)
    states = found["filestates"] or [_UNKNOWN] * len(paths)
    for path, mode, sum_, target, flags, owner, state in zip(paths, *columns, owners, states, strict=True):
        if state != header.NORMAL:
            absent.add(path)
        else:
            digest = f"{algorithm}:{sum_}" if stat.S_ISREG(mode) and sum_ else ""
            kept, is_ghost = bool(flags & rpm.RPMFILE_CONFIG), bool(flags & rpm.RPMFILE_GHOST)
            # The mode has 16 bits, which some versions of rpm take for a signed number.
            files.append(PackageFile(path, mode & 0xFFFF, digest, target, kept, ":".join(owner), is_ghost))
    evr = (str(found["epoch"] or 0), found["version"] or "", found["release"] or "")
    return Package(
        found["name"] or "",
        found["arch"] or "",
        evr,
        frozenset(found["providename"]),
        tuple(zip(*(found[tag] for tag in ("obsoletename", "obsoleteflags", "obsoleteversion")), strict=True)),
        tuple(files),
        frozenset(absent),
        header.installation(blob),
        tuple(trigger for kind in ("trigger", "filetrigger", "transfiletrigger") for trigger in _triggers(found, kind)),
    )


_WHEN = {
    rpm.RPMSENSE_TRIGGERPREIN: "prein",
    rpm.RPMSENSE_TRIGGERIN: "in",
    rpm.RPMSENSE_TRIGGERUN: "un",
    rpm.RPMSENSE_TRIGGERPOSTUN: "postun",
}
"""How the kind of a trigger ends, by the flag that its conditions have."""


def _triggers(found: "rpm.hdr", kind: str) -> Iterator[Trigger]:
    """Yield the triggers in tags (rpm, include/rpm/rpmtag.h) that begin with a word: trigger, (trans)filetrigger."""
    scripts = list(zip(found[f"{kind}scriptprog"], found[f"{kind}scripts"], strict=True))
    priorities = (found[f"{kind}priorities"] if kind != "trigger" else None) or [0] * len(scripts)
    columns = [found[f"{kind}{what}"] for what in ("index", "name", "flags", "version")]
    for number, ((program, script), priority) in enumerate(zip(scripts, priorities, strict=True)):
        rows = zip(*columns, strict=True)
        conditions = tuple((name, flags, version) for index, name, flags, version in rows if index == number)
        for flag, when in _WHEN.items():
            if f"{kind}{when}" in KINDS and conditions and conditions[0][1] & flag:
                yield Trigger(f"{kind}{when}", conditions, priority, program, script)


def paths_beginning(blob: bytes, prefixes: tuple[str, ...], *, file: str = "") -> list[str]:
    """Return the paths of a package's files that begin with one of these. Raises ToyError if rpm cannot read it."""
    return [path for path in _paths(parsed(blob, file), file) if path.startswith(prefixes)]


def folders(blob: bytes, *, file: str = "") -> AbstractSet[str]:
    """Return the directories that a package has files in, without the slash at the end. Raises ToyError."""
    return {folder.rstrip("/") or "/" for folder in parsed(blob, file)["dirnames"]}


def links(blob: bytes, *, file: str = "") -> dict[str, str]:
    """Return the targets of a package's symbolic links, by path. Raises ToyError if rpm cannot read it."""
    found = parsed(blob, file)
    return {path: target for path, target in zip(_paths(found, file), found["filelinktos"], strict=False) if target}


def with_file_states(blob: bytes, states: Mapping[str, int], *, file: str = "") -> Header:
    """Return a header with other states of the files at these paths; only those that were installed get them.

    Raises ToyError if rpm cannot read it.
    """
    found = parsed(blob, file)
    changes = {
        index: states[owned.name]
        for index, owned in enumerate(rpm.files(found))
        if owned.state == header.NORMAL and owned.name in states
    }
    return to_header(parsed(header.with_file_states(blob, changes), file))


def obsoletes(one: Package, name: str, evr: str) -> bool:
    """Say whether rpm would erase the package of this name and [EPOCH:]VERSION-RELEASE if it installed `one`.

    Packages of the name of `one` do not count: those are other versions of it.
    """
    return name != one.name and any(meets(name, evr, condition) for condition in one.obsoletes)


def meets(name: str, evr: str, condition: Condition) -> bool:
    """Say whether a condition is for the package of this name and [EPOCH:]VERSION-RELEASE."""
    wanted, flags, limit = condition
    if wanted == name:
        with contextlib.suppress(OverflowError, TypeError, ValueError):  # it was not rpm that made the header
            itself = rpm.ds((name, rpm.RPMSENSE_EQUAL, evr), rpm.RPMTAG_PROVIDENAME)
            return bool(rpm.ds((name, flags & _SENSE, limit), rpm.RPMTAG_OBSOLETENAME).Compare(itself))
    return False


def is_newer(one: Package, other: Package) -> bool:
    """Say whether rpm takes the version of `one` for newer. Raises ToyError if it cannot compare them."""
    try:
        return bool(rpm.labelCompare(one.evr, other.evr) > 0)
    except ValueError as error:
        raise ToyError(
            f"rpm cannot compare the versions of {one.label} and {other.label}: {error}",
            f"see which are installed: rpm -q {' '.join(sorted({quoted(one.name), quoted(other.name)}))}",
        ) from None
