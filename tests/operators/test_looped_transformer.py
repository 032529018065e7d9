"""The looped transformer: equal to the architecture written out naively, twice differentiable."""

import math
from dataclasses import replace

import pytest
import torch
from equilibria import Picard, lipschitz, solve, trajectory
from equilibria.derivatives import pushforward
from equilibria.operators.looped_transformer import Architecture
from looped_models import KINDS, SMALL, model_of, tokens_of


class Naive:
    """Huginn or the reasoning loop for one sequence: token by token, head by head, no batch.

    Rotations are products of complex numbers.
    """

    def __init__(self, model):
        self.weights = model.state_dict()
        self.architecture = model.architecture
        self.size = self.architecture.width // self.architecture.heads

    def weight(self, name):
        return self.weights[f"transformer.{name}.weight"]

    def norm(self, h, name):
        mean = h.pow(2).mean(-1, keepdim=True)
        return h / (mean + self.architecture.epsilon).sqrt() * self.weight(name)

    def turned(self, vector, position):
        pairs = torch.complex(vector[0::2].contiguous(), vector[1::2].contiguous())
        frequencies = [
            self.architecture.rope_base ** (-2 * i / self.size) for i in range(self.size // 2)
        ]
        angles = position * torch.tensor(frequencies, dtype=vector.dtype)
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten()

    def projection(self, h, name, part, head):
        """Query (part 0), key (1) or value (2) of one token in one head."""
        first = part * self.architecture.width + head * self.size
        rows = self.weight(f"{name}.attn.Wqkv")[first : first + self.size]
        vector = rows @ h
        if part < 2:
            vector = vector + self.weights[f"transformer.{name}.attn.qk_bias"][part, 0, head]
        return vector

    def score(self, h, name, head, i, j):
        q = self.projection(h[i], name, 0, head)
        k = self.projection(h[j], name, 1, head)
        if self.architecture.positions == "rotary":
            return self.turned(q, i) @ self.turned(k, j) / math.sqrt(self.size)
        slope = self.weights[f"transformer.{name}.attn.log_slope"][head].exp()
        return q @ k / math.sqrt(self.size) - slope * (i - j)

    def attention(self, h, name):
        rows = []
        for i in range(len(h)):
            parts = []
            for head in range(self.architecture.heads):
                scores = [self.score(h, name, head, i, j) for j in range(i + 1)]
                share = torch.stack(scores).softmax(0)
                values = [self.projection(h[j], name, 2, head) for j in range(i + 1)]
                parts.append(share @ torch.stack(values))
            rows.append(self.weight(f"{name}.attn.proj") @ torch.cat(parts))
        return torch.stack(rows)

    def mlp(self, h, name):
        both = h @ self.weight(f"{name}.mlp.fc").T
        gate, value = both.split(self.architecture.hidden, -1)
        silu = gate / (1 + (-gate).exp())
        return (silu * value) @ self.weight(f"{name}.mlp.proj").T

    def block(self, h, name):
        sandwich = self.architecture.norms == "sandwich"
        h = self.attention(self.norm(h, f"{name}.norm_1"), name) + h
        if sandwich:
            h = self.norm(h, f"{name}.norm_2")
        h = self.mlp(self.norm(h, f"{name}.norm_3"), name) + h
        if sandwich:
            h = self.norm(h, f"{name}.norm_4")
        return h

    def iterate(self, z, x):
        if self.architecture.injection == "adapter":
            z = torch.cat([z, x], 1) @ self.weight("adapter").T
        else:
            z = z + x
        for i in range(self.architecture.core):
            z = self.block(z, f"core_block.{i}")
        return self.norm(z, "state_norm") if self.architecture.state_norm else z

    def run(self, tokens, steps, start):
        """(logits, states)."""
        x = self.weight("wte")[tokens] * math.sqrt(self.architecture.width)
        for i in range(self.architecture.prelude):
            x = self.block(x, f"prelude.{i}")
        z, states = start, []
        for _ in range(steps):
            z = self.iterate(z, x)
            states.append(z)
        h = self.norm(z, "ln_f")
        for i in range(self.architecture.coda):
            h = self.block(h, f"coda.{i}")
        tied = self.architecture.tied
        head = self.weight("wte") if tied else self.weights["lm_head.weight"]
        return self.norm(h, "ln_f") @ head.T, torch.stack(states)


@KINDS
def test_it_is_the_architecture_written_out(architecture):
    model, tokens = model_of(architecture), tokens_of(architecture)
    start = torch.randn(2, 7, architecture.width, dtype=torch.float64)
    logits = model.run(tokens, steps=3, start=start)
    states = model.states(tokens, steps=3, start=start)
    for i in range(2):
        expected, expected_states = Naive(model).run(tokens[i], 3, start[i])
        torch.testing.assert_close(logits[i], expected, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(states[:, i], expected_states, rtol=1e-9, atol=1e-9)


@KINDS
def test_the_parts_make_the_whole(architecture):
    model, tokens = model_of(architecture), tokens_of(architecture)
    logits, states = model.run(tokens, 4), model.states(tokens, 4)
    x = model.encode(tokens)
    *_, last = trajectory(model, model.start(x), x, 4)
    torch.testing.assert_close(last, states[-1])
    torch.testing.assert_close(model.decode(last), logits)
    torch.testing.assert_close(model.decode(last, tokens > 1), logits[tokens > 1])
    for t in (1, 3):
        torch.testing.assert_close(model.decode(states[t - 1]), model.run(tokens, t))
    with torch.no_grad():
        solution = solve(model, model.start(x), x.detach(), method=Picard(), max_steps=4)
    torch.testing.assert_close(solution.y, last.detach())


@KINDS
def test_the_loop_is_differentiable_twice_over(architecture):
    """`lipschitz.local` of x -> z_2 is the largest singular value of the whole Jacobian."""
    model, tokens = model_of(architecture), tokens_of(architecture, batch=1, length=3)
    x = model.encode(tokens).detach()

    def two_loops(x):
        return model(model(model.start(x), x), x)

    jacobian = torch.autograd.functional.jacobian(two_loops, x).reshape(x.numel(), -1)
    expected = torch.linalg.matrix_norm(jacobian, 2).item()
    measured = lipschitz.local(two_loops, x, tol=1e-5)[0].item()
    assert measured == pytest.approx(expected, rel=1e-4)


@KINDS
def test_the_loop_has_a_forward_mode(architecture):
    """Forward mode gives the product with the Jacobian that two backward passes give."""
    model, tokens = model_of(architecture), tokens_of(architecture, batch=1, length=3)
    x = model.encode(tokens).detach()
    v = torch.randn_like(x)
    _, pushed = pushforward(lambda x: model(model.start(x), x), x, v)
    _, expected = torch.autograd.functional.jvp(lambda x: model(model.start(x), x), x, v)
    torch.testing.assert_close(pushed, expected)


def test_a_token_sees_no_later_one_and_no_neighbour():
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 13
    before, after = model.run(tokens, 3), model.run(changed, 3)
    assert torch.equal(before[0, :5], after[0, :5])
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0, 5:], after[0, 5:])


