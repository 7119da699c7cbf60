# SPDX-License-Identifier: Apache-2.0
"""Sshd: OpenSSH's own server on the loopback interface, with what is behind it made for a test.

What the board has is what stands in its folder bin/: its PATH. ssh and scp are the system's, but
for a configuration file of their own: nothing of the user's is read or written.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from hwbnn.deploy.remote import Remote
from hwbnn.deploy.ssh import Login

SERVER = Path("/usr/sbin/sshd")
SFTP = Path("/usr/lib/openssh/sftp-server")
SEPARATION = Path("/run/sshd")  # which Debian makes at boot
PROGRAMS = ("sh", "bash", "rm", "id", "env", "dd", "mv", "sleep")
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
Subsystem sftp {folder}/sftp
ForceCommand {folder}/enter
SetEnv SHLVL=2
"""  # SHLVL: Debian's bash reads ~/.bashrc for sshd, but not in an inner shell
ENTER = """\
export SESSION=$PPID HOME={folder}/home PATH={folder}/bin PYTHONPATH={folder}/modules
cd {folder}/home
exec sh -c "$SSH_ORIGINAL_COMMAND"
"""  # whatever the user's own shell has set up
CLIENT = """\
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
IdentityFile {folder}/user
IdentitiesOnly yes
"""


@dataclass
class Sshd:
    """A running server. disk: where packages go."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    disk: Path

    @property
    def remote(self) -> Remote:
        return Remote(self.login(), str(self.disk))

    def login(self, **changes) -> Login:
        given = {"host": "127.0.0.1", "user": getuser(), "port": self.port}
        return Login(**(given | changes))

    @property
    def options(self) -> tuple[str, ...]:
        """Of the command line."""
        return ("--port", str(self.port), "--folder", str(self.disk))

    def program(self, name: str, text: str) -> None:
        """Put a shell script into the board's PATH."""
        script(self.folder / "bin" / name, text)

    def sftp(self, text: str) -> None:
        """Put a shell script in place of the server's side of scp."""
        script(self.folder / "sftp", text)

    def module(self, name: str, text: str) -> None:
        """Put a module where the board's Python finds it."""
        (self.folder / "modules" / f"{name}.py").write_text(text)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def why_not() -> str | None:
    """Return why there is no server here."""
    missing = [
        name
        for name in (str(SERVER), str(SFTP), "ssh", "scp", "ssh-keygen")
        if shutil.which(name) is None
    ]
    return f"no {', '.join(missing)} (Debian: openssh-server)" if missing else None


def start(folder: Path) -> Sshd:
    """Start a server whose files are in a folder, and put its ssh and scp into client/."""
    for name in ("bin", "modules", "client", "disk", "home"):
        (folder / name).mkdir()
    for name in ("host", "user"):
        keygen(folder / name)
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found is not None, name
        (folder / "bin" / name).symlink_to(found)
    script(folder / "bin" / "python3", f'exec {sys.executable} "$@"')
    script(folder / "sftp", f"exec {SFTP}")
    port = free_port()
    script(folder / "enter", ENTER.format(folder=folder))
    (folder / "sshd_config").write_text(CONFIG.format(folder=folder, port=port))
    (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
    key = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
    for name in ("ssh", "scp"):
        found = shutil.which(name)
        script(folder / "client" / name, f'exec {found} -F {folder}/ssh_config "$@"')
    if os.geteuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [SERVER, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log
        )
    found = Sshd(folder, port, process, folder / "disk")
    _wait(found)
    return found


def keygen(file: Path) -> None:
    """Make a key without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def script(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: Sshd) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        assert server.process.poll() is None, (server.folder / "log").read_text()
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
