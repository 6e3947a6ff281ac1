# SPDX-License-Identifier: GPL-2.0-or-later
"""A throwaway host as MicroOS was one before transactional-update 5: /etc is an overlay, and a snapshot adds an upper.

Its own fstab names that for the initrd (https://github.com/openSUSE/transactional-update, 4.1.9, lib/Overlay.cpp).
"""

from pathlib import Path

from microos import Disk, MicroOS

_INSTALL = """
cd "$1"
mkdir -p var/lib/overlay/1/etc var/lib/overlay/1/work-etc
root=.snapshots/1/snapshot
btrfs property set -ts $root ro false
cp -a $root/etc etc
btrfs --quiet subvolume delete $root/etc
mv etc $root/etc
echo "$2" >> $root/etc/fstab
btrfs property set -ts $root ro true
"""

_FIND = "findmnt --fstab --noheadings --output OPTIONS --types overlay --mountpoint /etc --tab-file"

_BOOT = f"""
export LIBMOUNT_FORCE_MOUNT2=always  # the new mount API takes no option over 255 bytes
mount -t overlay -o "$({_FIND} "$root/etc/fstab" | sed "s,/sysroot/,$root/,g")" overlay "$root/etc"
"""

# What is mounted below the upper of the running /etc is that /etc.
_UPDATE = f"""
overlay=/var/lib/overlay
mkdir -p $overlay/$new/etc $overlay/$new/work-etc
option() {{
    {_FIND} $1/etc/fstab | sed -n "s#.*\\b$2=\\([^,]*\\).*#\\1#p"
}}
lower=$(option $root upperdir):$(option $root lowerdir)
options=lowerdir=$lower,upperdir=/sysroot$overlay/$new/etc,workdir=/sysroot$overlay/$new/work-etc
sed -i "s#^overlay /etc .*#overlay /etc overlay defaults,$options,x-initrd.mount 0 0#" $root/etc/fstab
cp -a $root/etc/fstab $overlay/$new/etc
running=$(option / upperdir | sed s#/sysroot##)
options=$(echo $options | sed "s#/sysroot/etc,#$root/etc,#; s#/sysroot/#/#g; s#$running:[^,]*#/etc#")
LIBMOUNT_FORCE_MOUNT2=always mount -t overlay -o $options overlay $root/etc
"""


class EtcOverlay(MicroOS):
    """One host, up while it is entered as a context."""

    boot_etc = _BOOT
    update_etc = _UPDATE

    def __init__(self, disk: Disk, directory: Path) -> None:
        super().__init__(disk, directory)
        own = "/sysroot/var/lib/overlay/1"
        options = f"defaults,lowerdir=/sysroot/etc,upperdir={own}/etc,workdir={own}/work-etc,x-initrd.mount"
        disk.sh(f"set -e\n{_INSTALL}", self._tree, f"overlay /etc overlay {options} 0 0")
