"""Where a training or an evaluation runs unless it is told otherwise."""

import torch

__all__ = ["default_device"]


def default_device() -> str:
    """The name of PyTorch's device: "cuda" where there is a GPU, otherwise "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"
