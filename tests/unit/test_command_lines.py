# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines: what toy takes, and what it gives to systemd-nspawn and mount(8)."""

import subprocess
from pathlib import Path

import pytest

from toy import options
from toy.errors import ToyError
from toy.launch import mounts, nspawn
from toy.launch.layers import Overlay
from toy.launch.limits import Limits
from toy.machine import Machine
from toy.sessions import environment

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
        ("list", {"verb": "list", "json": False}, ""),
        ("list --json", {"verb": "list", "name": None, "json": True}, ""),
        ("dump", {"verb": "dump", "root": None, "changed": False}, ""),
        ("dump --root /mnt --changed", {"verb": "dump", "root": "/mnt", "changed": True}, ""),
        ("init", {"verb": "init"}, ""),
        ("--init", {"verb": "init", "root": None, "changed": False}, ""),
        ("--help", {"verb": "help", "name": None}, ""),
        ("-h", {"verb": "help"}, ""),
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
        ("strace -p 1", "'strace' is no verb of toy", "to run a command: toy -- strace -p 1"),
        ("-n x strace", "'strace' is no verb of toy", "to run a command: toy -n x -- strace"),
        ("-nx strace", "'strace' is no verb of toy", "to run a command: toy -nx -- strace"),
        ("--name=x strace -n", "'strace' is no verb of toy", "to run a command: toy --name=x -- strace -n"),
        ("-n x --snapshot 5 ls", "'ls' is no verb of toy", "to run a command: toy -n x --snapshot 5 -- ls"),
        ("--snapshot=5 --init ls", "'ls' is no verb of toy", "to run a command: toy --snapshot=5 --init -- ls"),
        ("status a b --xml", "unrecognized arguments: b --xml", "see: toy --help"),
        ("status --js", "unrecognized arguments: --js", "see: toy --help"),
        ("diff --js", "unrecognized arguments: --js", "see: toy --help"),
        ("dump --change", "unrecognized arguments: --change", "see: toy --help"),
        ("dump --root", "argument --root: expected one argument", "see: toy dump --help"),
        ("init --root", "argument --root: expected one argument", "see: toy init --help"),
        ("status --json=x", "argument --json: ignored explicit argument 'x'", "see: toy status --help"),
        ("--init -- x", "toy init does not take a command", "see: toy --help"),
        ("--init status", "--init and status do not go together", "see: toy --help"),
        ("--snapshot 5 --init", "toy init does not take --snapshot", "see: toy --help"),
        ("-x", "unrecognized arguments: -x", "see: toy --help"),
        ("status --xml", "unrecognized arguments: --xml", "see: toy --help"),
        ("status a b", "unrecognized arguments: b", "to run a command: toy -- status a b"),
        ("status -- x", "toy status does not take a command", "see: toy --help"),
        ("--snapshot 5 diff", "toy diff does not take --snapshot", "see: toy --help"),
        ("list a", "unrecognized arguments: a", "to run a command: toy -- list a"),
        ("-n x list", "toy list is about all machines", "to see them: toy list"),
        ("--snapshot 5 list", "toy list does not take --snapshot", "see: toy --help"),
        ("-n", "argument -n/--name: expected one argument", "see: toy --help"),
        ("--", "no command after --", "for a shell, just: toy"),
        ("--na x", "unrecognized arguments: --na", "see: toy --help"),
    ],
)
def test_what_is_not(words: str, what: str, next_step: str) -> None:
    with pytest.raises(ToyError) as raised:
        options.parse(words.split())
    assert (raised.value.what, raised.value.next_step) == (what, next_step)


def test_help_begins_with_all_that_can_be_typed() -> None:
    found, _ = options.parse(["--help"])
    assert found.text[:4] == [
        "usage: toy [-n NAME] [--host] [--user] [--snapshot N|default] [-- COMMAND ARG...]",
        "       toy status|diff [NAME] [--json]",
        "       toy list [--json]",
        "       toy dump [--root DIR]",
    ]


@pytest.mark.parametrize("verb", ["status", "diff", "list", "dump", "init"])
def test_a_verb_has_a_help_of_its_own(verb: str) -> None:
    found, _ = options.parse([verb, "-h"])
    assert found.text[0].startswith(f"usage: toy {verb} [-h]")


@pytest.mark.parametrize(
    ("paths", "value"),
    [(("/a",), "/a"), (("/a", "/b"), "/a:/b"), (("/a:b", "/c\\d"), r"/a\:b:/c\\d")],
)
def test_bind(paths: tuple[str, ...], value: str) -> None:
    assert nspawn.bind(*paths) == value


ALWAYS = [
    "systemd-nspawn", "--quiet", "--machine=x", "--directory=/m", "--as-pid2", "--console=pipe", "--register=no",
    "--keep-unit",
]  # fmt: skip
UNLESS_SET = ["--resolv-conf=off", "--timezone=off", "--link-journal=no"]
WAITING = ["--", "/bin/sh", "-c", "trap '' HUP INT QUIT TERM USR1 USR2; echo up; read -r _"]
"""What runs in a machine while commands are in it."""


