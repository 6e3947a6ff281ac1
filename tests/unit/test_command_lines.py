# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines: what toy takes, and what it gives to systemd-nspawn and mount(8)."""

import pytest

from toy import options
from toy.errors import ToyError
from toy.launch import mounts, nspawn
from toy.launch.layers import Overlay

ENTER = {"verb": None, "name": None, "snapshot": None}


@pytest.mark.parametrize(
    ("words", "asked", "command"),
    [
        ("", ENTER, ""),
        ("-- true", ENTER, "true"),
        ("-- toy -- x", ENTER, "toy -- x"),
        ("-n x -- true --json", ENTER | {"name": "x"}, "true --json"),
        ("-nx", ENTER | {"name": "x"}, ""),
        ("--name=x", ENTER | {"name": "x"}, ""),
        ("--snapshot 5 -- true", ENTER | {"snapshot": "5"}, "true"),
        ("--snapshot=default", ENTER | {"snapshot": "default"}, ""),
        ("status", {"verb": "status", "machine": None, "json": False}, ""),
        ("status x --json", {"verb": "status", "machine": "x", "json": True}, ""),
        ("-n x status", {"verb": "status", "name": "x", "machine": None}, ""),
        ("diff --json x", {"verb": "diff", "machine": "x", "json": True}, ""),
        ("dump", {"verb": "dump", "root": None, "changed": False}, ""),
        ("dump --root /mnt --changed", {"verb": "dump", "root": "/mnt", "changed": True}, ""),
        ("init", {"verb": "init"}, ""),
        ("--init", {"verb": "init"}, ""),
        ("--help", {"verb": "help"}, ""),
        ("status --help", {"verb": "help"}, ""),
        ("--version", {"verb": "help", "text": ["toy 0.1"]}, ""),
    ],
)
def test_what_is_understood(words: str, asked: dict[str, object], command: str) -> None:
    found, rest = options.parse(words.split())
    assert asked.items() <= vars(found).items()
    assert rest == command.split()


@pytest.mark.parametrize(
    ("words", "what", "next_step"),
    [
        ("strace -p 1", "no verb 'strace'", "to run a command: toy -- strace -p 1"),
        ("-n x strace", "no verb 'strace'", "to run a command: toy -n x -- strace"),
        ("-x", "unrecognized arguments: -x", "see: toy --help"),
        ("status --xml", "unrecognized arguments: --xml", "see: toy --help"),
        ("status a b", "unrecognized arguments: b", "to run a command: toy -- status a b"),
        ("status -- x", "status takes no command", "see: toy --help"),
        ("--snapshot 5 diff", "diff takes no snapshot", "see: toy --help"),
        ("-n", "argument -n/--name: expected one argument", "see: toy --help"),
        ("--", "no command after --", "for a shell, just: toy"),
        ("--na x", "unrecognized arguments: --na", "see: toy --help"),
    ],
)
def test_what_is_not(words: str, what: str, next_step: str) -> None:
    with pytest.raises(ToyError) as raised:
        options.parse(words.split())
    assert (raised.value.what, raised.value.next_step) == (what, next_step)


@pytest.mark.parametrize(
    ("paths", "value"),
    [(("/a",), "/a"), (("/a", "/b"), "/a:/b"), (("/a:b", "/c\\d"), r"/a\:b:/c\\d")],
)
def test_bind(paths: tuple[str, ...], value: str) -> None:
    assert nspawn.bind(*paths) == value


ALWAYS = [
    "systemd-nspawn", "--quiet", "--machine=x", "--directory=/m", "--as-pid2", "--console=autopipe", "--register=no",
    "--keep-unit",
]  # fmt: skip
UNLESS_SET = ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]


def test_a_shell() -> None:
    assert nspawn.command_line("x", "/m", [], late_options=[]) == [*ALWAYS, "--settings=no", *UNLESS_SET]


