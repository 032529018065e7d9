"""Every operator of the package keeps the protocol of `equilibria.operators.protocol`.

A new operator joins by a row in `OPERATORS`; one that is missing there fails the last test.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from equilibria import operators
from equilibria.operators.protocol import LatentOperator

f64 = torch.float64


def one_sample(x, i):
    """Sample i of a tensor, as a batch of one."""
    return x[i : i + 1]


@dataclass(frozen=True)
class Example:
    """An operator with two samples of input.

    G       the operator
    x       its input, a batch of two
    state   shape of the state, (2, ...)
    answer  shape of what `decode` makes of it; None for an operator without a latent state
    select  (x, i) -> sample i, as a batch of one
    """

    G: Callable
    x: Any
    state: tuple[int, ...]
    answer: tuple[int, ...] | None = None
    select: Callable = one_sample

    def read(self, x):
        """What G reads of an input."""
        return x if self.answer is None else self.G.encode(x)

    def output(self, y):
        """What a state answers."""
        return y if self.answer is None else self.G.decode(y)


def naive_reciprocal(dtype):
    from equilibria.operators.reciprocal import NaiveReciprocal

    return Example(NaiveReciprocal(0.5), positive_numbers(dtype), state=(2, 1))


def regular_reciprocal(dtype):
    from equilibria.operators.reciprocal import RegularReciprocal

    return Example(RegularReciprocal(0.5), positive_numbers(dtype), state=(2, 1))


def turning_reciprocal(dtype):
    from equilibria.operators.reciprocal import TurningReciprocal

    return Example(TurningReciprocal(0.5, 0.3), positive_numbers(dtype), state=(2, 2))


def relaxed(dtype):
    from equilibria.operators.sufficiency import regular_operator
    from equilibria.problems.steep_targets import TARGETS

    target = TARGETS["inversion"]
    G = regular_operator(target.F, target.local_lipschitz)
    return Example(G, normal(2, 2, dtype=dtype), state=(2, 2))


def bounded_mlp(dtype):
    from equilibria.operators.bounded_mlp import BoundedMLP

    G = BoundedMLP([0.9, 5.0], width=8, layers=1, spans=[(0, 10), (0.1, 1)])
    return Example(G.to(dtype), positive_numbers(dtype), state=(2, 1))


def implicit_pgd(dtype):
    from equilibria.operators.deblurring import ImplicitPGD

    return deblurring(ImplicitPGD, dtype)


def implicit_hqs(dtype):
    from equilibria.operators.deblurring import ImplicitHQS

    return deblurring(ImplicitHQS, dtype)


def deblurring(kind, dtype):
    from equilibria.operators.blur import Blur
    from equilibria.operators.deblurring import Denoiser

    G = kind(Denoiser((4, 4, 4, 4)), Blur(torch.ones(3, 3)))
    return Example(G.to(dtype), normal(2, 3, 16, 16, dtype=dtype), state=(2, 3, 16, 16))


def steady_flow(dtype):
    from equilibria.operators.steady_flow import operator

    curl = normal(2, 8, 8, dtype=dtype)
    return Example(operator(0.5), curl, state=(2, 8, 8))


def implicit_fno(dtype):
    from equilibria.operators.fourier import ImplicitFNO

    G = ImplicitFNO(width=4, modes=3).to(dtype)
    forcing = normal(2, 2, 8, 8, dtype=dtype)
    return Example(G, forcing, state=(2, 4, 64), answer=(2, 8, 8))


def implicit_gnn(dtype):
    from equilibria.operators.lp_graph import ImplicitGNN, graph
    from equilibria.problems import linear_programs

    programs = linear_programs.generate(2, seed=5, progress=False)
    variables = programs.c.shape

    def select(x, i):
        return graph(programs[i], dtype=dtype)

    G = ImplicitGNN(4).to(dtype)
    x = graph(programs, dtype=dtype)
    return Example(G, x, state=variables, answer=variables, select=select)


def looped_transformer(dtype):
    from equilibria.operators.looped_transformer import Architecture, LoopedTransformer

    architecture = Architecture(
        vocabulary=5, width=8, heads=2, hidden=16, prelude=1, core=1, coda=1, context=16
    )
    tokens = torch.tensor([[0, 3, 1, 4], [2, 2, 0, 1]])
    G = LoopedTransformer(architecture).to(dtype)
    return Example(G, tokens, state=(2, 4, 8), answer=(2, 4, 5))


OPERATORS = {
    "NaiveReciprocal": naive_reciprocal,
    "RegularReciprocal": regular_reciprocal,
    "TurningReciprocal": turning_reciprocal,
    "Relaxed": relaxed,
    "BoundedMLP": bounded_mlp,
    "ImplicitPGD": implicit_pgd,
    "ImplicitHQS": implicit_hqs,
    "steady_flow.operator": steady_flow,
    "ImplicitFNO": implicit_fno,
    "ImplicitGNN": implicit_gnn,
    "LoopedTransformer": looped_transformer,
}
LATENT = ("ImplicitFNO", "ImplicitGNN", "LoopedTransformer")
TENSOR_INPUT = [name for name in OPERATORS if name not in ("ImplicitGNN", "LoopedTransformer")]
each_operator = pytest.mark.parametrize("name", OPERATORS)


def normal(*shape, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=f64).to(dtype)


def positive_numbers(dtype):
    return torch.tensor([[0.2], [0.9]], dtype=dtype)


@functools.cache
def example(name, dtype=f64):
    torch.manual_seed(0)  # of the weights
    return OPERATORS[name](dtype)


def state_of(one, dtype=f64):
    return normal(*one.state, dtype=dtype, seed=1)


@each_operator
def test_it_has_the_methods_of_the_protocol(name):
    one = example(name)
    assert callable(one.G)
    assert isinstance(one.G, LatentOperator) == (name in LATENT) == (one.answer is not None)


@each_operator
@pytest.mark.parametrize("dtype", [torch.float32, f64], ids=["float32", "float64"])
def test_shape_and_dtype_of_the_state_are_kept(name, dtype):
    one = example(name, dtype)
    image = one.G(state_of(one, dtype), one.read(one.x))
    assert image.shape == one.state
    assert image.dtype == dtype
    assert bool(image.isfinite().all())


@each_operator
def test_samples_do_not_see_each_other(name):
    one = example(name)
    y = state_of(one)
    together = one.output(one.G(y, one.read(one.x)))
    for i in range(2):
        alone = one.output(one.G(one_sample(y, i), one.read(one.select(one.x, i))))
        torch.testing.assert_close(one_sample(together, i), alone, rtol=1e-9, atol=1e-12)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("name", LATENT)
def test_a_latent_state_starts_and_is_decoded(name):
    one = example(name)
    q = one.G.encode(one.x)
    z = one.G.start(q)
    assert z.shape == one.state
    assert z.dtype == f64
    assert bool(z.isfinite().all())
    answer = one.G.decode(one.G(z, q))
    assert answer.shape == one.answer
    assert answer.dtype == f64


def assert_derivative_is_that_of_differences(f, at):
    """The derivative of f along a random direction, against a central difference."""
    direction = normal(*at.shape, dtype=f64, seed=2)
    point = at.clone().requires_grad_()
    value = f(point)
    weight = normal(*value.shape, dtype=f64, seed=3)
    (gradient,) = torch.autograd.grad((weight * value).sum(), point)
    measured = (gradient * direction).sum()
    with torch.no_grad():
        step = 1e-6
        difference = f(at + step * direction) - f(at - step * direction)
        expected = (weight * difference).sum() / (2 * step)
    torch.testing.assert_close(measured, expected, rtol=1e-4, atol=1e-7)
    assert abs(float(measured)) > 1e-6


@each_operator
def test_it_is_differentiable_in_the_state(name):
    one = example(name)
    q = one.read(one.x)

    def image(y):
        return one.output(one.G(y, q))

    assert_derivative_is_that_of_differences(image, state_of(one))


@pytest.mark.parametrize("name", TENSOR_INPUT)
def test_it_is_differentiable_in_a_tensor_that_it_reads(name):
    one = example(name)
    y = state_of(one)

    def image(x):
        return one.output(one.G(y, one.read(x)))

    assert_derivative_is_that_of_differences(image, one.x)


def test_tokens_are_read_through_a_differentiable_encoding():
    one = example("LoopedTransformer")
    z = state_of(one)

    def image(q):
        return one.G.decode(one.G(z, q))

    assert_derivative_is_that_of_differences(image, one.G.encode(one.x).detach())


# Every operator of the package is in the table.


def public_classes():
    """The classes that the modules of `equilibria.operators` export."""
    for module in pkgutil.walk_packages(operators.__path__, f"{operators.__name__}."):
        loaded = importlib.import_module(module.name)
        for name in getattr(loaded, "__all__", ()):
            value = getattr(loaded, name)
            if inspect.isclass(value):
                yield value


def is_operator(kind):
    """Whether a class can be applied to a state and what G reads: (y, x), (z, q), ..."""
    if inspect.isabstract(kind) or kind is LatentOperator:
        return False
    method = getattr(kind, "forward", None) or kind.__dict__.get("__call__")
    if method is None:
        return False
    _, *arguments = inspect.signature(method).parameters
    return len(arguments) == 2 and arguments[0] in ("y", "z") and arguments[1] in ("x", "q")


def test_no_operator_is_missing_from_the_table():
    found = {kind.__name__ for kind in public_classes() if is_operator(kind)}
    assert found >= {"RegularReciprocal", "ImplicitFNO", "ImplicitPGD"}
    assert found <= set(OPERATORS)