def test_a_machine_that_waits_for_commands() -> None:
    line = nspawn.command_line("x", "/m", None, late_options=[])
    assert line == [*ALWAYS, "--settings=no", *UNLESS_SET, *WAITING]


def test_what_waits_says_so_and_ends_with_its_stdin() -> None:
    waits = subprocess.run(WAITING[1:], input="", capture_output=True, text=True, check=False)
    assert (waits.stdout, waits.stderr) == ("up\n", "")


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


def test_with_settings_nothing_else_is_left_out() -> None:
    late = ["--restrict-address-families="]
    line = nspawn.command_line("x", "/m", None, settings=[], late_options=late)
    assert line == [*ALWAYS, *UNLESS_SET, *late, *WAITING]


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ("ResolvConf", "--resolv-conf=off"),
        ("Timezone", "--timezone=off"),
        ("LinkJournal", "--link-journal=no"),
        ("RestrictAddressFamilies", "--restrict-address-families="),
    ],
)
def test_each_setting_counts_for_its_option(setting: str, option: str) -> None:
    late = ["--restrict-address-families="]
    line = nspawn.command_line("x", "/m", None, settings=[setting], late_options=late)
    assert line == [each for each in (*ALWAYS, *UNLESS_SET, *late, *WAITING) if each != option]


@pytest.mark.parametrize(
    ("settings", "options"), [(None, ["--hostname=h"]), ([], ["--hostname=h"]), (["Hostname"], [])]
)
def test_the_hosts_name_is_the_machines_unless_the_administrator_says_otherwise(
    settings: list[str] | None, options: list[str]
) -> None:
    line = nspawn.command_line("x", "/m", [], hostname="h", settings=settings, late_options=[])
    assert [each for each in line if each.startswith("--hostname=")] == options


def test_nspawn_neither_locks_nor_asks_for_colours() -> None:
    assert nspawn.ENVIRONMENT == {"SYSTEMD_NSPAWN_LOCK": "0", "SYSTEMD_COLORS": "0"}


@pytest.mark.parametrize(
    ("command", "status"),
    [(["true"], 0), (["false"], 1), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM $$"], 143), (["exit"], 127)],
)
def test_the_wrapper_passes_on_the_status(command: list[str], status: int) -> None:
    line = nspawn.command_line("x", "/m", command, late_options=[])
    wrapper = line[line.index("--") + 1 :]
    done = subprocess.run(wrapper, env={"PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == status


def test_what_the_administrator_set_is_not_set_otherwise() -> None:
    settings = ["Timezone", "RestrictAddressFamilies", "Bind"]
    late = ["--restrict-address-families="]
    line = nspawn.command_line("x", "/m", None, settings=settings, late_options=late)
    assert line == [*ALWAYS, "--resolv-conf=off", "--link-journal=no", *WAITING]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"LANG": "C", "SECRET": "x", "PATH": "/x"}, {"LANG"}),
        ({"https_proxy": "x", "HTTPS_PROXY": "x", "LC_ALL": "C"}, {"LC_ALL", "https_proxy", "HTTPS_PROXY"}),
        ({"RPM_CONFIGDIR": "/x", "PATH": "/x"}, {"RPM_CONFIGDIR", "PATH"}),
        ({"LD_LIBRARY_PATH": "/x", "PYTHONPATH": "/x", "PATH": "/x"}, {"LD_LIBRARY_PATH", "PYTHONPATH"}),
        (
            dict.fromkeys(["no_proxy", "ftp_proxy", "http_proxy", "LC_MESSAGES", "LC_CTYPE", "HOME", "TERM"], "x"),
            {"LC_CTYPE", "LC_MESSAGES", "http_proxy", "ftp_proxy", "no_proxy", "TERM"},
        ),
        (
            dict.fromkeys(["COLORTERM", "NO_COLOR", "EDITOR", "VISUAL", "PAGER", "TZ", "DISPLAY", "USER"], "x"),
            {"COLORTERM", "NO_COLOR", "EDITOR", "VISUAL", "PAGER", "TZ", "DISPLAY"},
        ),
    ],
)
def test_variables(given: dict[str, str], names: set[str]) -> None:
    assert environment.of_caller(given) == {name: given[name] for name in names}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"SSH_AUTH_SOCK": "/tmp/agent", "XAUTHORITY": "/x"}, {"SSH_AUTH_SOCK": "/tmp/agent", "XAUTHORITY": "/x"}),
        ({"SSH_AUTH_SOCK": "agent"}, {}),
        ({"WAYLAND_DISPLAY": "w", "XDG_RUNTIME_DIR": "/run/user/5"}, {"WAYLAND_DISPLAY": "/run/user/5/w"}),
        ({"WAYLAND_DISPLAY": "/run/w", "XDG_RUNTIME_DIR": "/run/user/5"}, {"WAYLAND_DISPLAY": "/run/w"}),
        ({"WAYLAND_DISPLAY": "w"}, {}),
        ({"WAYLAND_DISPLAY": "", "XDG_RUNTIME_DIR": "/run/user/5"}, {}),
    ],
)
def test_variables_with_a_path_of_the_hosts(given: dict[str, str], found: dict[str, str]) -> None:
    assert environment.of_caller(given) == {name: f"/run/host{path}" for name, path in found.items()}


