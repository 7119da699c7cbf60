# SPDX-License-Identifier: Apache-2.0
"""The commands. What they call is imported inside, so that `hwbnn --help` is quick."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hwbnn.cli import options as o
from hwbnn.cli import process, screen, training
from hwbnn.cli.compare import compare
from hwbnn.cli.summary import summary
from hwbnn.errors import HwbnnError
from hwbnn.step import Backend, Proof, Step

SIMULATE = "simulate"
EXIT_STATUS = (
    "Exit status: 0 done, 2 usage, 3 model, 4 choice (folding, board, option), 5 tool missing or "
    "failed, 6 output folder, 7 proof failed, 8 board, 70 internal error, 130 interrupted."
)

app = typer.Typer(
    name="hwbnn",
    help="Binary neural networks (QONNX) to FPGA accelerators, proven without board or vendor "
    "tool.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; `arguments` None: those of the process."""
    session = screen.Session()

    def stop(number: int, _frame: object) -> NoReturn:
        """Leave by an exception, so that half a result is cleared away."""
        session.stopped = number
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` and `&` in a script want it
            signal.signal(number, stop)
    try:
        app(arguments, prog_name="hwbnn", obj=session)
    except Exception as error:
        if session.stopped:  # a library that was being imported made another error of it
            sys.exit(128 + session.stopped)
        if isinstance(error, HwbnnError):
            screen.show_error(error, as_json=session.json)
            sys.exit(error.exit_status)
        if session.debug:
            raise
        screen.show_internal_error(error, as_json=session.json)
        sys.exit(screen.INTERNAL_ERROR)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    raise AssertionError("Typer exits")


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        screen.show(f"hwbnn {importlib.metadata.version('hwbnn')}")
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    if isinstance(context.obj, screen.Session):
        context.obj.debug = debug
    if context.invoked_subcommand != training.train.__name__:  # there all cores multiply
        process.settle()


@app.command()
def build(
    model: o.Model,
    board: o.Board,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Result folder; else MODEL-BOARD."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier result.")] = False,
    until: Annotated[
        Step | None,
        typer.Option(
            help="Last step; else simulate, and bitstream where open tools make one.",
            show_default=False,
        ),
    ] = None,
    proofs: Annotated[
        list[Proof] | None, typer.Option("--with", help="Also run this tool; may be repeated.")
    ] = None,
    backends: Annotated[
        list[Backend] | None,
        typer.Option(
            "--backend",
            help="Emit for this; may be repeated. Without it for rtl, and hls where it can.",
        ),
    ] = None,
    folding: o.Folding = None,
    target_cycles: o.TargetCycles = None,
    target_fps: o.TargetFps = None,
    maximize: o.Maximize = None,
    clock_mhz: o.Clock = None,
    boards_dir: o.BoardsDir = None,
    images: o.Images = None,
    packed_input: o.PackedInput = False,
    argmax: o.ArgMax = False,
    input_divisor: o.Divisor = None,
    input_mean: o.Mean = 0.0,
    input_std: o.Std = 1.0,
    as_json: o.AsJson = False,
) -> None:
    """Build an accelerator: RTL and HLS projects, golden vectors, report, bitstream."""
    from hwbnn.cli import commands

    config = commands.configuration(
        model,
        board,
        boards_dir=boards_dir,
        folding=folding,
        target_cycles=target_cycles,
        target_fps=target_fps,
        maximize=maximize,
        clock_mhz=clock_mhz,
        images=images,
        packed_input=packed_input,
        argmax=argmax,
        scale=(input_divisor, input_mean, input_std),
        until=until,
        backends=tuple(dict.fromkeys(backends or ())),
    )
    commands.build(config, output=output, force=force, proofs=tuple(proofs or ()), as_json=as_json)


@app.command()
def inspect(
    model: o.Model,
    input_divisor: o.Divisor = None,
    input_mean: o.Mean = 0.0,
    input_std: o.Std = 1.0,
    as_json: o.AsJson = False,
) -> None:
    """Show a model's layers, and every node that is not supported, with reason and mend."""
    from hwbnn.cli import commands

    commands.inspect(model, scale=(input_divisor, input_mean, input_std), as_json=as_json)


def _add(name: str, help_text: str, until: Step) -> None:
    """Add a command that runs a built design and keeps no result."""

    def command(
        model: o.Model,
        board: o.Board,
        frames: o.Frames = None,
        images: o.Images = None,
        folding: o.Folding = None,
        target_cycles: o.TargetCycles = None,
        target_fps: o.TargetFps = None,
        maximize: o.Maximize = None,
        clock_mhz: o.Clock = None,
        boards_dir: o.BoardsDir = None,
        packed_input: o.PackedInput = False,
        argmax: o.ArgMax = False,
        input_divisor: o.Divisor = None,
        input_mean: o.Mean = 0.0,
        input_std: o.Std = 1.0,
        as_json: o.AsJson = False,
    ) -> None:
        from hwbnn.cli import commands

        config = commands.configuration(
            model,
            board,
            boards_dir=boards_dir,
            folding=folding,
            target_cycles=target_cycles,
            target_fps=target_fps,
            maximize=maximize,
            clock_mhz=clock_mhz,
            images=images,
            frames=frames,
            packed_input=packed_input,
            argmax=argmax,
            scale=(input_divisor, input_mean, input_std),
            until=until,
        )
        if name == SIMULATE:
            commands.simulate(config, as_json=as_json)
        else:
            commands.prove(config, proof=Proof(name), as_json=as_json)

    app.command(name, help=help_text)(command)


_add(
    SIMULATE,
    "Run images through the exact integers, and the design through the timing engine.",
    Step.SIMULATE,
)
_add(
    Proof.COSIM.value,
    "Run the RTL in Verilator: every bit and every cycle must be as predicted.",
    Step.FIFO,
)
_add(
    Proof.CSIM.value,
    "Compile the HLS project with g++: every output must be as predicted.",
    Step.FIFO,
)
_add(Proof.SYNTH.value, "Count the RTL's resources with Yosys.", Step.FIFO)


app.command()(summary)
app.command()(compare)
app.command()(training.train)


@app.command()
def package(
    result: o.Package,
    bitstream: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Made elsewhere; else what the result's chip/ holds."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else in its place.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """Put a bitstream into the package that `build` has made."""
    from hwbnn.cli import deploying

    deploying.make_package(result, bitstream=bitstream, output=output, as_json=as_json)


@app.command()
def deploy(
    package: o.Package,
    host: Annotated[
        str,
        typer.Argument(
            metavar="[USER@]HOST",
            help="Board, as ssh knows it; or usb, to load a board with a serial line.",
        ),
    ],
    port: o.Port = None,
    identity: o.Identity = None,
    folder: o.Folder = o.BOARD_FOLDER,
    as_json: o.AsJson = False,
) -> None:
    """Put a package on a board, whole or not at all; the board needs no internet."""
    from hwbnn.cli import deploying

    reach = deploying.Reach(port, identity, folder)
    deploying.deploy_package(package, host, reach=reach, as_json=as_json)


@app.command()
def run(
    package: o.Package,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES...", help="Pictures, .npy, .npz (images, labels), or folders of them."
        ),
    ],
    on: o.On = o.SIMULATION,
    back_end: o.BackEnd = None,
    port: o.Port = None,
    identity: o.Identity = None,
    folder: o.Folder = o.BOARD_FOLDER,
    as_json: o.AsJson = False,
) -> None:
    """Classify images on a board, real or simulated."""
    from hwbnn.cli import deploying

    reach = deploying.Reach(port, identity, folder)
    deploying.run(package, images, on=on, back_end=back_end, reach=reach, as_json=as_json)


@app.command()
def bench(
    package: o.Package,
    on: o.On = o.SIMULATION,
    frames: Annotated[
        int | None,
        typer.Option("--frames", "-n", metavar="N", min=1, help="Else 1000, simulated 64."),
    ] = None,
    back_end: o.BackEnd = None,
    port: o.Port = None,
    identity: o.Identity = None,
    folder: o.Folder = o.BOARD_FOLDER,
    as_json: o.AsJson = False,
) -> None:
    """Measure rate and latency on a board, by stage, and cycles next to the prediction."""
    from hwbnn.cli import deploying

    reach = deploying.Reach(port, identity, folder)
    deploying.measure(
        package, on=on, frames=frames, back_end=back_end, reach=reach, as_json=as_json
    )


@app.command()
def boards(
    name: Annotated[str | None, typer.Argument(help="Show this board only.")] = None,
    boards_dir: o.BoardsDir = None,
    as_json: o.AsJson = False,
) -> None:
    """List the boards, or show one with the sources of its numbers."""
    from hwbnn.cli import lists

    lists.boards(name, boards_dir=boards_dir, as_json=as_json)


@app.command()
def doctor(as_json: o.AsJson = False) -> None:
    """Say which optional tools are here, and how to get the others."""
    from hwbnn.cli import lists

    lists.doctor(as_json=as_json)
