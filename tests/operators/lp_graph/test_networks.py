"""The networks equal messages written out edge by edge, and keep what the paper says of them."""

from dataclasses import replace

import pytest
import torch
from equilibria.operators.lp_graph import ExplicitGNN, ImplicitGNN, graph
from equilibria.problems import linear_programs as lp
from torch.nn.functional import linear, silu

NETWORKS = pytest.mark.parametrize(
    "network", [ExplicitGNN, ImplicitGNN], ids=["explicit", "implicit"]
)
f64 = torch.float64


@pytest.fixture(scope="module")
def programs():
    return lp.generate(6, seed=5, progress=False)


def new(network, width=8):
    torch.manual_seed(0)
    return network(width).double()


def answer(model, programs, y):
    """The explicit answer, or one iteration from y."""
    x = graph(programs, dtype=f64)
    if isinstance(model, ExplicitGNN):
        return model(x)
    return model(y, model.encode(x))


def answer_by_edges(model, programs, y):
    """The same as section 5.3 writes it: one message per edge, gathered and scattered."""
    return torch.stack([one_by_edges(model, programs[i], y[i]) for i in range(len(programs))])


def one_by_edges(model, one, y):
    implicit = isinstance(model, ImplicitGNN)
    row, column, value = one.rows[0], one.columns[0], one.values[0][:, None]
    variables = torch.stack([one.c[0] / 0.01, one.l[0] / 10, one.u[0] / 10], 1)
    constraints = torch.stack([one.b[0], one.equality[0].double()], 1)
    v = silu(apply(model.embed_variables, variables))
    c = silu(apply(model.embed_constraints, constraints))
    embedded = v
    for number, half in enumerate(model.halves):
        if number % 2 == 0:
            source, target, from_node, to_node = v, c, column, row
        else:
            source, target, from_node, to_node = c, v, row, column
        S, T = apply(half.source, source), apply(half.target, target)
        if implicit and number == 0:
            S = apply_with_y(half.source, embedded, model.see_source, y)
        if implicit and number == 1:
            T = apply_with_y(half.target, embedded, model.see_target, y)
        messages = silu(S)[from_node] * value
        message = torch.zeros(len(target), S.shape[1], dtype=f64).index_add(0, to_node, messages)
        # O([message, T]) with its two halves joined to one matrix
        weight = torch.cat([half.message.weight, half.own.weight], 1)
        joined = torch.cat([message, silu(T)], 1)
        out = silu(apply(half.out, silu(linear(joined, weight, half.message.bias))))
        if number % 2 == 0:
            c = out
        else:
            v = out
    share = torch.sigmoid(apply(model.head, v)[:, 0])
    result = one.l[0] + (one.u[0] - one.l[0]) * share
    return y + model.alpha * (result - y) if implicit else result


def apply(layer, h):
    return linear(h, layer.weight, layer.bias)


def apply_with_y(layer, h, see, y):
    """The layer on [h, y], with the column ``see`` for y."""
    weight = torch.cat([layer.weight, see[:, None]], 1)
    return linear(torch.cat([h, y[:, None] / 10], 1), weight, layer.bias)


@NETWORKS
@pytest.mark.parametrize("width", [3, 4, 8, 16])
def test_sparse_products_equal_messages_edge_by_edge(programs, network, width):
    model, y = new(network, width), torch.randn(6, 50, dtype=f64)
    expected = answer_by_edges(model, programs, y)
    torch.testing.assert_close(answer(model, programs, y), expected, rtol=1e-10, atol=1e-10)


@NETWORKS
def test_gradients_equal_those_of_messages_edge_by_edge(programs, network):
    model, y = new(network), torch.randn(6, 50, dtype=f64)
    target = torch.randn(6, 50, dtype=f64)
    gradients = []
    for form in (answer, answer_by_edges):
        loss = ((form(model, programs, y) - target) ** 2).sum()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for sparse, by_edges in zip(*gradients, strict=True):
        torch.testing.assert_close(sparse, by_edges, rtol=1e-9, atol=1e-9)


