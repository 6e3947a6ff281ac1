# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command in a machine has of its caller's surroundings: directory, variables, sockets, limits, names."""

import re

import pytest
from host import Host
from overlay import start, toy

PASSED_ON = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "NO_COLOR": "1",
    "TZ": "Asia/Tokyo",
    "EDITOR": "vi",
    "VISUAL": "vim",
    "PAGER": "less -R",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    **{f"{name}_proxy": f"http://{name}" for name in ("all", "ftp", "http", "https", "no")},
    **{f"{name.upper()}_PROXY": f"HTTP://{name}" for name in ("all", "ftp", "http", "https", "no")},
}


@pytest.mark.parametrize("variable", PASSED_ON)
def test_variables_that_are_passed_on(host: Host, variable: str) -> None:
    assert toy(host, "printenv", variable, env={variable: PASSED_ON[variable]}).stdout == f"{PASSED_ON[variable]}\n"


def test_no_other_is(host: Host) -> None:
    assert toy(host, "printenv", "SECRET", env={"SECRET": "x"}).returncode == 1


def test_nobody_sees_their_values(host: Host) -> None:
    host.run("mkfifo", "/root/go")
    process = start(host, "env", "https_proxy=http://secret", "toy", "--", "sh", "-c", "echo waiting; cat /root/go")
    lines = host.sh('for each in /proc/[0-9]*; do tr "\\000" " " <$each/cmdline || :; echo; done 2>/dev/null')
    host.sh("echo > /root/go")
    process.communicate()
    assert "systemd-nspawn" in lines
    assert [line for line in lines.splitlines() if "secret" in line and not line.startswith("env ")] == []


@pytest.mark.parametrize(
    ("directory", "found"),
    [("/usr/share", "/usr/share"), ("/root", "/root"), ("/", "/"), ("/tmp/only-here", "/root"), ("/srv/gone", "/root")],
)
def test_the_directory_is_kept_where_the_machine_has_it(host: Host, directory: str, found: str) -> None:
    host.run("mkdir", "-p", directory)
    remove = f"rmdir {directory};" if "gone" in directory else ""
    assert host.sh(f"cd {directory}; {remove} toy -- pwd") == f"{found}\n"


def test_the_limit_on_open_files_is_the_callers(host: Host) -> None:
    assert host.sh("ulimit -n 321; toy -- sh -c 'ulimit -n'") == "321\n"


def test_the_hosts_name_is_the_machines(host: Host) -> None:
    host.sh("echo 127.0.0.1 $(hostname) >> /etc/hosts")
    assert toy(host, "hostname").stdout == host.run("hostname").stdout
    assert toy(host, "sh", "-c", "getent hosts $(hostname)").returncode == 0
    assert toy(host, "sudo", "-n", "true").stderr == ""
    assert toy(host, "printenv", "TOY").stdout == "toy\n"
    assert toy(host, "sh", "-c", "true").returncode == 0
    assert host.run("toy", "-n", "other", "--", "printenv", "TOY").stdout == "other\n"


def test_an_ssh_agent(host: Host) -> None:
    script = """
    eval $(ssh-agent) >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT
    ssh-keygen -q -t ed25519 -N '' -f /root/key; ssh-add -q /root/key
    toy -- ssh-add -l
    """
    assert re.match("256 SHA256:", host.sh(script))


DISPLAYS = """
import os, socket, sys
sockets = [socket.socket(socket.AF_UNIX) for _ in sys.argv[1:]]
for each, path in zip(sockets, sys.argv[1:]):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    each.bind(path)
    each.listen()
print("waiting", flush=True)
for each in sockets:
    each.accept()[0].sendall(b"hello")
"""
ASK = """
import os, socket
display = os.environ["WAYLAND_DISPLAY"]
for path in (f"/tmp/.X11-unix/X{os.environ['DISPLAY'][1:]}", display):
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        print(server.recv(5).decode())
"""


@pytest.mark.parametrize("display", ["wayland-7", "/run/user/0/wayland-7"])
def test_displays(host: Host, display: str) -> None:
    paths = ("/tmp/.X11-unix/X7", "/run/user/0/wayland-7")
    servers = start(host, "/usr/bin/python3", "-c", DISPLAYS, *paths)
    env = {"DISPLAY": ":7", "WAYLAND_DISPLAY": display, "XDG_RUNTIME_DIR": "/run/user/0"}
    assert toy(host, "/usr/bin/python3", "-c", ASK, env=env).stdout == "hello\nhello\n"
    servers.communicate()


def replace_resolver(host: Host) -> None:
    host.sh("echo nameserver 192.0.2.2 > /etc/resolv.conf.new; mv /etc/resolv.conf.new /etc/resolv.conf")


@pytest.mark.everywhere
def test_name_resolution_follows_the_host(host: Host) -> None:
    host.sh("rm -f /etc/resolv.conf; echo nameserver 192.0.2.1 > /etc/resolv.conf; mkfifo /root/go")
    process = start(host, "toy", "--", "sh", "-c", "cat /etc/resolv.conf >/dev/null; echo waiting; cat /root/go")
    replace_resolver(host)
    # Whoever joins later sees what the first one sees; how long the machine takes to follow is not said.
    host.sh("until toy -- grep -q 192.0.2.2 /etc/resolv.conf; do :; done")
    host.sh("echo > /root/go")
    assert process.communicate() == (b"\n", b"")
    assert host.run("toy", "diff").stdout.count("resolv.conf") == 0


def test_a_resolver_of_the_machines_own_stays(host: Host) -> None:
    toy(host, "sh", "-c", "rm -f /etc/resolv.conf; echo nameserver 192.0.2.9 > /etc/resolv.conf")
    host.run("mkfifo", "/root/go")
    process = start(host, "toy", "--", "sh", "-c", "echo waiting; cat /root/go")
    replace_resolver(host)
    assert toy(host, "cat", "/etc/resolv.conf").stdout == "nameserver 192.0.2.9\n"
    host.sh("echo > /root/go")
    process.communicate()
