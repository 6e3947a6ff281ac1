# SPDX-License-Identifier: GPL-2.0-or-later
"""The structure of the source: which module may import which, and who owns what of the system."""

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_visible_top_level() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    visible = {Path(line).parts[0] for line in tracked.splitlines() if not line.startswith(".")}
    assert visible == {"zypp-plugin", "rpm-macros", "toy", "tests", "README.md", "LICENSE", "Makefile"}


ORDER = (
    *(
        "errors",
        "streams",
        "debug",
        "progress",
        "process",
        "limited",
        "filesystem",
        "events",
        "machine",
        "failure",
        "host",
        "headers",
    ),
    *("confined", "database", "overlay", "following", "reconcile", "sessions", "launch", "snapshots", "report"),
    *("dump_root", "options", "cli", "__main__"),
)
"""Folders and modules of toy: each imports from itself and from those before it."""

MODULES = {
    path.relative_to(CHECKOUT / "toy").with_suffix("").parts: ast.parse(path.read_text())
    for path in sorted((CHECKOUT / "toy").glob("**/*.py"))
}


def imports(module: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what a module imports, anywhere in it: of toy's own from below toy, of others from the top."""
    for node in ast.walk(MODULES[module]):
        match node:
            case ast.Import():
                yield from ((alias.name,) for alias in node.names)
            case ast.ImportFrom(level=0, module=str(name)):
                yield tuple(name.removeprefix("toy.").split("."))
            case ast.ImportFrom(level=level, module=name):
                folder = (*module[: len(module) - level], *(name.split(".") if name else ()))
                for alias in node.names:
                    is_module = not folder or (*folder, alias.name) in MODULES
                    yield (*folder, alias.name) if is_module else folder


def test_imports_point_one_way() -> None:
    assert {module[0] for module in MODULES if module != ("__init__",)} == set(ORDER)
    for module in MODULES:
        for other in imports(module):
            if other[0] in ORDER and module[0] in ORDER:
                assert ORDER.index(other[0]) <= ORDER.index(module[0]), (module, other)


def users(*wanted: str) -> set[str]:
    """Return the modules that import or call one of these: `os.fork` or `rpm`, say."""
    found = set()
    for module, tree in MODULES.items():
        used = {".".join(name) for name in imports(module)}
        used |= {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if used & set(wanted):
            found.add("/".join(module))
    return found


def test_one_owner_of_each_system_resource() -> None:
    assert users("rpm") == {"database/librpm"}
    starting = ("fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "system")
    every = {f"os.{name}" for name in dir(os) if name in starting or name.startswith(("exec", "spawn"))}
    assert users("subprocess", "multiprocessing", "pty", *every) == {"process"}
    assert users("fcntl.flock", "fcntl.lockf") == {"filesystem/lock"}
    assert users("ctypes.CDLL", "ctypes.PyDLL") == {
        *("confined/confinement", "database/mapped", "filesystem/exchange", "filesystem/namespace"),
        "sessions/filters",
    }
    assert users("_ctypes") == {"sessions/kernel"}