def test_derivatives_in_y(programs):
    model = new(ImplicitGNN, 4)
    q = model.encode(graph(programs[:1], dtype=f64))
    y = torch.randn(1, 50, dtype=f64, requires_grad=True)

    def G(y):
        return model(y, q)

    assert torch.autograd.gradcheck(G, y)
    tangent = torch.randn_like(y)
    pushed = torch.func.jvp(G, (y.detach(),), (tangent,))[1]
    numeric = (G(y + 1e-6 * tangent) - G(y - 1e-6 * tangent)) / 2e-6
    torch.testing.assert_close(pushed, numeric.detach(), rtol=1e-6, atol=1e-7)


@NETWORKS
def test_the_order_of_variables_and_constraints_does_not_matter(programs, network):
    model, y = new(network), torch.randn(6, 50, dtype=f64)
    variables, rows = torch.randperm(50), torch.randperm(10)
    parts = [reordered(programs[i], variables, rows) for i in range(6)]
    fields = {
        name: torch.cat([part.tensors()[name] for part in parts]) for name in parts[0].tensors()
    }
    before = answer(model, programs, y)
    after = answer(model, lp.LinearPrograms(**fields), y[:, variables])
    torch.testing.assert_close(after, before[:, variables], rtol=1e-9, atol=1e-9)


def reordered(one, variables, rows):
    return lp.from_arrays(
        A=one.dense()[0][rows][:, variables].numpy(),
        b=one.b[0][rows].numpy(),
        c=one.c[0][variables].numpy(),
        l=one.l[0][variables].numpy(),
        u=one.u[0][variables].numpy(),
        senses=["=" if equality else "<=" for equality in one.equality[0][rows]],
        solved=False,
    )


@NETWORKS
def test_a_program_does_not_see_its_neighbours(programs, network):
    model, y = new(network), torch.randn(6, 50, dtype=f64)
    together = answer(model, programs, y)
    alone = torch.cat([answer(model, programs[i], y[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_damping_moves_no_fixed_point(programs):
    model, y = new(ImplicitGNN), torch.randn(6, 50, dtype=f64)
    with torch.no_grad():
        half = answer(model, programs, y) - y
        model.alpha_logit.fill_(30.0)  # alpha = 1
        full = answer(model, programs, y) - y
    torch.testing.assert_close(half, 0.5 * full, rtol=1e-10, atol=1e-10)


def test_the_state_is_the_answer_and_starts_at_zero(programs):
    model = new(ImplicitGNN)
    y = model.start(model.encode(graph(programs, dtype=f64)))
    assert torch.equal(y, torch.zeros(6, 50, dtype=f64))
    assert model.decode(y) is y


def test_answers_lie_between_the_bounds(programs):
    y = ExplicitGNN(8)(graph(programs))
    assert (y >= programs.l.float() - 1e-5).all()
    assert (y <= programs.u.float() + 1e-5).all()


def test_the_papers_sizes_and_start():
    def size(model):
        return sum(weight.numel() for weight in model.parameters())

    model = ImplicitGNN(8)
    assert size(model) - size(ExplicitGNN(8)) == 2 * 8 + 1  # two columns that see y, and alpha
    weight = model.halves[2].out.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), rtol=0, atol=1e-5)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer.bias is not None:
            assert (layer.bias == 0).all()


@pytest.mark.parametrize(("width", "error"), [(0, ValueError), (4.0, TypeError)])
def test_an_impossible_width_is_refused(width, error):
    with pytest.raises(error, match=f"width must be .*, got {width}"):
        ImplicitGNN(width)


def test_an_infinite_bound_is_refused(programs):
    with pytest.raises(ValueError, match="must have finite l and u"):
        graph(replace(programs, u=programs.u * torch.inf))
