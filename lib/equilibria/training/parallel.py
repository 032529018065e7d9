"""One training on several processes: ``torchrun --nproc-per-node N -m equilibria train ...``.

All N processes draw the same random numbers, for the whole batch. Process r then computes rows r,
r + N, r + 2 N, ... of it (`rows`), and the gradients are averaged. Wherever a loss is a mean over
the batch, this is the training of one process, up to the rounding of sums; and a training that was
stopped may go on with another N. States that stay warm are spread over the processes by slot
(`Sharded`). Process 0 alone writes. In one process all of this does nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = [
    "Rows",
    "Sharded",
    "SharingError",
    "agreed",
    "average",
    "count",
    "drawn",
    "is_first",
    "require_shares",
    "rows",
    "started",
    "wait",
    "whole",
    "zeros",
]


class SharingError(ValueError):
    """The processes of a training cannot have equal shares of a batch."""


@contextmanager
def started() -> Iterator[None]:
    """While this lasts, the processes that torchrun started are one group.

    Each has the GPU of its own local number where there are GPUs, and process 0 alone prints. Does
    nothing without torchrun.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "LOCAL_RANK" not in os.environ:
        yield
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend)
    try:
        if is_first():
            yield
        else:  # it would print the same
            with redirect_stdout(io.StringIO()):
                yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """The number N of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is process 0, which writes and prints."""
    return _rank() == 0


def rows(batch: Tensor) -> Tensor:
    """The rows of a batch (B, ...) that are this process's, (B / N, ...).

    Raises `SharingError` where N does not divide B.
    """
    require_shares(len(batch))
    return batch[_rank() :: count()]


def require_shares(batch: int) -> None:
    """Raise `SharingError` where the number of processes does not divide ``batch``.

    A training asks first, before it makes its data.
    """
    if batch % count():
        raise SharingError(
            f"the number of processes must divide the {batch} samples of a batch, got {count()}"
        )


def whole(own: Tensor) -> Tensor:
    """The batch (B, ...) of which each process has its `rows`; carries no gradient."""
    if count() == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(count())]
    dist.all_gather(parts, own.detach().contiguous())
    return torch.stack(parts, 1).flatten(0, 1)


def drawn(draw: Callable[..., Tensor], shape: Iterable[int], generator: torch.Generator) -> Tensor:
    """The rows that are this process's, of the given ``shape``, of what is drawn for all.

    draw  such as `torch.rand`
    """
    B, *rest = shape
    return rows(draw(B * count(), *rest, generator=generator))


def average(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over the processes, in place, in one exchange per type."""
    if count() == 1:
        return
    by_type: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        by_type.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    for group in by_type.values():
        joined = torch.cat([tensor.detach().flatten() for tensor in group])
        dist.all_reduce(joined)
        joined /= count()
        means = torch.split(joined, [tensor.numel() for tensor in group])
        for tensor, mean in zip(group, means, strict=True):
            tensor.detach().copy_(mean.view_as(tensor))


def agreed(*flags: bool) -> tuple[bool, ...]:
    """What process 0 says, such as whether time is over: the clocks of processes differ."""
    if count() == 1:
        return flags
    said = torch.tensor(flags, dtype=torch.int64)
    dist.broadcast(said, 0)
    return tuple(flag == 1 for flag in said.tolist())


def wait() -> None:
    """Return when all processes have come here."""
    if count() > 1:
        average([torch.zeros(1)])


class Sharded:
    """A tensor (N, ...) whose row i lies with process i mod the number of processes.

    It is read and written by whole batches: every process names the same rows, reads all of them,
    and gives all of them.
    """

    def __init__(self, own: Tensor, size: int) -> None:
        self.own = own  # the rows of this process
        self.size = size

    @property
    def shape(self) -> torch.Size:
        """The shape of the whole tensor."""
        return torch.Size((self.size, *self.own.shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """The type of its numbers."""
        return self.own.dtype

    @property
    def device(self) -> torch.device:
        """Where the rows of this process lie."""
        return self.own.device

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, slots: Tensor) -> Tensor:
        found = self.own.new_zeros((len(slots), *self.own.shape[1:]))
        mine = self._are_mine(slots)
        found[mine] = self.own[slots[mine] // count()]
        # The other processes have zeros there, so the sum is exact.
        dist.all_reduce(found)
        return found

    def __setitem__(self, slots: Tensor, values: Tensor) -> None:
        mine = self._are_mine(slots)
        self.own[slots[mine] // count()] = values[mine]

    def gathered(self) -> Tensor:
        """The whole tensor, on the CPU of every process."""
        return self[torch.arange(self.size)].cpu()

    def own_rows_of(self, tensor: Tensor) -> Tensor:
        """The rows that are this process's, of another tensor of this shape."""
        return tensor[_rank() :: count()]

    def _are_mine(self, slots: Tensor) -> Tensor:
        return slots % count() == _rank()


Rows: TypeAlias = Tensor | Sharded


def zeros(
    size: int,
    *shape: int,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> Rows:
    """Zeros (size, *shape) that are spread over the processes; a tensor where there is one."""
    own = torch.zeros(len(range(_rank(), size, count())), *shape, dtype=dtype, device=device)
    return own if count() == 1 else Sharded(own, size)


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0
