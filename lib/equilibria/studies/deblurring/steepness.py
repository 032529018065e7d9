"""How steep y_t and G are: the paper's protocol for Fig. 2, true local constants, and rates."""

from __future__ import annotations

import torch
from torch import Tensor

from equilibria import lipschitz
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import DeblurringOperator
from equilibria.problems import images
from equilibria.solvers import Picard, solve, trajectory

__all__ = ["RANKS", "convergence_rate", "lipschitz_along_t", "local_constant_of_y_t", "waves"]

RANKS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the frequencies in the paper's protocol


def waves(blur: Blur, like: Tensor, ranks: tuple[float, ...] = RANKS) -> tuple[Tensor, Tensor]:
    """Singular vectors of A at frequencies of the given ranks (paper, section 5.1).

    Rank 0 is the lowest and rank 1 the highest frequency, sorted by radius.
    Returns (v, size): grey plane waves of norm 1, (R, C, H, W), and their singular values, |K|,
    (R,).
    """
    height, width = like.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.fft.fftfreq(height, 1 / height, dtype=torch.float64),
        torch.fft.rfftfreq(width, 1 / width, dtype=torch.float64),
        indexing="ij",
    )
    order = torch.argsort((rows.square() + columns.square()).flatten(), stable=True)
    places = [order[int(rank * (len(order) - 1))] for rank in ranks]
    i = torch.arange(height, dtype=torch.float64)[:, None] / height
    j = torch.arange(width, dtype=torch.float64)[None, :] / width
    cosines = []
    for place in places:
        phase = rows.flatten()[place] * i + columns.flatten()[place] * j
        cosines.append(torch.cos(2 * torch.pi * phase))
    v = torch.stack(cosines).to(like)
    v = v[:, None].expand(-1, like.shape[1], -1, -1)
    v = v / v.flatten(1).norm(dim=1)[:, None, None, None]
    K = blur.symbol(like).abs().flatten()
    return v, torch.stack([K[place] for place in places])


def lipschitz_along_t(
    model: DeblurringOperator,
    truth: Tensor,
    x: Tensor,
    *,
    steps: int,
    norm: float = 0.01,
    ranks: tuple[float, ...] = RANKS,
) -> tuple[Tensor, Tensor]:
    """The paper's protocol in one pass: dx = A (norm v) for each of `waves`, y_0 = 0 (section 5.1).

    Returns |y_t(x + dx) - y_t(x)| / |dx|, (steps, R, B), and the PSNR in dB of the clean run and
    of all perturbed runs, (steps, R + 1, B).

    It runs in x's dtype. float32 changes the largest ratio by 4e-5 of itself and the smallest by
    up to 2 %, and is twelve times as fast as float64.
    """
    v, _ = waves(model.blur, x, ranks)
    dx = model.blur(norm * v)[:, None]  # (R, 1, 3, H, W)
    runs = torch.cat([x[None], x[None] + dx])  # (R + 1, B, 3, H, W)
    flat_x = runs.flatten(0, 1)
    flat_truth = truth.expand_as(runs).flatten(0, 1)
    size_of_dx = dx.flatten(1).norm(dim=1)[:, None]
    ratios, quality = [], []
    with torch.no_grad():
        for y in trajectory(model, torch.zeros_like(flat_x), flat_x, steps):
            by_run = y.view_as(runs)
            distance = (by_run[1:] - by_run[:1]).flatten(2).norm(dim=2)
            ratios.append(distance / size_of_dx)
            quality.append(images.psnr(y, flat_truth).view(runs.shape[:2]))
    return torch.stack(ratios), torch.stack(quality)


def local_constant_of_y_t(model: DeblurringOperator, x: Tensor, t: int) -> Tensor:
    """The local Lipschitz constant |dy_t/dx| from y_0 = 0, one value per image, (B,).

    By power iteration through all t iterations, to 2 %. Raises `NotConverged` beyond 100 steps.
    """

    def y_t(x: Tensor) -> Tensor:
        *_, y = trajectory(model, torch.zeros_like(x), x, t)
        return y

    return lipschitz.local(y_t, x, max_steps=100, tol=0.02)


@torch.no_grad()
def convergence_rate(model: DeblurringOperator, y_star: Tensor, x: Tensor, *, seed: int) -> Tensor:
    """The factor by which Picard's iteration shrinks the residual per step, per image, (B,).

    y_0 is the equilibrium ``y_star`` plus noise of level 0.01, drawn from ``seed``. The rate is the
    geometric mean over twenty steps, after a transient of twenty.
    """
    generator = torch.Generator().manual_seed(seed)
    start = y_star + 0.01 * torch.randn(y_star.shape, generator=generator).to(y_star)
    residuals = solve(model, start, x, method=Picard(), max_steps=60).residuals
    rate: Tensor = (residuals[:, 40] / residuals[:, 20]) ** (1 / 20)
    return rate
