# SPDX-License-Identifier: GPL-2.0-or-later
"""An rpm header as a file: its identity, the file name that says it, and the file's format.

A file is rpm's header magic and the header's blob, which is what `rpmdb --importdb` reads (rpm,
docs/manual/format_header.md), so that `cat *.hdr | rpmdb --importdb` restores a database by hand.
Its name is NAME-[EPOCH:]VERSION-RELEASE[.ARCH].SHA256[.COPY].hdr; SHA256 is that of the blob, COPY (2, 3, …)
tells identical headers of one database apart. Bytes that a shell or a file system might dislike are
percent-encoded, and parts too long for a file name are cut: the digest is what identifies, the rest is for people.
"""

import functools
import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, NewType, TypeGuard, TypeVar, cast
from urllib.parse import quote, unquote

MAGIC = bytes.fromhex("8eade801 00000000")
"""What precedes a blob in a file: magic, version 1, reserved (rpm's `rpm.header_magic`)."""

HeaderFile = NewType("HeaderFile", str)
"""The name of a header file: what `file_names` makes, and `is_file_name` lets pass."""

QuotedName = NewType("QuotedName", str)
"""A package name as it stands in file names: what `package` makes of rpm's. Most look like that, but not all."""

_FILE = re.compile(r"(?P<label>[%0-~][!-.0-~]*)\.(?P<digest>[0-9a-f]{64})(\.(?P<copy>[1-9][0-9]*))?\.hdr")

_LONGEST = 255
# Dots, digest, copy and suffix want 72 and more.
_NAME_MAX, _VERSION_MAX, _RELEASE_MAX, _ARCH_MAX = 80, 40, 35, 15


class Header(NamedTuple):
    """An rpm header: the fields that its file name is made from, and its blob."""

    name: str
    version: str
    """[EPOCH:]VERSION"""
    release: str
    arch: str
    """Empty for gpg-pubkey."""
    blob: bytes


_Function = TypeVar("_Function", bound=Callable[..., object])


def _cached(function: _Function) -> _Function:
    """Do what `functools.cache` does, which has types that any argument fits and that guard none."""
    return cast(_Function, functools.cache(function))


def _quote(text: str) -> str:
    return quote(text, safe="+:", errors="surrogateescape")


@_cached  # one launch asks for all of them several times
def package(name: str) -> QuotedName:
    """Return a package name as it stands in file names."""
    quoted = _quote(name)
    if len(quoted) > _NAME_MAX:
        digest = hashlib.sha256(quoted.encode()).hexdigest()[:16]
        quoted = f"{quoted[: _NAME_MAX - len(digest) - 1]}~{digest}"
    if quoted[:1].isalnum():
        return QuotedName(quoted)
    # So that `*.hdr` finds it, and no tool takes it for an option.
    return QuotedName(f"%{ord(quoted[:1] or '%'):02X}{quoted[1:]}")


def _version(text: str, limit: int) -> str:
    return _quote(text).replace("-", "%2D")[:limit]  # a dash separates: package_of() relies on it


def file_names(headers: Iterable[Header]) -> Iterator[tuple[HeaderFile, Header]]:
    """Yield the file name of each header, and the header. Identical ones must come in one call, to be told apart."""
    copies: dict[str, int] = {}
    for header in headers:
        version = _version(header.version, _VERSION_MAX)
        release = _version(header.release, _RELEASE_MAX)
        if header.arch:
            release += f".{_version(header.arch, _ARCH_MAX)}"
        digest = hashlib.sha256(header.blob).hexdigest()
        stem = f"{package(header.name)}-{version}-{release}.{digest}"
        copies[stem] = copies.get(stem, 0) + 1
        yield HeaderFile(f"{stem}.hdr" if copies[stem] == 1 else f"{stem}.{copies[stem]}.hdr"), header


@_cached  # a launch asks three times of each name: 3.5 ms for 2,000
def is_file_name(file: str) -> TypeGuard[HeaderFile]:
    """Say whether this may be the name of a header file."""
    match = _FILE.fullmatch(file)
    return match is not None and match["label"].count("-") >= 2 and len(file) <= _LONGEST


def package_of(file: HeaderFile) -> QuotedName:
    """Return the package name that a header file's name begins with."""
    return file.rsplit("-", 2)[0]  # type: ignore[return-value]  # QuotedName() for each of thousands takes time


def label(file: HeaderFile) -> str:
    """Return a header file's name without digest and copy: NAME-[EPOCH:]VERSION-RELEASE[.ARCH], quoted and cut."""
    match = _FILE.fullmatch(file)
    return file if match is None else match["label"]


def arch_of(file: HeaderFile) -> str:
    """Return the architecture, quoted and cut, of the package of a header file; empty if it has none."""
    release, _, arch = label(file).rpartition("-")[2].rpartition(".")
    return arch if release else ""


def name_and_evr(file: HeaderFile) -> tuple[str, str]:
    """Return name and [EPOCH:]VERSION-RELEASE of the package of a header file, as far as its name has them.

    Only names and versions that are too long for a file name are cut.
    """
    arch = arch_of(file)
    name, version, release = label(file).rsplit("-", 2)
    if name.startswith("%25"):  # `package` quotes the first character once more
        name = f"%{name[3:]}"
    if arch:
        release = release.removesuffix(f".{arch}")
    one, other = (unquote(part, errors="surrogateescape") for part in (name, f"{version}-{release}"))
    return one, other


def same_content(file: HeaderFile, other: HeaderFile) -> bool:
    """Say whether two file names promise the same content."""
    one, two = _FILE.fullmatch(file), _FILE.fullmatch(other)
    return one is not None and two is not None and one["digest"] == two["digest"]


_FILESTATES = 1029
"""The tag with one byte per file (rpm, include/rpm/rpmtag.h)."""

NORMAL, REPLACED, NOT_INSTALLED = 0, 1, 2
"""States of a file: it is installed, another package has overwritten it, it was left out (rpm, rpmfileState_e)."""


def _file_states(blob: bytes) -> slice:
    """Return the slice of a blob that holds its file states, an empty one if it has none.

    A blob is the number of index entries and the size of the data, then the entries (tag, type, offset, count),
    then the data; all numbers are big-endian (rpm, docs/manual/format_header.md).
    """
    entries, size = struct.unpack_from(">II", blob)
    data = 8 + 16 * entries
    for tag, _, offset, count in struct.iter_unpack(">IIiI", blob[8:data]):
        if tag == _FILESTATES and offset >= 0 and offset + count <= size:
            return slice(data + offset, data + offset + count)
    return slice(0)


def with_file_states(blob: bytes, changes: Mapping[int, int]) -> bytes:
    """Return a blob with its file states replaced by `changes`, which has a state for each file index to change.

    rpm itself changes nothing else in a header. Python's rpm can read file states, but not write them.
    """
    where = _file_states(blob)
    states = bytes(changes.get(index, state) for index, state in enumerate(blob[where]))
    return blob[: where.start or 0] + states + blob[where.stop :]


def installation(blob: bytes) -> str:
    """Return a digest of a blob without its file states: it identifies one installation of a package."""
    where = _file_states(blob)
    return hashlib.sha256(blob[: where.start or 0] + blob[where.stop :]).hexdigest()


def problem(file: HeaderFile, content: bytes) -> str | None:
    """Say why `content` is not what the name of the header file promises, or None if it is."""
    if not content.startswith(MAGIC):
        return "not an rpm header"
    match = _FILE.fullmatch(file)
    if match is None or hashlib.sha256(content[len(MAGIC) :]).hexdigest() != match["digest"]:
        return "truncated or altered"
    return None
