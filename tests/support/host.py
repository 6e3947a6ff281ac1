# SPDX-License-Identifier: GPL-2.0-or-later
"""A throwaway host: an overlay over this machine's own root, entered by chroot, gone with the process that made it.

Nothing is written to the machine itself but below the directory that is given.
"""

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MOUNT = """
set -e
options=index=off,metacopy=off,redirect_dir=off,xino=off
root=$1 upper=$2 work=$3 toy=$4
mount -t overlay -o "lowerdir=/,upperdir=$upper,workdir=$work,$options" host "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
# An upper cannot lie on overlayfs.
mkdir -p "$root/var/lib/toy"
mount --bind "$toy" "$root/var/lib/toy"
shift 4
while [ $# -gt 0 ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
echo mounted
exec cat
"""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
if "RPM_CONFIGDIR" in os.environ:
    # Another rpm than the system's, see tests/README.md.
    ENVIRONMENT |= {
        name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "RPM_CONFIGDIR") if name in os.environ
    }
    ENVIRONMENT["PATH"] = f"/usr/local/sbin:/usr/local/bin:{os.environ['PATH']}"


class Host:
    """One host, up while it is entered as a context. It starts with a copy of `like`, the `upper` of another."""

    def __init__(self, directory: Path, *, like: Path | None = None, binds: Mapping[Path, str] | None = None) -> None:
        self.upper = directory / "upper"
        """The files that differ from this machine's."""
        self.root = directory / "root"
        """The mounted tree; only in the host's own mount namespace."""
        self.toy = directory / "toy"
        """What is /var/lib/toy in the host."""
        self._work = directory / "work"
        self._like = like
        self._binds = binds or {}

    def __enter__(self) -> Self:
        for path in (self.upper, self.root, self.toy, self._work):
            path.mkdir(parents=True, exist_ok=True)
        if self._like is not None:
            subprocess.run(["cp", "--archive", "--reflink=auto", f"{self._like}/.", self.upper], check=True)
        binds = [os.fspath(part) for pair in self._binds.items() for part in pair]
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--fork", "--kill-child", "sh", "-c", _MOUNT, "host",
             self.root, self.upper, self._work, self.toy, *binds],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            raise RuntimeError(f"cannot mount a host in {self.root}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.communicate()

    def command(self, *command: str | Path) -> list[str]:
        """Return the command line that runs `command` in the host."""
        (pid,) = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        return ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "chroot", os.fspath(self.root), *map(str, command)]

    def run(
        self, *command: str | Path, check: bool = True, env: Mapping[str, str] | None = None, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the host, to its end, with its output captured."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True} | options
        if "input" in options:
            del options["stdin"]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self.command(*command), env={**ENVIRONMENT, **(env or {})}, **options
        )
        if check and done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def run_bytes(
        self, *command: str | Path, content: bytes, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command in the host with bytes on its stdin, whatever its status."""
        return subprocess.run(
            self.command(*command), input=content, capture_output=True, env={**ENVIRONMENT, **(env or {})}, timeout=60
        )

    @functools.cached_property
    def rpm(self) -> list[str]:
        """The rpm command for installing by hand; Debian's refuses that without an option."""
        debian = self.run("rpm", "--force-debian", "--version", check=False).returncode == 0
        return ["rpm", "--force-debian"] if debian else ["rpm"]

    def zypper(self, *arguments: str) -> None:
        """Change the host's packages."""
        self.run("zypper", "-n", *arguments)

    def change(self, script: str) -> str:
        """Change the host by a shell script, and return what it printed."""
        return self.sh(script)

    def sh(self, script: str, **options: Any) -> str:
        """Run a shell script in the host and return what it printed."""
        return self.run("sh", "-ec", script, **options).stdout

    def write(self, path: str, content: str) -> None:
        """Write a file in the host."""
        self.run("sh", "-c", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path, input=content)
