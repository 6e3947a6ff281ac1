# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies in a machine's directory, to be compared with what lies there after another run."""

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from truth import HEADER_SET

Tree = dict[str, str]
"""What lies in a directory: kind, mode, owners and content, by path."""

_PARTS = {
    f"overlay/{HEADER_SET}": "header set",
    "hidden": "header set",
    "overlay": "files",
    "var": "/var",
    "intent": "plan pending",
    "untold": "events",
    "rpmdb.new": "database",
    "rpmdb.old": "database",
    "base.new": "database",
    "base": "database",
}
"""What a path below a machine's directory belongs to; the rest are records."""

_NOT_COMPARED = re.compile(
    r"(seen|log|limits|run\.configuration|rpmdb|rpmdb\.(new|old)/.*|seeded|work|run|host)(/|$)"
    r"|.*/\.stamp$|var/(log|tmp|cache)/"
)
"""What differs each time, and the database, about which rpm is asked."""


def parts(paths: set[str]) -> set[str]:
    """Return the parts of the state that these paths belong to."""
    found = set()
    for path in paths:
        while path and path not in _PARTS:
            path = path.rpartition("/")[0]
        found.add(_PARTS.get(path, "records"))
    return found


def changed(one: Tree, other: Tree) -> set[str]:
    return {path for path, _ in one.items() ^ other.items()}


def walk(folder: Path, inside: str, tree: Tree) -> None:
    """Add what lies in a directory."""
    if not folder.exists():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            status = entry.stat(follow_symlinks=False)
            about = f"{status.st_mode:o} {status.st_uid} {status.st_gid}"
            if _NOT_COMPARED.match(path):
                continue
            if stat.S_ISDIR(status.st_mode):
                if "trusted.overlay.opaque" in os.listxattr(entry.path):
                    about += " opaque"
                walk(Path(entry.path), path, tree)
            elif stat.S_ISREG(status.st_mode):
                content = Path(entry.path).read_bytes()
                if path == "moved":
                    content = json.dumps(_without_nothing(json.loads(content))).encode()
                about += " " + hashlib.sha256(content).hexdigest()[:16]
            elif stat.S_ISLNK(status.st_mode):
                about += f" {os.readlink(entry.path)}"
            else:
                about += f" {status.st_rdev}"
            tree[path] = about


def _without_nothing(value: Any) -> Any:
    """Return JSON without the empty objects in it, which say nothing in a record."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, each in value.items() if (inner := _without_nothing(each)) != {}}
