"""equilibria.adjoints: gradients against closed forms, unrolling and finite differences; memory."""

import equilibria as eq
import pytest
import torch
from differentiable_operators import BATCH, Linear, N, Network, draw, inverse_of_residual
from equilibria import (
    Anderson,
    Broyden,
    Implicit,
    JacobianFree,
    NewtonKrylov,
    Phantom,
    Picard,
    Unrolled,
    training,
)
from fixed_point_problems import dense, generator, symmetric

CONSTANT_MEMORY = [Implicit(), Phantom(), JacobianFree()]
FLOAT = torch.float64


def type_name(value):
    return type(value).__name__


def gradients(G, adjoint, **settings):
    """Gradients of sum(weight * y*) with respect to x and every parameter in use; and y*."""
    x = draw(2).requires_grad_()
    settings = {"max_steps": 200, "tol": 1e-13} | settings
    y = eq.equilibrium(G, torch.zeros_like(x), x, adjoint=adjoint, **settings).y
    parameters = [parameter for name, parameter in G.named_parameters() if name != "unused"]
    return torch.autograd.grad((draw(3) * y).sum(), [x, *parameters]), y


def assert_close(results, expected, tolerance):
    for result, value in zip(results, expected, strict=True):
        assert (result - value).abs().max() < tolerance


def linear_answer(inverse):
    """(dx, dA) for an adjoint state u = inverse(A)' g, at the exact y*."""
    G, x, g = Linear(), draw(2), draw(3)
    y = x @ inverse_of_residual(G.a).T
    u = g @ inverse(G.a)
    return u, u.T @ y


# --------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    "adjoint",
    [
        Implicit(tol=1e-12),
        Implicit(method=Picard(), tol=1e-12, max_steps=300),
        Implicit(method=Broyden(), tol=1e-12),
    ],
    ids=["Anderson", "Picard", "Broyden"],
)
@pytest.mark.parametrize("method", [Anderson(), Picard(), Broyden(), NewtonKrylov()], ids=type_name)
def test_implicit_is_the_closed_form_for_linear_g(method, adjoint):
    result, _ = gradients(Linear(), adjoint, method=method)
    assert_close(result, linear_answer(inverse_of_residual), 1e-8)


@pytest.mark.parametrize(("steps", "damping"), [(1, 1.0), (3, 0.8), (7, 0.3)])
def test_phantom_is_its_formula_for_linear_g(steps, damping):
    def inverse(a):
        step = (1 - damping) * torch.eye(N, dtype=FLOAT) + damping * a
        return damping * sum(torch.linalg.matrix_power(step, k) for k in range(steps))

    result, _ = gradients(Linear(), Phantom(steps=steps, damping=damping))
    assert_close(result, linear_answer(inverse), 1e-10)


def test_jacobian_free_is_its_formula():
    result, _ = gradients(Linear(), JacobianFree())
    assert_close(result, linear_answer(lambda a: torch.eye(N, dtype=FLOAT)), 1e-10)


def test_adjoint_budget_is_a_neumann_sum():
    """With tol=None and Picard, k products from g give u = sum_{i <= k} (J')^i g.

    These are the paper's 20 adjoint iterations.
    """

    def inverse(a):
        return sum(torch.linalg.matrix_power(a, k) for k in range(6))

    result, _ = gradients(Linear(), Implicit(method=Picard(), max_steps=5, tol=None))
    assert_close(result, linear_answer(inverse), 1e-10)


def test_implicit_agrees_with_unrolled_on_a_network():
    implicit, y = gradients(Network(), Implicit(tol=1e-12))
    unrolled, z = gradients(Network(), Unrolled(), method=Picard(), tol=None)
    assert_close(implicit, unrolled, 1e-9)
    assert_close([y], [z], 1e-11)


@pytest.mark.parametrize("adjoint", [JacobianFree(), Phantom(steps=4, damping=0.5)], ids=type_name)
def test_attached_steps_agree_with_autograd_at_the_solution_of_a_network(adjoint):
    G, x = Network(), draw(2).requires_grad_()
    result, y = gradients(G, adjoint)
    z = y.detach()
    damping = getattr(adjoint, "damping", 1.0)
    for _ in range(getattr(adjoint, "steps", 1)):
        z = (1 - damping) * z + damping * G(z, x)
    expected = torch.autograd.grad((draw(3) * z).sum(), [x, *G.parameters()])
    assert_close(result, expected, 1e-12)


