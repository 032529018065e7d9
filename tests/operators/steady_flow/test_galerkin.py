"""The dense equation on few wavenumbers against the one on the grid."""

import torch
from equilibria.operators.steady_flow import Galerkin
from equilibria.problems.flow_equation import curl, linearised, manufacture
from steady_flows import NU, field, largest_error


def test_the_dense_equation_is_that_of_the_grid():
    space = Galerkin(4, NU)
    x, dx = space.down(field(2, 32))
    w, dw = space.up(x, 32)[None], space.up(dx, 32)[None]
    assert largest_error(space.down(w), x[None]) < 1e-12
    left, derivative = space.equation(x)
    expected = space.down(curl(manufacture(w, NU)))[0]
    torch.testing.assert_close(left, expected, atol=1e-12, rtol=0)
    expected = space.down(curl(linearised(w, dw, NU)))[0]
    torch.testing.assert_close(derivative @ dx, expected, atol=1e-12, rtol=0)


def test_newton_finds_the_flow_nearby_and_otherwise_stays():
    space = Galerkin(4, NU)
    (x,) = space.down(field(1, 32))
    c = space.equation(x)[0]
    found = space.newton(1.01 * x, c)
    torch.testing.assert_close(found, x, rtol=1e-7, atol=1e-9)
    far = torch.full_like(x, 1e3)
    assert torch.equal(space.newton(far, c), far)


def test_a_space_fits_its_grid():
    assert Galerkin.fitting(16, NU, largest=8).size == 2 * 5 + 1
    assert Galerkin.fitting(64, NU, largest=8).size == 2 * 8 + 1
