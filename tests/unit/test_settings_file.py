# SPDX-License-Identifier: GPL-2.0-or-later
"""NAME.nspawn: what toy can do of it, and what it refuses."""

import itertools
import os
import stat
from collections.abc import Collection
from pathlib import Path

import pytest

from toy.errors import ToyError
from toy.launch import settings
from toy.launch.settings import Settings


@pytest.mark.parametrize(
    "setting",
    [
        *("Boot=yes", "Boot = on", "Ephemeral=yes", "NotifyReady=yes", "Parameters=/bin/true", "PivotRoot=/srv"),
        *("PrivateUsers=pick", "PrivateUsers=yes", "PrivateUsers=identity", "PrivateUsers=65536", "ProcessTwo=no"),
        *("PrivateUsersOwnership=chown", "BindUser=daemon", "ReadOnly=yes", "Volatile=yes", "Volatile=overlay"),
        *("Bind=/srv:/var", "BindReadOnly=/usr", "TemporaryFileSystem=/", "Bind=/srv:/usr/lib/sysimage/rpm-headers"),
        *("Overlay=/srv:/opt:/usr/lib/sysimage", "Inaccessible=/usr/lib/sysimage/rpm", "Bind=\\\n /srv:/var/"),
        *("BindUserShell=/bin/sh", "PrivateUsersChown=yes", "PrivateUsersDelegate=1", "Boot=TRUE", "ProcessTwo=off"),
        *("OverlayReadOnly=/a:/b:/c:/var", "OverlayReadOnly=/a:/var", "BindReadOnly=/srv:/var:rbind", "Bind=+/var"),
        *("TemporaryFileSystem=/var:mode=0755", "Bind=-/var", r"Bind=/a\:b:/var", r"Bind=/srv:/v\ar", "Boot=yes\r"),
        *("Bind=/srv:/usr/lib/sysimage/rpm/x", "Bind=/srv:/usr/lib/sysimage/rpm-headers/x", "Bind=/srv::idmap\nBoot=1"),
        *("\ufeffBoot=yes", " #Boot=no\n Boot=yes", "# \\\nBoot=yes", "X=a\\\\\nBoot=yes", "[Exec]\nX\nBoot=yes"),
        *("X=a \\\n# a\n b\nBoot=yes", "Bind=/srv:/var\\\n", "Parameters=a=b", "Bind=/opt/../var", "Boot=\\\nyes"),
        *("Boot=yes\\", " # \\\nBoot=yes", "X=a\\ \nBoot=yes"),
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
        *("Bind=/var:/srv", "Bind=a \\\n#Boot=yes\n; Boot=yes\nBoot=yes", "Boot=yes\nBoot=", "Boot", "X=Boot=yes"),
        *("Bind=/srv:/var2", "Bind=/srv:/usr/lib/sysimage/rpm2", "Overlay=/var::/opt", "Bind=/var:/srv:rbind"),
        *("  ;Boot=yes", "X=\\\nBoot=yes", "boot=yes", "Bind=/srv:/var/x", "OverlayReadOnly=/var:/usr:/opt"),
        *("TemporaryFileSystem=", r"Bind=/srv:/opt\:/var", "X=a\\\\\\\nBoot=yes", "Bind=\nBind="),
    ],
)
def test_what_it_can(tmp_path: Path, setting: str) -> None:
    assert setting in of_text(tmp_path, setting)


def test_a_mount_that_is_taken_back_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert of_text(tmp_path, "Bind=/srv:/opt\nBind=\nOverlay=")


ANY = ("Boot", "Ephemeral", "NotifyReady", "PrivateUsers", "PrivateUsersOwnership", "ReadOnly", "Volatile")


@pytest.mark.parametrize(
    ("name", "value"), itertools.product(ANY, ["", "0", "f", "false", "n", "no", "off", "No", "OFF"])
)
def test_what_is_off(tmp_path: Path, name: str, value: str) -> None:
    assert of_text(tmp_path, f"{name}={value}")


@pytest.mark.parametrize("value", ["", "1", "on", "t", "true", "y", "yes", "Yes", "ON"])
def test_what_is_on(tmp_path: Path, value: str) -> None:
    assert of_text(tmp_path, f"ProcessTwo={value}")


@pytest.mark.parametrize(
    ("setting", "next_step"),
    [
        ("Boot=maybe", "remove that line"),
        (
            "Bind=/srv:/var",
            "change the mount point in that line: "
            "/run, /var, the rpm database and the header set are the machine's own",
        ),
    ],
)
def test_what_is_refused_is_named_with_what_to_do(tmp_path: Path, setting: str, next_step: str) -> None:
    with pytest.raises(ToyError) as raised:
        of_text(tmp_path, f"[Exec]\n{setting}\n")
    assert raised.value.what == f"{tmp_path}/file says {setting}, which toy cannot do"
    assert raised.value.next_step == next_step