@pytest.mark.parametrize(
    ("adjoint", "method"),
    [(Implicit(tol=1e-13), Anderson()), (Unrolled(), Picard())],
    ids=["Implicit", "Unrolled"],
)
def test_gradcheck(adjoint, method):
    G = Network()
    u = G.u.detach()
    settings = {"method": method, "max_steps": 200, "tol": 1e-13, "adjoint": adjoint}

    def solved(x, w, b):
        def evaluate(y, x):
            return torch.tanh(y @ w.T + x @ u.T + b)

        return eq.equilibrium(evaluate, torch.zeros_like(x), x, **settings).y

    inputs = (draw(2).requires_grad_(), G.w, G.b)
    assert torch.autograd.gradcheck(solved, inputs, eps=1e-6, atol=1e-7, rtol=1e-6)


def test_unrolled_can_be_differentiated_twice():
    settings = {"method": Picard(), "max_steps": 40, "adjoint": Unrolled()}

    def solved(x):
        return eq.equilibrium(Network(), torch.zeros_like(x), x, **settings).y

    assert torch.autograd.gradgradcheck(solved, (draw(2).requires_grad_(),), atol=1e-6)


@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=type_name)
def test_the_others_refuse_a_second_derivative(adjoint):
    x = draw(2).requires_grad_()
    y = eq.equilibrium(Network(), torch.zeros_like(x), x, adjoint=adjoint).y
    with pytest.raises(RuntimeError, match=r"first derivatives only.*Unrolled"):
        torch.autograd.grad(y.sum(), x, create_graph=True)


def test_unrolled_reaches_y0_and_stops_each_sample_on_its_own():
    x = torch.tensor([[0.1], [0.9]], dtype=FLOAT)
    y0 = torch.ones_like(x, requires_grad=True)
    settings = {"method": Picard(), "max_steps": 500, "tol": 1e-6, "adjoint": Unrolled()}
    solution = eq.equilibrium(lambda y, x: x * y + 1, y0, x, **settings)
    (slope,) = torch.autograd.grad(solution.y.sum(), y0)
    assert solution.steps[0] < 10 < solution.steps[1]
    torch.testing.assert_close(slope, x ** (solution.steps[:, None] - 1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=type_name)
def test_gradients_reach_modules_inputs_and_closures_and_miss_what_is_unused(adjoint):
    G = Linear()
    scale = torch.tensor(0.5, dtype=FLOAT, requires_grad=True)

    class Input:
        bias = draw(4).requires_grad_()

    def scaled(y, x):
        return scale * G(y, x.bias)

    y0 = torch.zeros(BATCH, N, dtype=FLOAT)
    settings = {"adjoint": adjoint, "max_steps": 100, "tol": 1e-10}
    eq.equilibrium(scaled, y0, Input(), **settings).y.sum().backward()
    assert Input.bias.grad.abs().sum() > 0
    assert G.a.grad.abs().sum() > 0
    assert scale.grad.abs() > 0
    assert G.unused.grad is None


@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=type_name)
def test_the_adjoint_does_not_change_the_answer(adjoint):
    G, x = Network(), draw(2)
    plain = eq.solve(G, torch.zeros_like(x), x, max_steps=7)
    solution = eq.equilibrium(G, torch.zeros_like(x), x, max_steps=7, adjoint=adjoint)
    assert torch.equal(solution.y, plain.y)
    assert torch.equal(solution.residuals, plain.residuals)
    assert torch.equal(solution.steps, plain.steps)
    with torch.no_grad():
        solution = eq.equilibrium(G, torch.zeros_like(x), x, max_steps=7, adjoint=adjoint)
    assert not solution.y.requires_grad


def test_implicit_when_g_ignores_y():
    x = draw(2).requires_grad_()
    y = eq.equilibrium(lambda y, x: 2 * x, torch.zeros(BATCH, N, dtype=FLOAT), x, tol=1e-10).y
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.full_like(x, 2))


# ------------------------------------------------------------------------- the adjoint's tolerance


