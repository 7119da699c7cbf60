# SPDX-License-Identifier: Apache-2.0
"""Ssh: what OpenSSH says in our words, as whom we log in, and words that ssh would misread."""

import os
from getpass import getuser

import pytest

from hwbnn.deploy.remote import Remote
from hwbnn.deploy.ssh import Login, fault_of, with_usual_user
from hwbnn.errors import ConfigError
from tests.deploy.sshd import script


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("ssh: connect to host b port 22: Connection timed out", "b: the board must answer"),
        ("ssh: connect to host b port 22: No route to host", "b: the board must answer"),
        ("Timeout, server b not responding.", "b: the connection must last"),
        ("client_loop: send disconnect: Broken pipe", "b: the connection must last"),
        ("@@@@\n@  WARNING: UNPROTECTED PRIVATE KEY FILE!  @\nme@b: Permission denied (publickey).",
         "b: the private key must be readable by you alone"),
        ("", "b: the connection must work, not fail: it said nothing"),
    ],
)  # fmt: skip
def test_causes(said, text):
    assert text in str(fault_of(Login("b"), said))


def test_words_that_ssh_would_misread(tmp_path):
    for host in ("-oProxyCommand=x", "a b", "a;b", ""):
        with pytest.raises(ConfigError, match="host must be a name or an address"):
            Login(host)
    with pytest.raises(ConfigError, match="identity must be a file with a private key"):
        Login("b", identity=tmp_path / "none")
    for folder in ("a b", "$(x)", "-r", ""):
        with pytest.raises(ConfigError, match="folder must be of letters"):
            Remote(Login("b"), folder)


@pytest.mark.parametrize(
    ("configured", "user"), [(getuser(), "xilinx"), ("somebody", None)], ids=["no", "yes"]
)
def test_the_usual_user_unless_another_is_configured(tmp_path, monkeypatch, configured, user):
    """`ssh -G` says what the configuration comes to."""
    script(tmp_path / "ssh", f'[ "$1" = -G ] && echo "host b" && echo "user {configured}"')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert with_usual_user(Login("b"), "xilinx") == Login("b", user)
    assert with_usual_user(Login("b", "me"), "xilinx") == Login("b", "me")
    assert with_usual_user(Login("b"), None) == Login("b")
