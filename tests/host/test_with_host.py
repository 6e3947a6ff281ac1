# SPDX-License-Identifier: GPL-2.0-or-later
"""`toy --host`: tools that debug the host, and what of it shows.

What this machine's kernel could not show: hardware counters of perf (there are none in a virtual machine), and a
running systemd to ask over D-Bus; a socket of a program of the host's stands for its sockets.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest
from host import Host
from image import HELLO, RPMS
from overlay import start, toy
from packages import Package, build
from terminal import PROMPT, shell
from truth import OVERLAY, packages

WITH = ("toy", "--host", "--")

VICTIM = (
    "import signal, socket; signal.signal(63, signal.SIG_IGN); s = socket.socket(); s.bind(('127.0.0.1', 0));"
    " s.listen(); print(s.getsockname()[1], flush=True); signal.pause()"
)


@contextlib.contextmanager
def running(host: Host, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """A program of the host's, until the end of the context."""
    with subprocess.Popen(
        host.command(*command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        try:
            yield program
        finally:
            program.kill()


@pytest.fixture
def victim(host: Host) -> Iterator["subprocess.Popen[str]"]:
    """A process of the host's, which listens at the port that is its first line."""
    with running(host, "/usr/bin/python3", "-c", VICTIM) as process:
        yield process


TRACERS = {
    "strace": ("timeout 1 strace -f -p {pid} 2>&1 || :", "strace: Process {pid} attached"),
    "gdb": ("gdb -p {pid} -batch -ex bt 2>&1", r"[Inferior 1 (process {pid}) detached]"),
    "lsof": ("lsof -p {pid}", "(LISTEN)"),
    "ss": ("ss -tlnp", "pid={pid},"),
    "perf": ("perf stat -e task-clock -p {pid} sleep 0.1 2>&1", "Performance counter stats for process id '{pid}'"),
    "bpftrace": (  # a signal that nobody else sends: the kernel has other PIDs, if these tests are in a PID namespace
        'bpftrace -e \'tracepoint:signal:signal_generate /args->sig == 63/ {{ printf("sent %d\\n", args->sig);'
        ' exit(); }} interval:hz:20 {{ system("kill -63 {pid}"); }}\' --unsafe',
        "sent 63",
    ),
    "cat": ("tr '\\0' ' ' </proc/{pid}/cmdline", "signal.pause()"),
    "kill": ("kill -0 {pid} && echo there", "there"),
}


@pytest.mark.parametrize("tool", TRACERS)
def test_tools_see_a_process_of_the_host(host: Host, victim: "subprocess.Popen[str]", tool: str) -> None:
    assert victim.stdout is not None
    victim.stdout.readline()
    command, said = TRACERS[tool]
    done = host.run(*WITH, "sh", "-c", command.format(pid=victim.pid), check=False)
    assert said.format(pid=victim.pid) in done.stdout, done
    assert victim.poll() is None


def test_packets(host: Host) -> None:
    # In a network namespace of its own.
    script = """
    ip link set lo up
    toy --host -- timeout 20 tcpdump -c 1 -n -i lo udp 2>/tmp/said >/tmp/seen &
    until grep -q 'listening on lo' /tmp/said; do
        kill -0 $! || exit 1
    done
    until [ -s /tmp/seen ]; do
        /usr/bin/python3 -c 'from socket import *; socket(type=SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))'
    done
    wait
    """
    host.sh("id tcpdump 2>/dev/null || useradd --system tcpdump")
    host.run("unshare", "--net", "sh", "-ec", script)
    assert "> 127.0.0.1.9: UDP" in host.sh("cat /tmp/seen")


@pytest.mark.everywhere
def test_the_kernel(host: Host) -> None:
    assert toy(host, "dmesg").returncode == 1
    assert host.run(*WITH, "dmesg").stdout != ""
    before = host.run("sysctl", "-n", "kernel.panic").stdout.strip()
    host.run(*WITH, "sysctl", "-w", "kernel.panic=77")
    try:
        assert host.run("sysctl", "-n", "kernel.panic").stdout == "77\n"
        assert toy(host, "sysctl", "-w", "kernel.panic=78").returncode != 0
    finally:
        host.run(*WITH, "sysctl", "-w", f"kernel.panic={before}")
    assert host.run("sysctl", "-n", "kernel.panic").stdout.strip() == before


def test_settings_that_limit_a_machine_do_not_limit_who_debugs_the_host(host: Host) -> None:
    host.write("/etc/systemd/nspawn/toy.nspawn", "[Exec]\nSystemCallFilter=~mknod mknodat\nCPUAffinity=0\n")
    show = "mkfifo /srv/x && sed -n 's/Seccomp:\\s*//p' /proc/self/status && nproc"
    assert host.run(*WITH, "sh", "-c", show).stdout == f"0\n{os.cpu_count()}\n"


def test_file_systems_for_tracing(host: Host) -> None:
    shown = host.run(*WITH, "sh", "-c", "ls /sys/kernel/tracing /sys/kernel/debug /sys/fs/bpf").stdout
    assert {"available_events", "x86"} & set(shown.split())
    mounted = host.run(*WITH, "findmnt", "-rno", "FSTYPE", "/sys/fs/bpf").stdout
    assert mounted.split()[-1] == "bpf"
    assert "tracefs" not in toy(host, "cat", "/proc/self/mounts").stdout.replace("/run/host", "")


@pytest.mark.everywhere
def test_capabilities(host: Host) -> None:
    show = ("sed", "-n", "s/CapEff:\\s*//p", "/proc/self/status")
    assert host.run(*WITH, *show).stdout == host.run(*show).stdout
    assert toy(host, *show).stdout != host.run(*show).stdout


def test_the_journal(host: Host) -> None:
    host.sh("mkdir -p /run/systemd/journal /run/log/journal")
    with running(host, "/lib/systemd/systemd-journald"):
        script = """
        until journalctl -t toy-test | grep -q 'from the host'; do
            logger --socket /run/systemd/journal/dev-log --tag toy-test 'from the host' 2>/dev/null
        done
        """
        host.run("timeout", "20", "sh", "-c", script)
        assert "from the host" in host.run(*WITH, "journalctl", "-t", "toy-test").stdout


@pytest.mark.parametrize("directory", ["/var/log/journal", "/var/log/audit", "/var/lib/systemd/coredump"])
def test_what_was_recorded_on_the_host(host: Host, directory: str) -> None:
    toy(host, "true")
    host.sh(f"mkdir -p {directory}; echo of the host > {directory}/record")
    done = host.run(*WITH, "sh", "-c", f"cat {directory}/record; echo x > {directory}/record", check=False)
    assert done.stdout == "of the host\n"
    assert "Read-only file system" in done.stderr


LISTEN = (
    "from socket import *; s = socket(AF_UNIX); s.bind('/run/service/socket'); s.listen(); print('up', flush=True);"
)
LISTEN += " s.accept()[0].sendall(b'answer')"
ASK = "from socket import *; s = socket(AF_UNIX); s.connect('/run/service/socket'); print(s.recv(9).decode())"


def test_sockets_of_the_host_can_be_connected_to_and_nothing_is_left_in_its_run(host: Host) -> None:
    toy(host, "true")
    host.sh("mkdir /run/service; echo 1 > /run/service.pid; ln -s service /run/link")
    with running(host, "/usr/bin/python3", "-c", LISTEN) as service:
        assert service.stdout is not None
        service.stdout.readline()
        before = host.sh("find /run -path /run/toy -prune -o -path /run/systemd/nspawn -prune -o -print")
        script = f'/usr/bin/python3 -c "{ASK}"; cat /run/link/../service.pid; echo x > /run/new; echo x > /run/lock/new'
        done = host.run(*WITH, "sh", "-c", f"{script}; echo x > /run/service/new", check=False)
    assert done.stdout == "answer\n1\n"
    assert "/run/service/new: Read-only file system" in done.stderr
    assert host.sh("find /run -path /run/toy -prune -o -path /run/systemd/nspawn -prune -o -print") == before


def test_odd_things_in_run(host: Host) -> None:
    toy(host, "true")
    host.sh("""
    mkfifo /run/fifo; ln -s nowhere /run/dangling; mkdir '/run/a b'; : > "$(printf '/run/n\nl')"
    mkdir /run/unbindable; mount -t tmpfs x /run/unbindable; mount --make-unbindable /run/unbindable
    """)
    shown = host.run(*WITH, "ls", "-b", "/run").stdout.splitlines()
    assert {"fifo", "dangling", "a\\ b", "n\\nl"} <= {*shown}
    assert "unbindable" not in shown


def test_links_of_the_machine_do_not_lead_to_the_host(host: Host) -> None:
    toy(host, "sh", "-c", "rm -rf /var/log; ln -s /run/host/srv /var/log")
    host.sh("mkdir -p /var/log/journal; ls /srv > /root/before")
    host.run(*WITH, "true", check=False)
    assert host.sh("ls /srv | diff /root/before -") == ""


def test_the_root_of_the_host(host: Host) -> None:
    host.sh("echo of the host > /srv/file; mkdir /srv/below; mount -t tmpfs tmpfs /srv/below; echo y > /srv/below/y")
    toy(host, "sh", "-c", "echo of the machine > /srv/file")
    show = ("sh", "-c", "cat /srv/file /run/host/srv/file /run/host/srv/below/y; echo new > /run/host/srv/new")
    said = "of the machine\nof the host\ny\n"
    done = toy(host, *show)
    assert (done.stdout, done.returncode) == (said, 2)
    assert "Read-only file system" in done.stderr
    assert host.run(*WITH, *show).stdout == said
    assert host.sh("cat /srv/new") == "new\n"


def test_what_the_host_mounts_later_shows_and_is_not_held(host: Host) -> None:
    host.sh(
        "mkdir /srv/shared; mount -t tmpfs tmpfs /srv/shared; mount --make-shared /srv/shared; mkdir /srv/shared/later"
    )
    script = "echo waiting; read line; cat /run/host/srv/shared/later/file; read line; ls /run/host/srv/shared/later"
    line = host.command(*OVERLAY, "sh", "-c", script)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as inside:
        assert inside.stdin is not None
        assert inside.stdout is not None
        inside.stdout.readline()
        host.sh("mount -t tmpfs tmpfs /srv/shared/later; echo later > /srv/shared/later/file")
        print(file=inside.stdin, flush=True)
        assert inside.stdout.readline() == "later\n"
        host.sh("umount /srv/shared/later")
        print(file=inside.stdin, flush=True)
        assert inside.stdout.read() == ""


MEAN = Package(
    "mean",
    files={"/usr/share/mean": "x"},
    scripts="""
    %post
    pkill -9 -f signal.pause
    ps -e | wc -l > /var/lib/seen
    """,
)


@pytest.mark.parametrize(
    "install",
    ["rpm --install --nosignature", "/usr/bin/rpm -i --nosignature", "zypper -n install --allow-unsigned-rpm"],
)
def test_scripts_of_packages_do_not_signal_the_host(host: Host, victim: "subprocess.Popen[str]", install: str) -> None:
    build(host, [MEAN, HELLO], RPMS)
    host.sh(f"cp {RPMS}/{MEAN.file} /root")
    install = install.replace("rpm", " ".join(host.rpm)) if install.startswith("rpm") else install
    done = host.run(*WITH, "sh", "-c", f"cd /root && {install} ./{MEAN.file}", check=False)
    assert done.returncode == 0 or "/usr/bin/rpm" in install, done  # Debian's wants an option
    if done.returncode == 0:
        assert "mean-1" in packages(host, *OVERLAY)
        assert int(toy(host, "cat", "/var/lib/seen").stdout) < 20
    assert victim.poll() is None


def test_with_and_without_at_once(host: Host) -> None:
    process = start(host, *OVERLAY, "sh", "-c", "echo waiting; echo x > /srv/x; read line; sleep 1000")
    assert int(host.run(*WITH, "sh", "-c", "ps -e | wc -l").stdout) > int(toy(host, "sh", "-c", "ps -e | wc -l").stdout)
    process.kill()
    process.communicate()


def test_a_terminal_of_the_hosts(host: Host) -> None:
    terminal = shell(host)
    terminal.type("toy --host -- env 'PS1=$ ' bash --norc -i\n")
    terminal.expect(PROMPT)
    assert terminal.run("stty size; ls -l $(tty) | cut -c1") == ["24 80", "c"]
    terminal.type("sh -c 'echo wait\"\"ing; exec sleep 1000'\n")
    terminal.expect("waiting")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.expect(PROMPT)
    terminal.run("kill -KILL %1; wait")
    terminal.type("sh -c 'echo wait\"\"ing; exec sleep 1000'\n")
    terminal.expect("waiting\r\n")
    terminal.type("\x03")
    terminal.expect(PROMPT)
    assert terminal.run("echo $?") == ["130"]
    terminal.type("exit 7\n")
    terminal.expect(PROMPT)
    assert terminal.run("echo $?") == ["7"]


def test_a_command_that_is_not_there(host: Host) -> None:
    done = host.run(*WITH, "nosuch", check=False)
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "toy: nosuch: command not found; find its package: cnf nosuch\n"


SETTINGS = """[Exec]
NoNewPrivileges=yes
SystemCallFilter=~mknod mknodat
CPUAffinity=0
Environment=OF_ADMIN=yes
DropCapability=CAP_SYS_PTRACE
[Network]
Private=yes
"""


def test_settings_of_the_administrator_do_not_limit_it(host: Host) -> None:
    host.write("/etc/systemd/nspawn/toy.nspawn", SETTINGS)
    script = 'mknod /srv/fifo p && echo made; echo $OF_ADMIN; grep -E "^(NoNewPrivs|CapEff|Seccomp):" /proc/self/status'
    shown = host.run(*WITH, "sh", "-c", f"{script}; readlink /proc/self/ns/net").stdout
    status = host.sh('grep -E "^(NoNewPrivs|CapEff|Seccomp):" /proc/self/status; readlink /proc/self/ns/net')
    assert shown == f"made\nyes\n{status}"
