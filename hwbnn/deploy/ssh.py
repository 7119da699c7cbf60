# SPDX-License-Identifier: Apache-2.0
"""Ssh: scripts and files to a board by the system's ssh and scp, their failures in our words."""

import re
import shlex
from dataclasses import dataclass, replace
from getpass import getuser
from pathlib import Path

from hwbnn.errors import BoardError, ConfigError
from hwbnn.tools.process import Ended, run_to_end

OPTIONS = {
    "BatchMode": "yes",  # no question that nobody answers
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",  # a dead line ends after 15 s
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}
GET_SSH = "install OpenSSH's client (Debian: openssh-client)"
SAFE = re.compile(r"[A-Za-z0-9_./:%\[\]-]+")
SLOWEST = 20_000.0  # bytes a second of a line that is still worth waiting for
SPARE_SECONDS = 60.0
FAILED = 255  # what ssh ends with if the fault is not the command's

# What PYNQ's own terminals set up: its Python with NumPy and pynq, and XRT.
SET_UP = (
    "for f in /etc/profile.d/pynq_venv.sh /etc/profile.d/xrt_setup.sh; "
    'do [ ! -r "$f" ] || . "$f"; done >/dev/null 2>&1; '
)


@dataclass(frozen=True)
class Login:
    """Where a board is, and as whom; None: as ~/.ssh/config says."""

    host: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None

    def __post_init__(self) -> None:
        for what, text in (("host", self.host), ("user", self.user)):
            if text is not None and (not SAFE.fullmatch(text) or text.startswith("-")):
                raise ConfigError(
                    f"board: {what} must be a name or an address, not {text!r}; give [USER@]HOST"
                )
        if self.identity is not None and not self.identity.is_file():
            raise ConfigError(
                f"{self.identity}: identity must be a file with a private key, not be missing; "
                "choose another with --identity"
            )

    @property
    def target(self) -> str:
        """As ssh takes it."""
        return self.host if self.user is None else f"{self.user}@{self.host}"

    def options(self, *, port_option: str) -> tuple[str, ...]:
        """Return the options of ssh (port_option -p) or scp (-P)."""
        words = [word for key, value in OPTIONS.items() for word in ("-o", f"{key}={value}")]
        if self.port is not None:
            words += [port_option, str(self.port)]
        if self.identity is not None:
            words += ["-i", str(self.identity), "-o", "IdentitiesOnly=yes"]
        return tuple(words)


def with_usual_user(login: Login, user: str | None) -> Login:
    """Return a login as the board's usual user, unless another is named or configured."""
    if login.user is not None or user is None:
        return login
    argv = ("ssh", "-G", *login.options(port_option="-p"), login.target)
    said = run_to_end(argv, cwd=Path.cwd(), mend=GET_SSH).output
    configured = re.search(r"^user (\S+)", said, re.MULTILINE)
    if configured and configured[1] != getuser():
        return login
    return replace(login, user=user)


def run_there(login: Login, script: str, *, timeout: float | None = None) -> Ended:
    """Run a shell script on the board; BoardError: ssh itself failed.

    It runs in the home folder, by bash where there is one, with PYNQ's environment.
    """
    command = f"exec $(command -v bash || echo sh) -c {shlex.quote(SET_UP + script)}"
    argv = ("ssh", "-T", *login.options(port_option="-p"), login.target)
    ended = _ended((*argv, f"sh -c {shlex.quote(command)}"), timeout)
    if ended.status == FAILED or ended.status < 0:
        raise fault_of(login, ended.output)
    return ended


def as_root(script: str) -> str:
    """Return a script that runs another as root, without a question."""
    shell = f"$(command -v bash || echo sh) -c {shlex.quote(SET_UP + script)}"
    return f'if [ "$(id -u)" = 0 ]; then {script}; else exec sudo -n {shell}; fi'


def copy_there(login: Login, file: Path, path: str) -> None:
    """Copy a file to the board; BoardError: it is not whole there."""
    host = f"[{login.host}]" if ":" in login.host else login.host
    target = host if login.user is None else f"{login.user}@{host}"
    argv = ("scp", "-q", *login.options(port_option="-P"), str(file.absolute()))
    timeout = SPARE_SECONDS + file.stat().st_size / SLOWEST
    ended = _ended((*argv, f"{target}:{path}"), timeout)
    if ended.status != 0:
        raise fault_of(login, ended.output)


def _ended(argv: tuple[str, ...], timeout: float | None) -> Ended:
    return run_to_end(
        argv, cwd=Path.cwd(), mend=GET_SSH, timeout=timeout, environment={"LC_ALL": "C"}
    )


@dataclass(frozen=True)
class _Cause:
    """What OpenSSH says, and what we say. In texts: {by_hand} is the command line to log in."""

    pattern: str
    must: str
    mend: str


CAUSES = (
    _Cause(
        "Could not resolve hostname",
        "the name must be known here",
        "check it, give the board's IP address, or add a Host to ~/.ssh/config",
    ),
    _Cause(
        "HOST IDENTIFICATION HAS CHANGED",
        "the host key must be the one that is known",
        "if the board's system was made anew, run ssh-keygen -R with its name, and log in once by "
        "hand: {by_hand}; else something else answers at this address",
    ),
    _Cause(
        "Host key verification failed",
        "the host key must be known, as ssh is told to check it",
        "log in once by hand and compare it: {by_hand}",
    ),
    _Cause(
        "UNPROTECTED PRIVATE KEY FILE",
        "the private key must be readable by you alone",
        "run chmod 600 on it",
    ),
    _Cause(
        r"Permission denied \(|Too many authentication failures",
        "the board must accept a key of yours",
        "copy one there once (ssh-copy-id {options}), or choose another with --identity",
    ),
    _Cause(
        "Connection refused",
        "an ssh server must listen there",
        "start it on the board, or give its --port",
    ),
    _Cause(
        "connect to host .*(timed out|No route to host|unreachable|Host is down)",
        "the board must answer",
        "see that it has power and network, and that the address is right",
    ),
    _Cause("No space left|Disk quota exceeded", "the disk must have room", "free some space there"),
    _Cause(
        "Connection closed|[Bb]roken pipe|Connection reset|closed by remote|lost connection|"
        "not responding|Connection to .* timed out|connection abort|disconnect",
        "the connection must last",
        "see that the board has power and network, and run the command again",
    ),
)


def fault_of(login: Login, output: str) -> BoardError:
    """Return what ssh or scp said as an error of ours."""
    options = " ".join([*(["-p", str(login.port)] if login.port else []), login.target])
    lines = [line.strip() for line in output.splitlines() if line.strip(" @\t")]
    for cause in CAUSES:
        said = next((line for line in lines if re.search(cause.pattern, line)), None)
        if said is not None:
            mend = cause.mend.format(by_hand=f"ssh {options}", options=options)
            return BoardError(f"{login.host}: {cause.must}, not fail: {said}; {mend}")
    said = lines[-1] if lines else "it said nothing"
    return BoardError(
        f"{login.host}: the connection must work, not fail: {said}; log in by hand to see why: "
        f"ssh {options}"
    )
