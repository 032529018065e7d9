"""equilibria.derivatives: products against closed forms, Krylov spaces against dense algebra."""

import torch
from equilibria import derivatives
from equilibria.derivatives import Arnoldi
from fixed_point_problems import generator

FLOAT = torch.float64


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=FLOAT)


def test_products_of_a_cubic():
    y, v = draw(3, 4), draw(3, 4, seed=1)
    for two_backwards in (False, True):
        value, pushed, used = derivatives.tangent(torch.Tensor.square, y, v, two_backwards)
        torch.testing.assert_close(value, y**2)
        torch.testing.assert_close(pushed, 2 * y * v)
        assert used == two_backwards
    linear = derivatives.linearise(torch.sin, y)
    torch.testing.assert_close(linear.jvp(v), y.cos() * v)
    torch.testing.assert_close(linear.vjp(v), y.cos() * v)


def test_constants_have_no_slope():
    y, v = draw(3, 4), draw(3, 4, seed=1)
    assert derivatives.pushforward(torch.ones_like, y, v)[1].abs().max() == 0
    assert derivatives.linearise(torch.ones_like, y) is None


def test_orthogonalise_leaves_nothing_along_the_basis():
    """Also when w almost lies in the space, where one pass would leave rounding of |w|."""
    basis = torch.linalg.qr(draw(2, 30, 5))[0].mT  # (B, 5, n)
    w = (draw(2, 1, 5, seed=1) @ basis)[:, 0] + 1e-10 * draw(2, 30, seed=2)
    rest, components = derivatives.orthogonalise(w, basis)
    along = (basis @ rest[:, :, None]).abs().amax(dim=(1, 2))
    assert (along <= 1e-14 * rest.norm(dim=1)).all()
    torch.testing.assert_close(rest + (components[:, None] @ basis)[:, 0], w)


def test_arnoldi_solves_least_squares_problems_in_krylov_spaces():
    """One sample grows in each step, the other in every second one."""
    a, r = draw(2, 12, 12), draw(2, 12, seed=1)
    norm = r.norm(dim=1)
    space = Arnoldi.empty(r, 6)
    space.restart(torch.tensor([True, True]), r, norm)
    for step in range(4):
        product = (a @ space.newest()[:, :, None])[:, :, 0]
        active = torch.tensor([True, step % 2 == 0])
        assert not space.extend(product, active).any()
    assert space.column.tolist() == [4, 2]
    c, left = space.least_squares(norm)
    solution = space.combine(c)
    for i, size in enumerate((4, 2)):
        powers = [torch.linalg.matrix_power(a[i], k) @ r[i] for k in range(size)]
        krylov = torch.stack(powers, dim=1)
        best = krylov @ torch.linalg.lstsq(a[i] @ krylov, r[i][:, None]).solution[:, 0]
        torch.testing.assert_close(solution[i], best, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(left[i], (r[i] - a[i] @ best).norm(), rtol=1e-8, atol=0)


def test_a_full_or_invariant_space_is_exhausted():
    r = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]], dtype=FLOAT)
    a = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=FLOAT))
    space = Arnoldi.empty(r, 2)
    both = torch.tensor([True, True])
    space.restart(both, r, r.norm(dim=1))
    assert space.extend(space.newest() @ a, both).tolist() == [True, False]  # an eigenvector
    assert space.extend(space.newest() @ a, both).tolist() == [True, True]  # full
