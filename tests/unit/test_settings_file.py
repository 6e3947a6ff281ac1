# SPDX-License-Identifier: GPL-2.0-or-later
"""NAME.nspawn: what toy can do of it, and what it refuses."""

import os
from pathlib import Path

import pytest

from toy.launch.settings import Settings


@pytest.mark.parametrize(
    "setting",
    [
        *("Boot=yes", "Boot = on", "Ephemeral=yes", "NotifyReady=yes", "Parameters=/bin/true", "PivotRoot=/srv"),
        *("PrivateUsers=pick", "PrivateUsers=yes", "PrivateUsers=identity", "PrivateUsers=65536", "ProcessTwo=no"),
        *("PrivateUsersOwnership=chown", "BindUser=daemon", "ReadOnly=yes", "Volatile=yes", "Volatile=overlay"),
        *("Bind=/srv:/var", "BindReadOnly=/usr", "TemporaryFileSystem=/", "Bind=/srv:/usr/lib/sysimage/rpm-headers"),
        *("Overlay=/srv:/opt:/usr/lib/sysimage", "Inaccessible=/usr/lib/sysimage/rpm", "Bind=\\\n /srv:/var/"),
    ],
)
def test_what_a_machine_cannot_be(tmp_path: Path, setting: str) -> None:
    with pytest.raises(Exception, match=r"says \w+=.*, which toy cannot do; ") as caught:
        of_text(tmp_path, setting)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        *("Boot=no", "Boot=yes\nBoot=no", "Boot=", "#Boot=yes", "PrivateUsers=0", "ProcessTwo=yes", "Volatile=off"),
        *("Bind=/srv:/var/lib/data", "BindReadOnly=/srv:/usr/lib/sysimage2", "TemporaryFileSystem=/opt", "Bind="),
        *("Bind=/var:/srv", "Bind=a \\\n#Boot=yes\n; Boot=yes\nBoot=yes"),
    ],
)
def test_what_it_can(tmp_path: Path, setting: str) -> None:
    assert setting in of_text(tmp_path, setting)


def of_text(directory: Path, text: str) -> str:
    (directory / "file").write_text(text)
    own = ("/var", "/usr/lib/sysimage/rpm", "/usr/lib/sysimage/rpm-headers")
    settings = Settings(os.fspath(directory / "file"))
    return settings.extended(binds=[], read_only_binds=[], environment={}, own=own, untouched=own[1:])
