"""equilibria.adjoints: gradients against closed forms, finite differences, unrolling and their own formulas; memory; failures."""

import equilibria as eq
import pytest
import torch
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
from fixed_point_problems import generator

B, N = 3, 6
CONSTANT_MEMORY = [Implicit(), Phantom(), JacobianFree()]
name = lambda value: type(value).__name__


class Linear(torch.nn.Module):
    """G(y, x) = A y + x with |A| = 0.7."""

    def __init__(self):
        super().__init__()
        a = torch.randn(N, N, generator=generator(0), dtype=torch.float64)
        self.a = torch.nn.Parameter(0.7 * a / torch.linalg.matrix_norm(a, 2))
        self.unused = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, y, x):
        return y @ self.a.T + x


class Network(torch.nn.Module):
    """G(y, x) = tanh(W y + U x + b), a contraction of modulus 0.6."""

    def __init__(self):
        super().__init__()
        w, u = torch.randn(2, N, N, generator=generator(1), dtype=torch.float64)
        self.w = torch.nn.Parameter(0.6 * w / torch.linalg.matrix_norm(w, 2))
        self.u, self.b = (
            torch.nn.Parameter(u),
            torch.nn.Parameter(torch.full((N,), 0.1, dtype=torch.float64)),
        )

    def forward(self, y, x):
        return torch.tanh(y @ self.w.T + x @ self.u.T + self.b)


def draw(seed):
    return torch.randn(B, N, generator=generator(seed), dtype=torch.float64)


def gradients(G, adjoint, *, weight=None, **settings):
    """Gradients of sum(weight * y*) with respect to x and every parameter in use; and y*."""
    x = draw(2).requires_grad_()
    weight = draw(3) if weight is None else weight
    settings = dict(max_steps=200, tol=1e-13) | settings
    y = eq.equilibrium(G, torch.zeros_like(x), x, adjoint=adjoint, **settings).y
    wanted = [x, *(p for key, p in G.named_parameters() if key != "unused")]
    return torch.autograd.grad((weight * y).sum(), wanted), y


def close(found, expected, tolerance):
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() < tolerance


def linear_answer(inverse):
    """(dx, dA) for adjoint state u = inverse' g at the exact y*."""
    G, x, g = Linear(), draw(2), draw(3)
    y = torch.linalg.solve(torch.eye(N, dtype=torch.float64) - G.a, x.T).T
    u = g @ inverse(G.a)
    return (u, u.T @ y)


# ----------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    "adjoint",
    [
        Implicit(tol=1e-12),
        Implicit(method=Picard(), tol=1e-12, max_steps=300),
        Implicit(method=Broyden(), tol=1e-12),
    ],
    ids=["Anderson", "Picard", "Broyden"],
)
@pytest.mark.parametrize("method", [Anderson(), Picard(), Broyden(), NewtonKrylov()], ids=name)
def test_implicit_is_the_closed_form_for_linear_g(method, adjoint):
    found, _ = gradients(Linear(), adjoint, method=method)
    close(
        found,
        linear_answer(lambda a: torch.linalg.inv(torch.eye(N, dtype=torch.float64) - a)),
        1e-8,
    )


@pytest.mark.parametrize(("steps", "damping"), [(1, 1.0), (3, 0.8), (7, 0.3)])
def test_phantom_is_its_formula_for_linear_g(steps, damping):
    def inverse(a):
        eye = torch.eye(N, dtype=torch.float64)
        return damping * sum(
            torch.linalg.matrix_power((1 - damping) * eye + damping * a, k) for k in range(steps)
        )

    found, _ = gradients(Linear(), Phantom(steps=steps, damping=damping))
    close(found, linear_answer(inverse), 1e-10)


def test_jacobian_free_is_its_formula():
    found, _ = gradients(Linear(), JacobianFree())
    close(found, linear_answer(lambda a: torch.eye(N, dtype=torch.float64)), 1e-10)


def test_adjoint_budget_is_a_neumann_sum():
    """With tol=None and Picard, k vjps from g give u = sum_{i <= k} (J')^i g: the paper's 20 adjoint iterations."""
    inverse = lambda a: sum(torch.linalg.matrix_power(a, k) for k in range(6))
    found, _ = gradients(Linear(), Implicit(method=Picard(), max_steps=5, tol=None))
    close(found, linear_answer(inverse), 1e-10)


def test_implicit_agrees_with_unrolled_on_a_network():
    implicit, y = gradients(Network(), Implicit(tol=1e-12))
    unrolled, z = gradients(Network(), Unrolled(), method=Picard(), tol=None)
    close(implicit, unrolled, 1e-9)
    close([y], [z], 1e-11)


