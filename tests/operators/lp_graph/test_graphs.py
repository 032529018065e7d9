"""The sparse matrix of a batch: its products, its transpose, its derivatives."""

import pytest
import torch
from equilibria.operators.lp_graph import graph
from equilibria.problems import linear_programs as lp

f64 = torch.float64


@pytest.fixture(scope="module")
def programs():
    return lp.generate(3, seed=5, progress=False)


def test_products_are_those_of_the_dense_blocks(programs):
    A, dense = graph(programs, dtype=f64).A, programs.dense()
    v, w = torch.randn(3, 50, 4, dtype=f64), torch.randn(3, 10, 4, dtype=f64)
    torch.testing.assert_close((A @ v.flatten(0, 1)).view(3, 10, 4), dense @ v)
    torch.testing.assert_close((A.T @ w.flatten(0, 1)).view(3, 50, 4), dense.mT @ w)
    assert A.T.T.csr is A.csr


def test_a_product_has_derivatives_of_both_modes_and_of_second_order(programs):
    A = graph(programs[:1], dtype=f64).A
    v = torch.randn(50, 2, dtype=f64, requires_grad=True)

    def square(v):
        return (A @ v) ** 2

    assert torch.autograd.gradcheck(square, v, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(square, v)


def test_features_are_scaled_to_order_one(programs):
    x = graph(programs, dtype=f64)
    assert x.variables.shape == (150, 3)
    assert torch.equal(x.variables[:50, 0], programs.c[0] / 0.01)
    assert torch.equal(x.variables[50:100, 2], programs.u[1] / 10)
    assert torch.equal(x.constraints[10:20, 0], programs.b[1])
    assert torch.equal(x.constraints[20:, 1].bool(), programs.equality[2])
    assert torch.equal(x.l, programs.l)
