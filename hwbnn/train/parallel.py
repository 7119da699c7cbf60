# SPDX-License-Identifier: Apache-2.0
"""Data parallel training under torchrun: every process has the network and a share of each batch.

Gradients are averaged by DistributedDataParallel. Batch norm takes the statistics of each process'
own share; the running statistics that are kept are those of process 0. All processes take the
same steps, so their parameters stay equal; process 0 alone validates and writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn

from hwbnn.errors import ConfigError
from hwbnn.train.networks import Network
from hwbnn.train.recipe import LEAST_BATCH


@dataclass(frozen=True)
class Place:
    """Where a process trains: its device, and which of how many processes it is."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    ranks: int = 1

    @property
    def first(self) -> bool:
        """Return whether this process writes and reports."""
        return self.rank == 0

    def share(self, numbers: Tensor) -> Tensor:
        """Return this process' images of a batch: every ranks-th."""
        return numbers[self.rank :: self.ranks]

    def own(self, generator: torch.Generator) -> torch.Generator:
        """Return the generator for this process' images; all processes draw alike from theirs."""
        if self.ranks == 1:
            return generator
        drawn = int(torch.randint(2**31, (1,), generator=generator))
        return torch.Generator().manual_seed(drawn + self.rank)

    def parallel(self, model: Network) -> nn.Module:
        """Return the model, whose gradients are averaged over the processes."""
        if self.ranks == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            model, device_ids=devices, forward_sync_buffers=False
        )

    @torch.no_grad()
    def agree(self, model: Network) -> None:
        """Give every process the buffers, such as running statistics, of process 0."""
        if self.ranks > 1:
            for values in model.buffers():
                distributed.broadcast(values, 0)

    def agreed(self, number: float) -> float:
        """Return process 0's number on all of them."""
        if self.ranks == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)


def check_batch(batch: int, ranks: int) -> None:
    """Raise ConfigError unless the processes can share a batch."""
    least = LEAST_BATCH * ranks
    if batch % ranks or batch < least:
        raise ConfigError(
            f"batch: must be a multiple of the {ranks} processes, {least} or more, not {batch}; "
            f"choose {max(least, batch // ranks * ranks)}"
        )


def find_device(name: str | None) -> torch.device:
    """Return the device by name, cpu or cuda; None: cuda where there is one."""
    there = torch.cuda.is_available()
    if name not in (None, "cpu", "cuda"):
        raise ConfigError(f"--device: must be cpu or cuda, not {name}; choose one of them")
    if name == "cuda" and not there:
        raise ConfigError(
            "--device: must be cpu, not cuda, where torch finds no GPU; install its driver and "
            "torch's CUDA build, or leave out --device"
        )
    return torch.device(name or ("cuda" if there else "cpu"))


def use_threads(count: int) -> None:
    """Let torch use so many threads of the CPU; the order of sums, and the result, follow."""
    torch.set_num_threads(count)


@contextmanager
def joined(device: torch.device) -> Iterator[Place]:
    """Join the processes that torchrun started, and leave them at the end; alone without it."""
    if not distributed.is_torchelastic_launched():
        yield Place(device)
        return
    on_gpu = device.type == "cuda"
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        if on_gpu:
            device = torch.device("cuda", distributed.get_node_local_rank())
            torch.cuda.set_device(device)
        yield Place(device, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
