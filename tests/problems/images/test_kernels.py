"""The motion kernel is the recorded one, and the paper's kernel is recognised."""

import hashlib

import pytest
import torch
from equilibria.problems import images


def test_motion_kernel_is_the_recorded_one():
    kernel = images.motion_kernel()
    assert kernel.shape == (17, 17)
    assert kernel.min() >= 0
    assert kernel.sum().item() == pytest.approx(1)
    edges = (kernel[0, :], kernel[-1, :], kernel[:, 0], kernel[:, -1])
    assert sum(edge.sum() for edge in edges) == 0  # the path fits into its window
    assert not torch.equal(kernel, images.motion_kernel(seed=1))
    # The shipped weights were trained with this very kernel: four of its largest entries.
    assert kernel[[8, 5, 8, 5], [10, 5, 9, 4]].tolist() == pytest.approx(
        [0.1353033, 0.1079174, 0.0757128, 0.0798525], abs=1e-6
    )
    place = torch.arange(17, dtype=torch.float64)
    centre = ((kernel.sum(1) * place).sum().item(), (kernel.sum(0) * place).sum().item())
    assert centre == pytest.approx((8, 8), abs=1e-6)


def test_levin09_is_none_where_its_file_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert images.levin09() is None


@pytest.mark.data
def test_levin09_is_the_papers_kernel():
    kernel = images.levin09()
    assert kernel.shape == (17, 17)
    assert kernel.sum().item() == pytest.approx(1)
    # as deepinv reads it: the contents of the pickle, which is not unpickled here
    digest = hashlib.sha256(kernel.contiguous().numpy().tobytes()).hexdigest()
    assert digest.startswith("535770f6")