def read(directory: Path, text: str) -> Settings:
    (directory / "file").write_bytes(os.fsencode(text))
    return Settings(os.fspath(directory / "file"))


def added(
    directory: Path,
    text: str,
    *,
    binds: Collection[str] = (),
    read_only_binds: Collection[str] = (),
) -> list[str]:
    """Return the lines that come after the administrator's."""
    extended = read(directory, text).extended(binds=binds, read_only_binds=read_only_binds, own=[], untouched=[])
    assert extended.startswith(f"{text}\n\n[Files]\n")
    assert extended.endswith("\n")
    return extended[len(text) + 2 : -1].split("\n")


def test_what_toy_adds(tmp_path: Path) -> None:
    lines = added(
        tmp_path,
        "[Exec]\nHostname=x \\",  # the empty line ends what it begins
        binds=["/a:/b", "/c"],
        read_only_binds=["/d", "/e:/f"],
    )
    assert lines == ["[Files]", "Bind=/a:/b", "Bind=/c", "BindReadOnly=/d", "BindReadOnly=/e:/f"]


@pytest.mark.parametrize(
    "mount",
    [
        *("Bind=/x:/a", "Bind=/x:/a/", "Bind=/x:/b/../a", r"Bind=/x\:y:/a", "Bind=/a::ro", "Bind=+/a", "Bind=-/a"),
        *("BindReadOnly=/x:/a:rbind", "BindReadOnly=/a", "TemporaryFileSystem=/a:ro", "Inaccessible=/a"),
        *("Overlay=+/x::/a", "OverlayReadOnly=/x:/y:/a"),
    ],
)
def test_the_administrators_mount_counts(tmp_path: Path, mount: str) -> None:
    lines = added(tmp_path, f"[Files]\n{mount}", binds=["/q:/a", "/b"], read_only_binds=["/a", "/r:/a", "/q:/c"])
    assert lines == ["[Files]", "Bind=/b", "BindReadOnly=/q:/c"]


@pytest.mark.parametrize("mount", ["Bind=/a:/x", "Bind=/a/b", "Bind=", "Hostname=/a", "Overlay=/a:/x"])
def test_a_mount_elsewhere_does_not(tmp_path: Path, mount: str) -> None:
    assert added(tmp_path, mount, binds=["/q:/a"]) == ["[Files]", "Bind=/q:/a"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("Environment=A=b", {"A"}),
        ("Environment=X=y\nEnvironment=A=", {"A", "X"}),
        ("Environment=X=y 'A2=b c'", {"A2", "X"}),
        ('Environment="A=b c"', {"A"}),
        ("Hostname=A=b", set()),
    ],
)
def test_the_variables_that_it_sets(tmp_path: Path, text: str, names: set[str]) -> None:
    assert read(tmp_path, text).variables == names


def test_what_it_says(tmp_path: Path) -> None:
    found = read(tmp_path, "[Exec]\nA = b=c \n#C=d\nBind=/srv/\udcff\n E=f\r\nG\n")
    assert found.names == {"A", "Bind", "E"}
    assert found.mentions("/srv/\udcff") and found.mentions("/srv")
    assert not found.mentions("/opt")


def test_the_command_line_with_another_file_in_its_place(tmp_path: Path) -> None:
    line = read(tmp_path, "").replaced("/run/x", ["nspawn", "-x"])
    script = 'mount --bind "$1" "$2" || exit 1; shift 2; exec "$@"'
    assert line == ["sh", "-c", script, "sh", "/run/x", f"{tmp_path}/file", "nspawn", "-x"]


@pytest.mark.parametrize("before", ["nothing", "a longer text", "a link"])
def test_nobody_else_reads_what_is_written(tmp_path: Path, before: str) -> None:
    path, other = tmp_path / "new", tmp_path / "other"
    other.write_text("other")
    if before == "a link":
        path.symlink_to(other)
    elif before != "nothing":
        path.write_text(before)
        path.chmod(0o644)
    settings.write(os.fspath(path), "a=\udcff\n")
    assert path.read_bytes() == b"a=\xff\n"
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert other.read_text() == "other"


def of_text(directory: Path, text: str) -> str:
    (directory / "file").write_text(text)
    own = ("/var", "/usr/lib/sysimage/rpm", "/usr/lib/sysimage/rpm-headers")
    settings = Settings(os.fspath(directory / "file"))
    return settings.extended(binds=[], read_only_binds=[], own=own, untouched=own[1:])
