# SPDX-License-Identifier: GPL-2.0-or-later
"""Any number of real-looking headers: a few dozen packages that rpm itself built and installed, stamped over and over.

A stamped header differs from its model in its package's number, wherever that stands (name, paths, provides), and in
the transaction that installed it. What rpm needs of a header is kept or made anew: the immutable region, the file
states, the digests.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import awkward
import rpm
from host import Host
from packages import Package, build

MODELS = 40
_PER_TRANSACTION = 50
"""Packages with the same transaction, as on a system that was installed from an image and then updated."""

_CHANGES = "%changelog\n" + "\n".join(
    f"* Mon Jan 0{1 + day} 2024 Somebody <somebody@example.org> - {day}\n"
    + "\n".join(f"- Something was changed that one wants to know of, for the {line}th time" for line in range(8))
    for day in reversed(range(7))
)


def _token(number: int) -> str:
    return f"q{number:05d}q"  # in no hexadecimal digest


def sizes(count: int) -> list[int]:
    """Return how many files packages have: half of them less than 90, few of them very many."""
    source = random.Random(0)
    return [min(int(source.lognormvariate(4.5, 1)), 1500) for _ in range(count)]


def package(name: str, version: str, files: int, *, inside: str) -> Package:
    """Return a package with `files` files, in directories of its own called `inside` and in some that others share."""
    folders = [f"/usr/share/{inside}/part-{part}" for part in range(1 + files // 20)]
    paths = [f"/usr/bin/{inside}", f"/usr/share/doc/{inside}/README"]
    paths += [f"{folders[index % len(folders)]}/some-file-{index:04d}.data" for index in range(files)]
    return Package(
        name,
        version,
        files=dict.fromkeys(paths, f"{name} {version} has this file. " * 20),
        directories=(f"/usr/share/{inside}", *folders),
        tags=(f"Provides: capability({inside}) = {version}", "Requires: /bin/sh"),
        scripts=_CHANGES,
    )


def models(template: Path, directory: Path) -> list[bytes]:
    """Return the blobs of `MODELS` installed packages, as a system has them; about 27 KB each."""
    packages = [
        package(f"bench-{_token(number)}", "1", files, inside=_token(number))
        for number, files in enumerate(sizes(MODELS))
    ]
    with Host(directory, like=template) as host:
        build(host, packages, "/tmp/rpms")
        host.sh(f"{' '.join(host.rpm)} --install --nosignature /tmp/rpms/*.rpm")
        found = awkward.headers(host.upper / "usr/lib/sysimage/rpm")
    blobs = {nevra: blob for blob, nevra in found}
    return [blobs[f"{model.name}-1-1.noarch"] for model in packages]


def stamped(blobs: list[bytes], count: int) -> Iterator[bytes]:
    """Yield the blobs of `count` packages, each with another number."""
    for number in range(count):
        model = number % len(blobs)
        # The numbers of the models themselves are none of these.
        yield _stamp(blobs[model], _token(model), _token(MODELS + number), number // _PER_TRANSACTION)


def _stamp(blob: bytes, old: str, new: str, transaction: int) -> bytes:
    before = rpm.hdr(blob)
    tid = before["installtid"]
    after = blob.replace(old.encode(), new.encode())
    # INSTALLTID and INSTALLTIME: two numbers outside the region, which digests do not cover.
    after = after.replace(struct.pack(">I", tid), struct.pack(">I", tid - 3600 * transaction))
    for tag, algorithm in (("sha1header", "sha1"), ("sha256header", "sha256")):
        digest = hashlib.new(algorithm, rpm.header_magic + _region(after)).hexdigest()
        after = after.replace(before[tag].encode(), digest.encode())
    return after


def _region(blob: bytes) -> bytes:
    """Return the immutable region as it was built: what the package file had as its header."""
    region: bytes = rpm.hdr(blob)[rpm.RPMTAG_HEADERIMMUTABLE]
    return region