def overlay(point: str, number: int, lower: str = "") -> Overlay:
    stage = f"/w/{number}.merged" if point else ""
    return Overlay(point, lower=[lower or point or "/"], upper=f"/u{point}", work=f"/w/{number}", stage=stage)


def table(*overlays: Overlay, private: tuple[str, ...] = ()) -> list[str]:
    """Return what mount(8) is given, without what is the same for all."""
    _, text = mounts.in_own_namespaces(
        ["x"], list(overlays), source="toy:1:2", merged="/m", table="/t", run="/r", private=list(private), limits=None
    )
    lines = [line.replace(SAFE, "") for line in text.splitlines()]
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


SAFE = ",redirect_dir=off,metacopy=off,index=off,xino=off"
SHORT = len(f"lowerdir=,upperdir=/u/boot/efi,workdir=/w/1{SAFE}")


def test_what_it_just_takes_is_mounted() -> None:
    lower = f"/{'x' * (4095 - SHORT - 1)}"
    assert table(overlay("", 0), overlay("/boot/efi", 1, lower))[-1] == "/w/1.merged /m/boot/efi none bind"


@pytest.mark.parametrize("lower", ["/boot/efi", f"/{'x' * (4096 - SHORT - 1)}", f"/{'é' * ((4096 - SHORT) // 2)}"])
def test_what_the_kernel_does_not_take_is_read_only(lower: str) -> None:
    impossible = overlay("/boot/efi", 1, lower)
    impossible.is_possible = lower != "/boot/efi"
    found = table(overlay("", 0), impossible)
    assert found == [*table(overlay("", 0)), f"{lower} /m/boot/efi none bind,ro"]


def test_odd_paths() -> None:
    (line,) = table(overlay("", 0, "/a b:c,d\\e"))
    assert line == r"toy:1:2 /m overlay lowerdir=/a\040b\134:c\134,d\134\134e,upperdir=/u,workdir=/w/0"


def test_several_layers() -> None:
    layered = overlay("/srv", 1)
    layered.lower = ["/one:1", "/two", "/srv"]
    first, *_ = table(overlay("", 0), layered)
    assert first == r"toy:1:2 /w/1.merged overlay lowerdir=/one\134:1:/two:/srv,upperdir=/u/srv,workdir=/w/1"


def test_what_is_private() -> None:
    assert table(overlay("", 0), private=("/tmp",))[-1] == "private /tmp tmpfs mode=0700"


def words(*overlays: Overlay, limits: Limits | None) -> list[str]:
    """Return what follows the script on the command line."""
    line, text = mounts.in_own_namespaces(
        ["ls", "-l"], list(overlays), source="s", merged="/m", table="/t", run="/r", private=[], limits=limits
    )
    assert text.endswith("\n")
    assert line[:13] == [
        *("setpriv", "--pdeathsig", "KILL"),
        *(
            "unshare",
            "--mount",
            "--propagation",
            "slave",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
        ),
    ]
    assert line[14:18] == ["sh", "/t", "/m", "/r"]
    return line[18:]


def test_nothing_to_say() -> None:
    assert words(overlay("", 0), limits=None) == ["", "", "", "", "--", "ls", "-l"]


def test_what_is_said_and_recorded_of_each_mount(tmp_path: Path) -> None:
    machine = Machine("m")
    machine.limits = f"{tmp_path}/limits"
    (tmp_path / "limits").write_text(" read-only:/opt\n")
    impossible = overlay("/boot/a b", 2)
    impossible.is_possible = False
    layered = overlay("/usr/x y", 1)
    layered.lower = ["/layer/usr/x y", "/usr/x y"]
    found = words(overlay("", 0), layered, impossible, overlay("/srv", 3), limits=Limits(machine, hidden=["/etc/h"]))
    assert found == [
        *("m", machine.limits, " read-only:/opt", " missing:/etc/h"),
        *("/w/1.merged", "/m/usr/x y", "/usr/x y", r"/usr/x\040y"),
        *("", "/m/boot/a b", "/boot/a b", r"/boot/a\040b"),
        *("/w/3.merged", "/m/srv", "/srv", "/srv"),
        *("--", "ls", "-l"),
    ]


def test_several_that_are_private() -> None:
    private = table(overlay("", 0), private=("/a b", "/c"))[-2:]
    assert private == [r"private /a\040b tmpfs mode=0700", "private /c tmpfs mode=0700"]
