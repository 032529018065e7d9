"""The motion kernel is the recorded one, and the paper's kernel is recognised."""

import numpy as np
import pytest
import torch
from equilibria.problems import images
from equilibria.problems.images import ImageError


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


def test_another_file_called_levin09_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    (tmp_path / "degradations").mkdir()
    kernels = np.empty(8, dtype=object)
    for i in range(8):
        kernels[i] = np.full((5, 5), 1 / 25)
    np.save(tmp_path / "degradations" / "Levin09.npy", kernels, allow_pickle=True)
    with pytest.raises(ImageError, match="kernel 1 differs"):
        images.levin09()


@pytest.mark.data
def test_levin09_is_the_papers_kernel():
    kernel = images.levin09()
    assert kernel.shape == (17, 17)
    assert kernel.sum().item() == pytest.approx(1)
