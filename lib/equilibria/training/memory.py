"""The memory that a training step needs, counted from the tensors that autograd keeps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["saved_bytes"]


def saved_bytes(compute: Callable[[], Tensor], model: nn.Module | None = None) -> int:
    """Bytes that autograd keeps for the backward pass of ``compute()``, which returns a scalar.

    Every storage counts once, and the weights of ``model`` do not count. The number does not depend
    on the allocator, so it is the same in every run.
    """
    weights = set()
    if model is not None:
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    # The storages are held until the end, so that none is freed and its address used again.
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage
        return tensor

    def unpack(tensor: Tensor) -> Tensor:
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        compute()
    return sum(storage.nbytes() for storage in storages.values())