def test_phantom_and_jacobian_free_agree_with_autograd_at_the_solution_of_a_network():
    for adjoint in (JacobianFree(), Phantom(steps=4, damping=0.5)):
        G, x = Network(), draw(2).requires_grad_()
        found, y = gradients(G, adjoint)
        z, steps, damping = (
            y.detach(),
            getattr(adjoint, "steps", 1),
            getattr(adjoint, "damping", 1.0),
        )
        for _ in range(steps):
            z = (1 - damping) * z + damping * G(z, x)
        close(found, torch.autograd.grad((draw(3) * z).sum(), [x, *G.parameters()]), 1e-12)


@pytest.mark.parametrize(
    ("adjoint", "method"),
    [(Implicit(tol=1e-13), Anderson()), (Unrolled(), Picard())],
    ids=["Implicit", "Unrolled"],
)
def test_gradcheck(adjoint, method):
    G = Network()

    def solved(x, w, b):
        evaluate = lambda y, x: torch.tanh(y @ w.T + x @ G.u.detach().T + b)
        return eq.equilibrium(
            evaluate,
            torch.zeros_like(x),
            x,
            method=method,
            max_steps=200,
            tol=1e-13,
            adjoint=adjoint,
        ).y

    inputs = (draw(2).requires_grad_(), G.w, G.b)
    assert torch.autograd.gradcheck(solved, inputs, eps=1e-6, atol=1e-7, rtol=1e-6)


def test_unrolled_can_be_differentiated_twice_and_the_others_refuse():
    solved = lambda x: (
        eq.equilibrium(
            Network(), torch.zeros_like(x), x, method=Picard(), max_steps=40, adjoint=Unrolled()
        ).y
    )
    assert torch.autograd.gradgradcheck(solved, (draw(2).requires_grad_(),), atol=1e-6)
    for adjoint in CONSTANT_MEMORY:
        x = draw(2).requires_grad_()
        y = eq.equilibrium(Network(), torch.zeros_like(x), x, adjoint=adjoint).y
        with pytest.raises(RuntimeError, match="first derivatives only.*Unrolled"):
            torch.autograd.grad(y.sum(), x, create_graph=True)


def test_unrolled_reaches_y0_and_stops_each_sample_on_its_own():
    x = torch.tensor([[0.1], [0.9]], dtype=torch.float64)
    y0 = torch.ones_like(x, requires_grad=True)
    solution = eq.equilibrium(
        lambda y, x: x * y + 1, y0, x, method=Picard(), max_steps=500, tol=1e-6, adjoint=Unrolled()
    )
    (slope,) = torch.autograd.grad(solution.y.sum(), y0)
    assert solution.steps[0] < 10 < solution.steps[1]
    torch.testing.assert_close(slope, x ** (solution.steps[:, None] - 1), rtol=1e-12, atol=0)


@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=name)
def test_gradients_reach_modules_inputs_and_closures_and_miss_what_is_unused(adjoint):
    G, scale = Linear(), torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    class Input:
        bias = draw(4).requires_grad_()

    y = eq.equilibrium(
        lambda y, x: scale * G(y, x.bias),
        torch.zeros(B, N, dtype=torch.float64),
        Input(),
        adjoint=adjoint,
        max_steps=100,
        tol=1e-10,
    ).y
    y.sum().backward()
    assert Input.bias.grad.abs().sum() > 0 and G.a.grad.abs().sum() > 0 and scale.grad.abs() > 0
    assert G.unused.grad is None


@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=name)
def test_the_adjoint_does_not_change_the_answer(adjoint):
    G, x = Network(), draw(2)
    plain = eq.solve(G, torch.zeros_like(x), x, max_steps=7)
    for budget in (plain, eq.equilibrium(G, torch.zeros_like(x), x, max_steps=7, adjoint=adjoint)):
        assert (
            torch.equal(budget.y, plain.y)
            and torch.equal(budget.residuals, plain.residuals)
            and torch.equal(budget.steps, plain.steps)
        )
    with torch.no_grad():
        assert not eq.equilibrium(
            G, torch.zeros_like(x), x, max_steps=7, adjoint=adjoint
        ).y.requires_grad


def test_implicit_when_g_ignores_y():
    x = draw(2).requires_grad_()
    y = eq.equilibrium(lambda y, x: 2 * x, torch.zeros(B, N, dtype=torch.float64), x, tol=1e-10).y
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.full_like(x, 2))


# -------------------------------------------------------------------------------------------------------------- memory


def saved_bytes(adjoint, steps, method):
    G, x = Network(), draw(2).requires_grad_()
    found = training.saved_bytes(
        lambda: (
            eq.equilibrium(
                G, torch.zeros_like(x), x, method=method, max_steps=steps, adjoint=adjoint
            ).y
        )
    )
    assert found > 0
    return found


@pytest.mark.parametrize("method", [Picard(), Anderson()], ids=name)
@pytest.mark.parametrize("adjoint", CONSTANT_MEMORY, ids=name)
def test_saved_bytes_do_not_depend_on_the_number_of_steps(adjoint, method):
    assert saved_bytes(adjoint, 10, method) == saved_bytes(adjoint, 200, method)


