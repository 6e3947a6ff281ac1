# SPDX-License-Identifier: GPL-2.0-or-later
"""A throwaway host as openSUSE MicroOS is one: a root that cannot be written, and snapshots on btrfs to reboot into.

Its userland is this machine's own, as far as it is needed, copied.
"""

import subprocess
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import userland
from host import Host
from image import EDITOR

BASE = {"editor-1", "library-1", "legacy-1"}
"""The packages that such a host has."""

NEXT = replace(EDITOR, version="2", files={**EDITOR.files, "/usr/bin/editor": "#!/bin/sh\necho editor 2"})
"""The next version of one of them."""

SHARED = ("var", "root", "home", "opt", "srv", "usr/local")
"""Subvolumes that all snapshots share."""

_ATTACH = """
set -e
mkfs.btrfs --quiet "$1" >/dev/null  # it may have something to note
loop=$(losetup --find --show "$1")
mount -o subvolid=5 "$loop" "$2"
losetup --detach "$loop"  # once nobody has it mounted
echo "$loop"
exec cat
"""

_POPULATE = """
set -e
cd "$1"
shift
for subvolume in @ @/.snapshots; do btrfs --quiet subvolume create $subvolume; done
mkdir @/.snapshots/1 @/usr
btrfs --quiet subvolume create @/.snapshots/1/snapshot
btrfs --quiet subvolume create @/.snapshots/1/snapshot/etc
cd @/.snapshots/1/snapshot
tar --extract
for own; do
    btrfs --quiet subvolume create ../../../$own
    mkdir -p $own
    find $own -mindepth 1 -maxdepth 1 -exec mv -t ../../../$own {} +
done
mkdir -p .snapshots proc sys dev run tmp var/lib
ln -s ../../usr/lib/sysimage/rpm var/lib/rpm
"""

_CLONE = """
set -e
cd "$1"
name=$2
shift 2
clone() {
    mkdir -p "$name/$1"
    rmdir "$name/$1"  # a snapshot has an empty directory in the place of a subvolume
    btrfs --quiet subvolume snapshot "template/$1" "$name/$1"
}
for each in @ @/.snapshots @/.snapshots/1/snapshot @/.snapshots/1/snapshot/etc; do clone $each; done
for own; do clone @/$own; done
btrfs property set -ts $name/@/.snapshots/1/snapshot ro true
btrfs subvolume set-default $name/@/.snapshots/1/snapshot
"""

_BOOT = """
set -e
top=$1 name=$2 loop=$3 root=$4 etc=$5
shift 5
default=$(btrfs subvolume get-default "$top")
default=${default##* path }
mount -o ro "$loop" "$root"
mount -o "subvol=$name/@/.snapshots" "$loop" "$root/.snapshots"
for own; do mount -o "subvol=$name/@/$own" "$loop" "$root/$own"; done
eval "$etc"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
echo "$default"
exec cat
"""

# As transactional-update(8) does it, see https://github.com/openSUSE/transactional-update, lib/.
_UPDATE = """
set -e
base=$1 new=$2 etc=$3
shift 3
root=/.snapshots/$new/snapshot
mkdir /.snapshots/$new
btrfs --quiet subvolume snapshot /.snapshots/$base/snapshot $root
info() {
    echo "<?xml version='1.0'?><snapshot><type>single</type><num>$new</num>$1</snapshot>" > /.snapshots/$new/info.xml
}
info '<userdata><key>transactional-update-in-progress</key><value>yes</value></userdata>'
mount --bind $root $root
for name in dev proc sys; do mount --rbind /$name $root/$name; done
for name in run tmp; do mount -t tmpfs tmpfs $root/$name; done
mount -t tmpfs tmpfs $root/var
mkdir -p $root/var/tmp $root/var/lib
ln -s ../../usr/lib/sysimage/rpm $root/var/lib/rpm
for name in log cache lib/zypp lib/ca-certificates lib/alternatives lib/selinux; do
    mkdir -p /var/$name $root/var/$name
    mount --bind /var/$name $root/var/$name
done
mount --bind /.snapshots $root/.snapshots
eval "$etc"
export TRANSACTIONAL_UPDATE=true TRANSACTIONAL_UPDATE_ROOT=$root LANG=C
"$@"
umount --recursive --lazy $root
btrfs property set -ts $root ro true
info ''
"""

# A zypper that is new enough calls toy's plugin for another root than its own by itself.
_PLUGIN = r"""
plugin=/usr/lib/zypp/plugins/commit/toy
[ ! -x $plugin ] || printf '%s\n\n\0' PLUGINBEGIN COMMITBEGIN COMMITEND PLUGINEND | $plugin
"""


_BOOT_ETC = """
mount -o "subvol=$default/etc" "$loop" "$root/etc"
# What changed in the old /etc meanwhile is not brought over.
[ ! -d "$root/etc/etc.syncpoint" ] || btrfs --quiet subvolume delete "$root/etc/etc.syncpoint"
"""

# See snapper/50-etc there.
_UPDATE_ETC = """
rmdir $root/etc
btrfs --quiet subvolume snapshot /.snapshots/$base/snapshot/etc $root/etc
[ ! -d $root/etc/etc.syncpoint ] || rmdir $root/etc/etc.syncpoint
if [ /.snapshots/$base/snapshot -ef / ]; then
    btrfs --quiet subvolume snapshot $root/etc $root/etc/etc.syncpoint
    echo $base > $root/etc/etc.syncpoint/transactional-update.comparewith
elif [ -d /.snapshots/$base/snapshot/etc/etc.syncpoint ]; then
    btrfs --quiet subvolume snapshot /.snapshots/$base/snapshot/etc/etc.syncpoint $root/etc/etc.syncpoint
fi
"""