def error_beside_a_dense_solve(adjoint):
    """Largest error of the gradient of sum(weight * y*), which is (1 - A)^-T weight."""
    problem = symmetric(n=60, largest=0.9)
    weight = torch.randn(1, 60, generator=generator(7), dtype=FLOAT)
    x = problem.x.clone().requires_grad_()
    settings = {"max_steps": 500, "tol": 1e-12, "adjoint": adjoint}
    y = eq.equilibrium(problem.G, problem.y0, x, **settings).y
    (gradient,) = torch.autograd.grad((weight * y).sum(), x)
    residual = torch.eye(60, dtype=FLOAT) - dense(problem)
    return (gradient - torch.linalg.solve(residual.T, weight[0])).abs().max()


@pytest.mark.parametrize("method", [Anderson(), Picard(), Broyden()], ids=type_name)
def test_a_tight_solve_gives_tight_gradients_by_default(method):
    """The adjoint's tolerance follows the forward one; a fixed 1e-5 would show."""
    assert error_beside_a_dense_solve(Implicit(method=method, max_steps=500)) < 1e-9
    loose = Implicit(method=method, max_steps=500, tol=1e-5)
    assert error_beside_a_dense_solve(loose) > 1e-7


def test_a_tolerance_that_is_given_is_used():
    records = []
    adjoint = Implicit(method=Picard(), tol=1e-5, record=records.append)
    gradients(Linear(), adjoint, tol=1e-12)
    last = records[0].residuals.gather(1, records[0].steps[:, None] - 1)
    assert (last <= 1e-5).all()
    assert (last > 1e-7).all()


@pytest.mark.parametrize(
    ("given", "forward", "dtype", "expected"),
    [
        ("forward", 1e-12, torch.float64, 1e-12),
        ("forward", None, torch.float64, 1e-5),  # a budget has no tolerance to follow
        ("forward", None, torch.float32, 1e-5),
        ("forward", 2e-7, torch.float32, 10 * torch.finfo(torch.float32).eps),
        (1e-4, 1e-12, torch.float64, 1e-4),
        (None, 1e-12, torch.float64, None),
    ],
)
def test_tolerance_of_the_adjoint_solve(given, forward, dtype, expected):
    assert Implicit(tol=given).tol_for(forward, dtype) == expected


def test_a_forward_tolerance_at_the_resolution_of_its_dtype_has_gradients():
    G = Linear().float()
    x = draw(2).float().requires_grad_()
    eps = torch.finfo(torch.float32).eps
    settings = {"max_steps": 200, "tol": 2 * eps, "throw": False}
    eq.equilibrium(G, torch.zeros_like(x), x, **settings).y.sum().backward()
    exact = (torch.ones_like(x) @ inverse_of_residual(G.a.double()).float()).detach()
    torch.testing.assert_close(x.grad, exact, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------ memory


def saved_bytes(adjoint, steps, method):
    G, x = Network(), draw(2).requires_grad_()
    settings = {"method": method, "max_steps": steps, "adjoint": adjoint}
    size = training.saved_bytes(lambda: eq.equilibrium(G, torch.zeros_like(x), x, **settings).y)
    assert size > 0
    return size


@pytest.mark.parametrize("method", [Picard(), Anderson()], ids=type_name)
@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=type_name)
def test_saved_bytes_do_not_depend_on_the_number_of_steps(adjoint, method):
    assert saved_bytes(adjoint, 10, method) == saved_bytes(adjoint, 200, method)


def test_saved_bytes_of_unrolled_grow_with_the_number_of_steps():
    few, some, many = (saved_bytes(Unrolled(), steps, Picard()) for steps in (10, 110, 210))
    assert many - some == some - few
    assert some - few >= 100 * BATCH * N * 8  # at least one state per step


def test_the_defaults_are_those_of_the_documentation():
    assert Implicit() == Implicit(method=Anderson(), max_steps=100, tol="forward", throw=True)
    assert Phantom() == Phantom(steps=3, damping=0.8)
    assert Implicit().tol_for(None, FLOAT) == 1e-5
    assert Implicit(tol=0.5).tol == 0.5 and Implicit(max_steps=1).max_steps == 1
    assert Phantom(steps=1, damping=1).damping == 1
