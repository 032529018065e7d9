"""Ten thousand random problems, at any size of numbers: what is called solved is solved."""

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, Broyden, NewtonKrylov, Picard, Status
from solver_methods import METHODS, method_name
from torch import Tensor

EACH = 50  # samples of a batch
ROUNDS = 8  # batches of each kind, method and dtype
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
N = 6


def norm(v: Tensor) -> Tensor:
    """|v| of each sample in float64, without underflow or overflow, (B,)."""
    v = v.double()
    size = v.abs().amax(dim=1, keepdim=True)
    size = torch.where(size > 0, size, 1.0)
    return (v / size).square().sum(dim=1).sqrt() * size[:, 0]


def problem(seed: int, dtype: torch.dtype):
    """(G, x, contracts): a random map per sample, at a random size of its numbers.

    y -> a P y + b h sin(P y / h) + x, where P moves the components round, h is the size, and
    |a| + |b| is below 1 for the first half of the samples.
    """
    generator = torch.Generator().manual_seed(seed)
    info = torch.finfo(dtype)
    low = torch.tensor(info.smallest_normal, dtype=torch.float64).log10()
    high = torch.tensor(info.max, dtype=torch.float64).log10() - 2
    exponent = low + (high - low) * torch.rand(EACH, 1, generator=generator, dtype=torch.float64)
    h = (10**exponent).to(dtype)
    a, b = (2 * torch.rand(2, EACH, 1, generator=generator, dtype=torch.float64) - 1).unbind()
    contracts = torch.arange(EACH) < EACH // 2
    factor = torch.where(contracts[:, None], 0.45, 1.5)
    a, b = (a * factor).to(dtype), (b * factor).to(dtype)
    x = (h * torch.randn(EACH, N, generator=generator, dtype=torch.float64)).to(dtype)

    def G(y: Tensor, x: Tensor) -> Tensor:
        turned = y.roll(1, dims=1)
        return a * turned + b * (h * torch.sin(turned / h)) + x

    return G, x, contracts


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("method", METHODS, ids=method_name)
def test_nothing_is_called_solved_that_is_not(method, dtype):
    if isinstance(method, NewtonKrylov) and dtype.itemsize < 4:
        pytest.skip("NewtonKrylov has no half precision")
    tol = max(1e-6, 8 * torch.finfo(dtype).eps)
    accurate = torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    for seed in range(ROUNDS):
        G, x, contracts = problem(seed, dtype)
        y0 = torch.zeros_like(x)
        solution = eq.solve(G, y0, x, method=method, max_steps=120, tol=tol, throw=False)
        g = G(solution.y, x)
        r = norm(g.double() - solution.y.double())
        true = torch.where(r == 0, 0.0, r / norm(g))
        lies = solution.success & ~(true <= tol * (1 + 8 * accurate))
        assert not lies.any(), true[lies].tolist()
        assert solution.y.isfinite().all()
        if isinstance(method, Picard):  # a contraction is one at every size of its numbers
            broken = (solution.status == Status.DIVERGED) | (solution.status == Status.NAN)
            assert not (contracts & broken).any(), norm(x)[contracts & broken].tolist()


def test_an_answer_near_the_smallest_number():
    """1e-24 squared is no float32; the answer is 2e-24."""
    x = torch.full((1, 3), 1e-24)
    for method in (Picard(), Anderson(), Broyden()):
        solution = eq.solve(
            lambda y, x: 0.5 * y + x, torch.zeros_like(x), x, method=method, tol=1e-5, max_steps=60
        )
        assert solution.y.mean().item() == pytest.approx(2e-24, rel=1e-4)


def test_a_contraction_at_1e20_is_solved():
    x = torch.full((2, 3), 1e20)
    solution = eq.solve(lambda y, x: 0.5 * y + x, torch.zeros_like(x), x, method=Picard(), tol=1e-5)
    assert solution.y.mean().item() == pytest.approx(2e20, rel=1e-4)