class Disk:
    """A btrfs, mounted while it is entered as a context, with the template whose snapshots are the trees of hosts."""

    def __init__(self, directory: Path, *, like: Path) -> None:
        self.top = directory / "top"
        self._directory = directory
        self._like = like
        self._hosts = 0

    def __enter__(self) -> Self:
        self.top.mkdir(parents=True)
        image = self._directory / "image"
        with open(image, "wb") as file:
            file.truncate(16 << 30)
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--fork", "--kill-child", "sh", "-c", _ATTACH, "sh",
             image, self.top],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        self.loop = self._holder.stdout.readline().strip()
        if not self.loop:
            raise RuntimeError(f"cannot mount a btrfs in {self.top}")
        self._populate()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.communicate()

    def within(self, *command: str | Path) -> list[str]:
        """Return the command line that runs `command` where the disk is mounted."""
        (pid,) = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        return ["nsenter", f"--mount=/proc/{pid}/ns/mnt", *map(str, command)]

    def sh(self, script: str, *arguments: str | Path) -> str:
        """Run a shell script where the disk is mounted and return what it printed."""
        return subprocess.run(
            self.within("sh", "-c", script, "sh", *arguments), check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def host_name(self) -> str:
        """Make the subvolumes of another host, and return their name."""
        self._hosts += 1
        name = f"host{self._hosts}"
        self.sh(_CLONE, self.top, name, *shared())
        return name

    def _populate(self) -> None:
        template = self.top / "template"
        self.sh('mkdir "$1"', template)
        with Host(self._directory / "model", like=self._like) as model:
            listed = "\0".join(userland.paths(model, self._like))
            pack = ["tar", "--create", "--no-recursion", "--null", "--directory=/", "--files-from=-"]
            with subprocess.Popen(
                self.within("sh", "-c", _POPULATE, "sh", template, *shared()), stdin=subprocess.PIPE
            ) as unpacking:
                subprocess.run(model.command(*pack), input=listed.encode(), stdout=unpacking.stdin, check=True)
                assert unpacking.stdin is not None
                unpacking.stdin.close()
        if unpacking.returncode:
            raise RuntimeError(f"cannot fill {template}")


def shared() -> list[str]:
    """Return those of `SHARED` that a host has: none with another rpm in it, which would be missing without it."""
    return [name for name in SHARED if not any(f"{folder}/".startswith(f"/{name}/") for folder in userland.other_rpm())]


class MicroOS(Host):
    """One host, up while it is entered as a context."""

    boot_etc = _BOOT_ETC
    """Shell script that mounts /etc at the boot."""
    update_etc = _UPDATE_ETC
    """Shell script that makes the /etc of a new snapshot, and has it mounted there."""

    def __init__(self, disk: Disk, directory: Path) -> None:
        super().__init__(directory)
        self._disk = disk
        self._name = disk.host_name()
        self._last = 1

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        self._boot()
        return self

    def _boot(self) -> None:
        self._holder = subprocess.Popen(
            self._disk.within(
                "unshare", "--mount", "--propagation", "private", "--fork", "--kill-child", "sh", "-c", _BOOT, "sh",
                self._disk.top, self._name, self._disk.loop, self.root, self.boot_etc, *shared(),
            ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline().startswith(f"{self._name}/"):
            raise RuntimeError(f"cannot mount a host in {self.root}")

    def reboot(self) -> None:
        """Boot the default snapshot."""
        self.__exit__(None, None, None)
        self._boot()

    def default(self, number: int) -> None:
        """Make a snapshot the next boot's: an update's, or an older one."""
        self._disk.sh('btrfs subvolume set-default "$1"', f"{self._tree}/.snapshots/{number}/snapshot")

    def update(self, *command: str, base: int | None = None) -> int:
        """Run a command as transactional-update does with zypper, $TRANSACTIONAL_UPDATE_ROOT being the new snapshot.

        Returns the snapshot's number. It is the next boot's.
        """
        self._update(*command, base=base)
        return self._last

    def _update(self, *command: str, base: int | None = None) -> str:
        self._last += 1
        within = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _UPDATE, "sh"]
        script = self.update_etc
        printed = self.run(*within, str(base or self._last - 1), str(self._last), script, *command).stdout
        self.default(self._last)
        return printed

    @staticmethod
    def zypper_in_snapshot(*arguments: str) -> tuple[str, ...]:
        """Return the command, for `update`, that changes the packages of the new snapshot."""
        return ("sh", "-ec", f'zypper -n -R "$TRANSACTIONAL_UPDATE_ROOT" "$@"\n{_PLUGIN}', "sh", *arguments)

    def zypper(self, *arguments: str) -> None:
        """Change the host's packages: in a new snapshot, and with a reboot into that."""
        self.update(*self.zypper_in_snapshot(*arguments))
        self.reboot()

    def in_update(self, script: str) -> str:
        """Run a shell script as `transactional-update run` does, in a new snapshot, and return what it printed."""
        return self._update("sh", "-ec", 'exec chroot "$TRANSACTIONAL_UPDATE_ROOT" sh -ec "$1"', "sh", script)

    def change(self, script: str) -> str:
        """Change the host by a shell script: in a new snapshot, and with a reboot into that.

        What it does to /var is there, as systemd-tmpfiles(8) would see to at the boot.
        """
        bind = "for shared in srv var; do mount --bind /$shared $shared; done"
        within = f'cd "$TRANSACTIONAL_UPDATE_ROOT"; {bind}; chroot . sh -ec "$1"'
        printed = self._update("sh", "-ec", within, "sh", script)
        self.reboot()
        return printed

    @property
    def _tree(self) -> Path:
        return self._disk.top / self._name / "@"
