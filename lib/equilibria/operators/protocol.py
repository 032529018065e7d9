"""What an operator is: the methods that a solver, an adjoint or a measurement calls.

An operator is a callable G(y, x), see `equilibria.solvers.method.Operator`. It can be solved
(`equilibria.solve`), differentiated at its fixed point (`equilibria.equilibrium`) and measured
(`equilibria.lipschitz`, `equilibria.regularity`). One on a latent state is a `LatentOperator` too.
Nothing is inherited: an operator is any object with these methods, such as a function, a frozen
dataclass or a ``torch.nn.Module``.

=========  ==================================================================================
``y, z``   the state, (B, ...), real floating; ``z`` where it is latent, not yet the answer
``x``      the input, batched like the state: a tensor, or any other object that G understands
``q``      what G reads of the input, computed once for all iterations: q = encode(x)
``G``      ``G(y, x)`` or ``G(z, q)``: one iteration; same shape, dtype and device as the state
=========  ==================================================================================

Samples are independent: the image of one sample must not depend on the rest of its batch.

>>> import equilibria as eq
>>> import torch
>>> class Average:
...     '''z <- (z + q) / 2 with q = (x, x): the fixed point is q, and decode returns x.'''
...
...     def __call__(self, z, q):
...         return (z + q) / 2
...
...     def encode(self, x):
...         return torch.stack([x, x], dim=1)
...
...     def start(self, q):
...         return torch.zeros_like(q)
...
...     def decode(self, z):
...         return z.mean(dim=1)
>>> G = Average()
>>> isinstance(G, LatentOperator)
True
>>> q = G.encode(torch.tensor([1.0, 2.0]))
>>> G.decode(eq.solve(G, G.start(q), q, tol=1e-6).y).round(decimals=4).tolist()
[1.0, 2.0]
"""

from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor

__all__ = ["LatentOperator"]

Input = TypeVar("Input", contravariant=True)  # what the encoder reads
Encoded = TypeVar("Encoded")  # what the encoder returns and G reads


@runtime_checkable
class LatentOperator(Protocol[Input, Encoded]):
    """G(z, q) on a latent state, with its encoder, its start and its decoder.

    The answer to x is ``decode(z*)`` for z* = G(z*, q), q = encode(x) (paper, section 5.2: Q_in
    and Q_out).
    """

    def __call__(self, z: Tensor, q: Encoded, /) -> Tensor:
        """The next state, of z's shape, dtype and device."""
        ...

    def encode(self, x: Input, /) -> Encoded:
        """What G needs of the input, q. Computed once per input."""
        ...

    def start(self, q: Encoded, /) -> Tensor:
        """The state z_0 that iterations begin at, usually zeros."""
        ...

    def decode(self, z: Tensor, /) -> Tensor:
        """The answer that a state stands for, (B, ...)."""
        ...
