"""Networks under a Lipschitz bound, for the learned toy of section 2.

The explicit network is y = N(x), the implicit operator G(y, x) = N(y, x).

==========  =====================================================================
``inputs``  one (B, 1) tensor each, such as y and x
``limits``  the bound on |dN/d input|, one per input
``width``   units of each hidden layer
``maxmin``  sorts pairs of units, which keeps the gradient's norm (Anil et al. 2019)
==========  =====================================================================
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from equilibria.checks import require

__all__ = ["BoundedMLP"]

# Weights are divided by slightly more than their norm, so that float32 rounding cannot lift a
# norm above 1.
_MARGIN = 1 + 1e-6


class BoundedMLP(nn.Module):
    """N(a_1, ..., a_k) with |dN/da_i| <= limits[i]: a network with one bound per input.

        N = W_m s(... s(W_1 s(sum_i limits[i] v_i a_i + b_0) + b_1) ...) + b_m

    Every v_i (width, 1) and every W_j has spectral norm 1, and s = maxmin is 1-Lipschitz. With
    limits (alpha, L) for (y, x) and alpha < 1, N is regular (Definition 2.3): y -> N contracts,
    x -> N is L-Lipschitz, and the fixed point may be L / (1 - alpha) steep (Theorem 2.5).

    The bounds are kept by spectral normalisation once `normalise` was called, and are exact after
    `freeze`; `bounds` measures them.

    limits  positive, one per input
    width   even, at least 2
    layers  number of (width, width) matrices, at least 0
    spans   (low, high) per input: the range over which the units are spread at the start
    Raises ValueError for arguments out of range.
    """

    def __init__(
        self,
        limits: Sequence[float],
        *,
        width: int,
        layers: int,
        spans: Sequence[tuple[float, float]],
    ) -> None:
        super().__init__()
        positive = len(limits) > 0 and all(limit > 0 for limit in limits)
        require(positive, "limits", limits, "positive, one per input")
        require(len(spans) == len(limits), "spans", spans, f"{len(limits)} pairs, one per limit")
        require(width >= 2 and width % 2 == 0, "width", width, "even and at least 2")
        require(layers >= 0, "layers", layers, "at least 0")
        first = [nn.Linear(1, width, bias=False) for _ in limits]
        hidden = [nn.Linear(width, width) for _ in range(layers)]
        self.limits = tuple(limits)
        self.first = nn.ModuleList(first)
        self.bias = nn.Parameter(torch.zeros(width))
        self.hidden = nn.ModuleList(hidden)
        self.last = nn.Linear(width, 1)
        with torch.no_grad():
            for limit, layer, (low, high) in zip(limits, first, spans, strict=True):
                layer.weight.copy_(nn.functional.normalize(torch.randn(width, 1), dim=0))
                # Each unit bends at a place drawn from the span.
                places = low + (high - low) * torch.rand(width)
                self.bias.sub_(limit * layer.weight[:, 0] * places)
            for layer in hidden:
                nn.init.orthogonal_(layer.weight)
                layer.bias.zero_()
            self.last.weight.copy_(nn.functional.normalize(torch.randn(1, width), dim=1))

    def forward(self, *inputs: Tensor) -> Tensor:
        """N(inputs): one tensor (B, 1) per limit. Returns (B, 1)."""
        # sum_i limits[i] v_i a_i + b_0
        terms = zip(self.limits, self.first, inputs, strict=True)
        a = self.bias + sum(limit * layer(value) for limit, layer, value in terms)
        for layer in self.hidden:
            a = layer(_maxmin(a))
        answer: Tensor = self.last(_maxmin(a))
        return answer

    def normalise(self) -> "BoundedMLP":
        """Divide every matrix by its spectral norm from now on.

        In training mode each evaluation improves the norms by one step of power iteration.
        """
        for layer in self._layers():
            spectral_norm(layer)
        return self

    def freeze(self) -> "BoundedMLP":
        """Turn the normalised matrices into plain weights with exact norms.

        These weights are what is saved and what the bounds are claimed for.
        """
        for layer in self._layers():
            if parametrize.is_parametrized(layer):
                parametrize.remove_parametrizations(layer, "weight")
        with torch.no_grad():
            for layer in self._layers():
                layer.weight /= torch.linalg.matrix_norm(layer.weight, 2) * _MARGIN
        return self

    @torch.no_grad()
    def bounds(self) -> tuple[float, ...]:
        """The exact bound per input, at most limits[i].

        It is limits[i] times the product of the spectral norms on the way from input i.
        """
        norms = [
            torch.linalg.matrix_norm(layer.weight.double(), 2)
            for layer in (*_linear(self.hidden), self.last)
        ]
        shared = torch.stack(norms).prod()
        return tuple(
            limit * float(shared * layer.weight.double().norm())
            for limit, layer in zip(self.limits, _linear(self.first), strict=True)
        )

    def _layers(self) -> list[nn.Linear]:
        return [*_linear(self.first), *_linear(self.hidden), self.last]


def _linear(layers: nn.ModuleList) -> Iterable[nn.Linear]:
    """The layers as what they are: a module list does not carry the type of its modules."""
    return cast(Iterable[nn.Linear], layers)


def _maxmin(a: Tensor) -> Tensor:
    """Each pair of units sorted, the larger ones first, (..., width)."""
    left, right = a.chunk(2, dim=-1)
    return torch.cat([torch.maximum(left, right), torch.minimum(left, right)], dim=-1)