def test_saved_bytes_of_unrolled_grow_with_the_number_of_steps():
    few, some, many = (saved_bytes(Unrolled(), steps, Picard()) for steps in (10, 110, 210))
    assert many - some == some - few >= 100 * B * N * 8  # at least one state per step


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize("adjoint", [*CONSTANT_MEMORY, Unrolled()], ids=name)
def test_a_failed_forward_solve_raises_or_says_so(adjoint):
    x = torch.tensor([[0.5], [3.0]], dtype=torch.float64, requires_grad=True)
    G = lambda y, x: x * y + 1
    settings = dict(method=Picard(), max_steps=60, tol=1e-6, adjoint=adjoint)
    with pytest.raises(eq.SolveError, match="1 of 2 samples DIVERGED"):
        eq.equilibrium(G, torch.zeros(2, 1, dtype=torch.float64), x, **settings)
    solution = eq.equilibrium(G, torch.zeros(2, 1, dtype=torch.float64), x, throw=False, **settings)
    assert solution.success.tolist() == [True, False]


def test_a_failed_adjoint_solve_raises_warns_and_is_recorded():
    records = []
    settings = dict(tol=1e-12, max_steps=3)
    with pytest.raises(
        eq.SolveError, match="adjoint solve failed: 3 of 3 samples BUDGET_SPENT"
    ) as caught:
        gradients(Linear(), Implicit(record=records.append, **settings))
    assert caught.value.solution is records[0]
    assert records[0].steps.tolist() == [3, 3, 3]
    with pytest.warns(RuntimeWarning, match="adjoint solve failed"):
        found, _ = gradients(Linear(), Implicit(throw=False, **settings))
    exact = linear_answer(lambda a: torch.linalg.inv(torch.eye(N, dtype=torch.float64) - a))
    assert 1e-6 < (found[0] - exact[0]).abs().max() < 1  # three steps: near, and not there


def test_a_diverging_adjoint_raises():
    """Anderson finds y* of an expansive map; Picard cannot find its adjoint."""
    x = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([-4.0, -0.5, 0.5], dtype=torch.float64)
    solved = lambda adjoint: (
        eq.equilibrium(
            lambda y, x: slope * y + x,
            torch.zeros(2, 3, dtype=torch.float64),
            x,
            tol=1e-10,
            adjoint=adjoint,
        ).y
    )
    with pytest.raises(eq.SolveError, match="adjoint solve failed: 2 of 2 samples DIVERGED"):
        solved(Implicit(method=Picard(), tol=1e-10)).sum().backward()
    (found,) = torch.autograd.grad(solved(Implicit(tol=1e-10)).sum(), x)
    torch.testing.assert_close(found, (1 / (1 - slope)).expand(2, 3), rtol=1e-8, atol=0)


@pytest.mark.parametrize(
    ("error", "match", "build"),
    [
        (TypeError, "method must be .* got 'picard'", lambda: Implicit(method="picard")),
        (
            TypeError,
            "method must be a Picard, Anderson or Broyden object, got NewtonKrylov",
            lambda: Implicit(method=NewtonKrylov()),
        ),
        (ValueError, "max_steps must be at least 1, got 0", lambda: Implicit(max_steps=0)),
        (ValueError, "tol must be in .* got -1", lambda: Implicit(tol=-1)),
        (TypeError, "record must be callable or None, got 3", lambda: Implicit(record=3)),
        (TypeError, "throw must be a bool, got 1", lambda: Implicit(throw=1)),
        (ValueError, "steps must be at least 1, got 0", lambda: Phantom(steps=0)),
        (ValueError, "damping must be in .* got 2", lambda: Phantom(damping=2)),
        (TypeError, "memory", lambda: JacobianFree(memory=1)),
    ],
)
def test_impossible_settings_are_refused_when_built(error, match, build):
    with pytest.raises(error, match=match):
        build()


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (TypeError, "adjoint must be .* got <class", dict(adjoint=Implicit)),
        (
            ValueError,
            r"method must be Picard for adjoint=Unrolled\(\), got Anderson",
            dict(adjoint=Unrolled()),
        ),
        (
            ValueError,
            "adjoint.tol must be at least .*torch.float32, got 1e-09",
            dict(adjoint=Implicit(tol=1e-9)),
        ),
        (ValueError, "max_steps must be at least 1, got 0", dict(max_steps=0)),
        (TypeError, "throw must be a bool", dict(throw=None)),
        (TypeError, "tolerance", dict(tolerance=1e-3)),
    ],
)
def test_bad_input_is_refused_before_the_first_evaluation(error, match, change):
    def G(y, x):
        raise AssertionError("G was evaluated")

    with pytest.raises(error, match=match):
        eq.equilibrium(G, torch.zeros(2, 3), torch.ones(2, 3), **change)
