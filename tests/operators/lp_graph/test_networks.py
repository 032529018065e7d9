"""The graph networks: equal to messages written out edge by edge, blind to the order of nodes, damped as they say."""

from dataclasses import replace

import pytest
import torch
from equilibria.operators.lp_graph import ExplicitGNN, ImplicitGNN, graph
from equilibria.problems import linear_programs as lp
from torch.nn import functional

KINDS = pytest.mark.parametrize("kind", [ExplicitGNN, ImplicitGNN], ids=["explicit", "implicit"])


@pytest.fixture(scope="module")
def programs():
    return lp.generate(6, seed=5, progress=False)


def model_of(kind, width=8):
    torch.manual_seed(0)
    return kind(width).double()


def answer(model, x, y):
    return model(x) if isinstance(model, ExplicitGNN) else model(y, x)


def by_edges(model, programs, y):
    """The same network as paper, section 5.3 writes it: one message an edge, gathered and scattered, features joined."""
    dense = lambda layer, h: functional.linear(h, layer.weight, layer.bias)  # noqa: E731
    act, results = functional.silu, []
    for i in range(len(programs)):
        one = programs[i]
        row, column, value = one.rows[0], one.columns[0], one.values[0][:, None]
        v = torch.stack([one.c[0] / 0.01, one.l[0] / 10, one.u[0] / 10], 1)
        v = act(dense(model.embed_variables, v))
        c = act(
            dense(model.embed_constraints, torch.stack([one.b[0], one.equality[0].double()], 1))
        )
        implicit = isinstance(model, ImplicitGNN)
        weight = lambda layer, see: torch.cat([layer.weight, see[:, None]], 1)  # noqa: E731
        seen = y[i][:, None] / 10
        first = torch.cat([v, seen], 1) if implicit else v
        for half, layer in enumerate(model.halves):
            source, target, index, to = (
                (v, c, column, row) if half % 2 == 0 else (c, v, row, column)
            )
            joint_source = implicit and half == 0
            joint_target = implicit and half == 1
            S = (
                functional.linear(first, weight(layer.source, model.see_source), layer.source.bias)
                if joint_source
                else dense(layer.source, source)
            )
            T = (
                functional.linear(first, weight(layer.target, model.see_target), layer.target.bias)
                if joint_target
                else dense(layer.target, target)
            )
            message = torch.zeros(len(target), S.shape[1], dtype=S.dtype).index_add(
                0, to, act(S)[index] * value
            )
            joined = torch.cat([message, act(T)], 1)
            hidden = act(
                functional.linear(
                    joined,
                    torch.cat([layer.message.weight, layer.own.weight], 1),
                    layer.message.bias,
                )
            )
            out = act(dense(layer.out, hidden))
            v, c = (v, out) if half % 2 == 0 else (out, c)
        result = one.l[0] + (one.u[0] - one.l[0]) * torch.sigmoid(dense(model.head, v)[:, 0])
        results.append(y[i] + model.alpha * (result - y[i]) if implicit else result)
    return torch.stack(results)


@KINDS
@pytest.mark.parametrize("width", [3, 4, 8, 16])
def test_sparse_products_equal_messages_edge_by_edge(programs, kind, width):
    model, y = model_of(kind, width), torch.randn(6, 50, dtype=torch.float64)
    torch.testing.assert_close(
        answer(model, graph(programs, dtype=torch.float64), y),
        by_edges(model, programs, y),
        rtol=1e-10,
        atol=1e-10,
    )


@KINDS
def test_gradients_equal_those_of_messages_edge_by_edge(programs, kind):
    model, y = model_of(kind), torch.randn(6, 50, dtype=torch.float64)
    target = torch.randn(6, 50, dtype=torch.float64)
    gradients = []
    for result in (
        answer(model, graph(programs, dtype=torch.float64), y),
        by_edges(model, programs, y),
    ):
        gradients.append(
            torch.autograd.grad(((result - target) ** 2).sum(), list(model.parameters()))
        )
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_derivatives_in_y(programs):
    model, x = model_of(ImplicitGNN, 4), graph(programs[:1], dtype=torch.float64)
    y = torch.randn(1, 50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: model(y, x), y)
    tangent = torch.randn_like(y)
    forward = torch.func.jvp(lambda y: model(y, x), (y.detach(),), (tangent,))[1]
    numeric = (model(y + 1e-6 * tangent, x) - model(y - 1e-6 * tangent, x)) / 2e-6
    torch.testing.assert_close(forward, numeric.detach(), rtol=1e-6, atol=1e-7)


@KINDS
def test_the_order_of_variables_and_constraints_does_not_matter(programs, kind):
    model, y = model_of(kind), torch.randn(6, 50, dtype=torch.float64)
    A = programs.dense()
    new, rows = torch.randperm(50), torch.randperm(10)
    parts = []
    for i in range(6):
        moved = [
            A[i][rows][:, new],
            programs.b[i][rows],
            programs.c[i][new],
            programs.l[i][new],
            programs.u[i][new],
        ]
        parts.append(
            lp.from_arrays(
                *(v.numpy() for v in moved),
                ["=" if e else "<=" for e in programs.equality[i][rows]],
                solved=False,
            )
        )
    moved = replace(
        parts[0], **{f: torch.cat([getattr(p, f) for p in parts]) for f in vars(parts[0])}
    )
    before, after = (
        answer(model, graph(programs, dtype=torch.float64), y),
        answer(model, graph(moved, dtype=torch.float64), y[:, new]),
    )
    torch.testing.assert_close(after, before[:, new], rtol=1e-9, atol=1e-9)


@KINDS
def test_a_program_does_not_see_its_neighbours(programs, kind):
    model, y = model_of(kind), torch.randn(6, 50, dtype=torch.float64)
    together = answer(model, graph(programs, dtype=torch.float64), y)
    alone = torch.cat(
        [answer(model, graph(programs[i], dtype=torch.float64), y[i : i + 1]) for i in range(6)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_damping_moves_no_fixed_point_and_the_encoding_changes_nothing(programs):
    model, x, y = (
        model_of(ImplicitGNN),
        graph(programs, dtype=torch.float64),
        torch.randn(6, 50, dtype=torch.float64),
    )
    with torch.no_grad():
        half = model(y, x) - y
        model.alpha_logit.fill_(30.0)  # alpha = 1
        full = model(y, x) - y
        torch.testing.assert_close(half, 0.5 * full, rtol=1e-10, atol=1e-10)
        assert torch.equal(model(y, model.encode(x)), model(y, x))


def test_answers_lie_between_the_bounds(programs):
    y = ExplicitGNN(8)(graph(programs))
    assert ((y >= programs.l.float() - 1e-5) & (y <= programs.u.float() + 1e-5)).all()


def test_the_paper_sizes_and_start():
    count = lambda model: sum(p.numel() for p in model.parameters())  # noqa: E731
    assert (
        count(ImplicitGNN(8)) - count(ExplicitGNN(8)) == 2 * 8 + 1
    )  # two columns that see y, and alpha
    model = ImplicitGNN(8)
    weight = model.halves[2].out.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), rtol=0, atol=1e-5)
    assert all(
        (layer.bias == 0).all()
        for layer in model.modules()
        if isinstance(layer, torch.nn.Linear) and layer.bias is not None
    )


def test_bad_input_is_refused(programs):
    with pytest.raises(ValueError, match="width must be a positive integer, got 0"):
        ImplicitGNN(0)
    with pytest.raises(ValueError, match="l and u must be finite"):
        graph(replace(programs, u=programs.u * torch.inf))