def test_the_random_start_is_huginns_and_does_not_depend_on_length():
    model = model_of(Architecture(vocabulary=4, width=64, heads=2, hidden=8))
    state = model.random_start(2, 400, seed=5)
    std = math.sqrt(2 / (5 * 64)) * math.sqrt(64)
    cut_std = 0.9866 * std  # of a normal cut at three standard deviations
    assert state.abs().max() <= 3 * std
    assert state.std().item() == pytest.approx(cut_std, rel=0.02)
    assert torch.equal(state[0], state[1])
    assert torch.equal(model.random_start(1, 7, seed=5)[0], state[0, :7])
    assert not torch.equal(model.random_start(1, 7, seed=6)[0], state[0, :7])
    tokens = torch.tensor([[1, 2, 3]])
    seeded = model.run(tokens, 2, start_seed=5)
    assert torch.equal(seeded, model.run(tokens, 2, start=state[:1, :3]))


# -------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, t: m.run(t[:, :0], 2),
            r"at least one token per sequence, got shape \(2, 0\): the prompt is empty",
        ),
        (lambda m, t: m.run(t.repeat(1, 5), 2), "a prompt of 35 tokens exceeds the context of 32"),
        (lambda m, t: m.run(t + 13, 2), "tokens must lie in 0..12, got the unknown token"),
        (lambda m, t: m.run(t - 13, 2), "tokens must lie in 0..12, got the unknown token -"),
        (lambda m, t: m.encode(t - 13), "tokens must lie in 0..12, got the unknown token -"),
        (lambda m, t: m.run(t[0], 2), r"tokens must be an integer tensor \(B, n\)"),
        (lambda m, t: m.run(t.float(), 2), r"tokens must be an integer tensor \(B, n\)"),
        (lambda m, t: m.run([[1]], 2), r"tokens must be an integer tensor \(B, n\), got list"),
        (lambda m, t: m.run(t, 0), "steps must be at least 1, got 0"),
        (lambda m, t: m.states(t, 0), "steps must be at least 1, got 0"),
        (lambda m, t: m.run(t, 2.0), "steps must be an int, got 2.0"),
        (
            lambda m, t: m.run(t, 2, start=torch.zeros(2, 7, 3)),
            r"start must be of shape \(2, 7, 24\), got \(2, 7, 3\)",
        ),
        (
            lambda m, t: m.run(t, 2, start=0),
            "start must be a tensor, got 0",
        ),
        (lambda m, t: m.run(t, 2, start_seed=-1), "start_seed must be at least 0"),
        (lambda m, t: m.run(t, 2, start_seed="random"), "start_seed must be an int"),
        (
            lambda m, t: m.run(t, 2, start=torch.zeros(2, 7, 24), start_seed=1),
            "start_seed must be None where start is given, got 1",
        ),
    ],
    ids=[
        "empty",
        "long",
        "unknown",
        "negative",
        "negative-encoded",
        "one-dimension",
        "floats",
        "list",
        "no-steps",
        "no-states",
        "half-steps",
        "start-shape",
        "start-is-a-seed",
        "negative-seed",
        "seed-is-a-word",
        "start-and-seed",
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(model_of(SMALL), tokens_of(SMALL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "heads must divide width = 24 into even parts, got 5"),
        ({"heads": 8}, "heads must divide width"),
        ({"core": 0}, "core must be at least 1, got 0"),
        ({"prelude": -1}, "prelude must be at least 0, got -1"),
        ({"positions": "learned"}, "positions must be one of .*, got 'learned'"),
        ({"injection": "none"}, "injection must be one of"),
        ({"norms": "post"}, "norms must be one of"),
        ({"epsilon": 0.0}, "epsilon must be positive, got 0.0"),
        ({"width": 2.5}, "width must be an int"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_bad_architectures_are_refused(change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        replace(SMALL, **change)
