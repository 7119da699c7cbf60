# SPDX-License-Identifier: Apache-2.0
"""Packages on boards, real or simulated: package, deploy, run and bench."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwbnn import packaging
from hwbnn.cli import board_tables, screen
from hwbnn.cli.images import Images, read_images
from hwbnn.deploy.package import write_package
from hwbnn.deploy.place import Here, Place, Simulation, There, bench, classify, is_port
from hwbnn.deploy.remote import Archive, Json, Remote, deploy, read_archive
from hwbnn.deploy.ssh import Login, with_usual_user
from hwbnn.deploy.usb import load_by_usb
from hwbnn.errors import ConfigError

USB = "usb"
PLACES = "simulation, local, uart:PORT, /dev/tty... or ssh:[USER@]HOST"


@dataclass(frozen=True)
class Reach:
    """How a board is reached over ssh."""

    port: int | None
    identity: Path | None
    folder: str


def make_package(
    source: Path, *, bitstream: Path | None, output: Path | None, as_json: bool
) -> None:
    """Put a bitstream that was made elsewhere into the package of a build."""
    found = packaging.find_package(source)
    bits = bitstream or packaging.find_bitstream(source)
    if bits is not None:
        target = output or found
        write_package(packaging.with_bitstream(found, bits), target)
    elif output is not None:
        target = output
        write_package(packaging.files_of(found), target)
    else:
        target = found
    archive = read_archive(target)
    if as_json:
        screen.show_json({"schema": "hwbnn/packaged@1", **_summary(target, archive)})
        return
    screen.show(board_tables.package_table(_summary(target, archive)))
    if archive.package.bitstream is None:
        screen.show_note(
            "It has no bitstream, which --on simulation does not need; to make one, run Vivado in "
            "chip/ of the result, then `hwbnn package` again (docs/vivado.md)."
        )


def deploy_package(path: Path, host: str, *, reach: Reach, as_json: bool) -> None:
    """Put a package on a board, and say where it is."""
    archive = read_archive(packaging.find_package(path))
    manifest = archive.package.manifest
    if host == USB:
        name = load_by_usb(archive.package)
        if as_json:
            screen.show_json({"schema": "hwbnn/deployed@1", "name": manifest["name"], "host": USB})
        else:
            screen.show(f"{manifest['name']} is in the {name} until it is switched off")
        return
    if archive.package.bitstream is None and manifest["link"]["kind"] == "axi":
        raise ConfigError(
            f"{path}: package must have a bitstream to be deployed, not only its sources; run "
            "Vivado in chip/ of the result, then `hwbnn package` (docs/vivado.md)"
        )
    remote = _remote(host, archive, reach)
    with screen.progress() as progress:
        done = deploy(archive, remote, say=progress.say)
    if as_json:
        screen.show_json(
            {
                "schema": "hwbnn/deployed@1",
                "name": done.name,
                "host": remote.login.target,
                "folder": done.folder,
                "version": done.version,
                "previous": done.previous,
                "was_there": done.was_there,
                "sent_bytes": done.sent_bytes,
            }
        )
        return
    what = "was there already" if done.was_there else "is there"
    before = "" if done.previous in (None, done.version) else f", {done.previous} is kept"
    screen.show(f"{done.name} {what}: {remote.login.target}:{done.folder}{before}")
    screen.show_note(f"Try it: hwbnn bench {path} --on ssh:{remote.login.target}")


def run(
    path: Path,
    images: list[Path],
    *,
    on: str,
    back_end: str | None,
    reach: Reach,
    as_json: bool,
) -> None:
    """Classify images with a package, and show classes and accuracy."""
    archive = read_archive(packaging.find_package(path))
    place = _place(on, archive, back_end=back_end, reach=reach)
    colour = archive.package.manifest["input"]["shape"][:1] == [3]
    given = read_images(images, colour=colour)
    with screen.progress() as progress:
        classes = classify(archive, place, given.pixels, say=progress.say)
    found = _classified(archive, on, given, classes)
    if as_json:
        screen.show_json(found)
    else:
        screen.show(board_tables.run_tables(found))


def measure(
    path: Path,
    *,
    on: str,
    frames: int | None,
    back_end: str | None,
    reach: Reach,
    as_json: bool,
) -> None:
    """Show rate and latency of a package, by stage, and cycles next to the prediction."""
    archive = read_archive(packaging.find_package(path))
    place = _place(on, archive, back_end=back_end, reach=reach)
    with screen.progress() as progress:
        found = bench(archive, place, frames, say=progress.say)
    found = {**found, "name": archive.package.manifest["name"], "on": on}
    if as_json:
        screen.show_json(found)
    else:
        screen.show(board_tables.bench_tables(found))


def _classified(archive: Archive, on: str, images: Images, classes: list[int]) -> Json:
    names, truth = archive.package.manifest["classes"], images.labels
    rows = [
        {
            "image": images.names[index],
            "class": number,
            "label": names[number] if number < len(names) else None,
            "truth": None if truth is None else int(truth[index]),
        }
        for index, number in enumerate(classes)
    ]
    return {
        "schema": "hwbnn/classified@1",
        "name": archive.package.manifest["name"],
        "on": on,
        "images": len(rows),
        "accuracy": None if truth is None else float((np.array(classes) == truth).mean()),
        "outputs": rows,
    }


def _place(on: str, archive: Archive, *, back_end: str | None, reach: Reach) -> Place:
    """Return the place that a text names."""
    kind, _, rest = on.partition(":")
    if kind == "ssh" and rest:
        return There(_remote(rest, archive, reach), back_end)
    if on == "local":
        return Here(back_end)
    if back_end is not None:
        raise ConfigError(f"{on}: --back-end must be left out, not {back_end}; --on says all")
    if on == "simulation":
        return Simulation()
    if is_port(on):
        return Here(f"uart:{on}")
    if kind == "uart" and rest:
        return Here(on)
    raise ConfigError(f"--on: place must be {PLACES}, not {on}; choose one")


def _remote(host: str, archive: Archive, reach: Reach) -> Remote:
    """Return a board, as its usual user if nobody says otherwise."""
    user, _, name = host.rpartition("@")
    login = Login(name, user or None, reach.port, reach.identity)
    usual = (archive.package.manifest["host"] or {}).get("user")
    return Remote(with_usual_user(login, usual), reach.folder)


def _summary(path: Path, archive: Archive) -> Json:
    manifest = archive.package.manifest
    name = manifest["bitstream"]
    bits = archive.package.bitstream
    return {
        "package": str(path),
        "name": manifest["name"],
        "board": manifest["board"]["id"],
        "clock_mhz": manifest["clock"]["mhz"],
        "build_hash": manifest["build_hash"],
        "bitstream": name,
        "bitstream_sha256": None if bits is None else hashlib.sha256(bits).hexdigest(),
        "files": len(manifest["files"]),
        "bytes": len(archive.data),
        "sha256": archive.sha256,
    }