def test_a_command_with_all_there_is() -> None:
    line = nspawn.command_line(
        "x", "/m", ["ls", "-l", "a b"],
        binds=["/a"], read_only_binds=["/b:/c"], variables=["LANG"], options=["--private-network"],
        late_options=["--restrict-address-families="],
    )  # fmt: skip
    given = ["--restrict-address-families=", "--bind=/a", "--bind-ro=/b:/c", "--setenv=LANG", "--private-network"]
    assert line[:-8] == [*ALWAYS, "--settings=no", *UNLESS_SET, *given]
    assert line[-8:-5] == ["--", "/bin/sh", "-c"]
    assert line[-4:] == ["toy", "ls", "-l", "a b"]


def test_what_the_administrator_set_is_not_set_otherwise() -> None:
    settings = ["Timezone", "RestrictAddressFamilies", "Bind"]
    late = ["--restrict-address-families="]
    line = nspawn.command_line("x", "/m", [], settings=settings, late_options=late)
    assert line == [*ALWAYS, "--resolv-conf=off", "--link-journal=no"]


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"LANG": "C", "SECRET": "x", "PATH": "/x"}, ["LANG"]),
        ({"https_proxy": "x", "LC_ALL": "C"}, ["LC_ALL", "https_proxy"]),
        ({"RPM_CONFIGDIR": "/x", "PATH": "/x"}, ["RPM_CONFIGDIR", "PATH"]),
    ],
)
def test_variables(environment: dict[str, str], names: list[str]) -> None:
    assert nspawn.passed_on(environment) == names


def overlay(point: str, number: int, lower: str = "") -> Overlay:
    stage = f"/w/{number}.merged" if point else ""
    return Overlay(point, lower=[lower or point or "/"], upper=f"/u{point}", work=f"/w/{number}", stage=stage)


def table(*overlays: Overlay, private: tuple[str, ...] = ()) -> list[str]:
    """Return what mount(8) is given, without what is the same for all."""
    _, text = mounts.in_own_namespaces(
        ["x"], list(overlays), source="toy:1:2", merged="/m", table="/t", run="/r", private=list(private), limits=None
    )
    safe = ",redirect_dir=off,metacopy=off,index=off,xino=off"
    lines = [line.replace(safe, "") for line in text.splitlines()]
    assert lines.count("tmpfs /m/run tmpfs mode=0755,nosuid,nodev,strictatime,size=20%,nr_inodes=800k") == 1
    return [line for line in lines if not line.startswith("tmpfs /m/run ")]


def test_one_overlay() -> None:
    assert table(overlay("", 0)) == ["toy:1:2 /m overlay lowerdir=/,upperdir=/u,workdir=/w/0"]


def test_the_innermost_is_mounted_first_and_bound_last() -> None:
    assert table(overlay("", 0), overlay("/usr/local", 1), overlay("/usr/local/x", 2)) == [
        "toy:1:2 /w/2.merged overlay lowerdir=/usr/local/x,upperdir=/u/usr/local/x,workdir=/w/2",
        "toy:1:2 /w/1.merged overlay lowerdir=/usr/local,upperdir=/u/usr/local,workdir=/w/1",
        "toy:1:2 /m overlay lowerdir=/,upperdir=/u,workdir=/w/0",
        "/w/1.merged /m/usr/local none bind",
        "/w/2.merged /m/usr/local/x none bind",
    ]


@pytest.mark.parametrize("lower", ["/boot/efi", f"/{'x' * 4095}"])
def test_what_the_kernel_does_not_take_is_read_only(lower: str) -> None:
    impossible = overlay("/boot/efi", 1, lower)
    impossible.is_possible = lower != "/boot/efi"
    assert table(overlay("", 0), impossible)[-1] == f"{lower} /m/boot/efi none bind,ro"


def test_odd_paths() -> None:
    (line,) = table(overlay("", 0, "/a b:c,d\\e"))
    assert line == r"toy:1:2 /m overlay lowerdir=/a\040b\134:c\134,d\134\134e,upperdir=/u,workdir=/w/0"


def test_what_is_private() -> None:
    assert table(overlay("", 0), private=("/tmp",))[-1] == "private /tmp tmpfs mode=0700"
