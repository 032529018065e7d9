"""The result of an audit, and its reasons in words."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Audit", "Finding", "collect_findings", "write_report"]

SAMPLES_SHOWN = 8  # how many samples a line of the report names


@dataclass(frozen=True)
class Audit:
    """The result of `audit`.

    All tensors are (B,). Those that need a fixed point are NaN where none was found.

    mu           the largest |dG/dy| or |G(a, x) - G(b, x)| / |a - b| seen at and around the fixed
                 point
    lipschitz_x  Lip_x(G)(y*)
    growth       exponent p of Lip_x(G)(y) ~ |y|^p at large |y|; at most 1 for a regular operator
    bound        Lip_x(G)(y*) / (1 - mu), infinite where mu >= 1
    measured     |dy*/dx|, spectral norm
    solved       whether y* was found
    regular      whether every sample meets the definition, as far as it was probed
    report       the reasons, in words
    """

    mu: Tensor
    lipschitz_x: Tensor
    growth: Tensor
    bound: Tensor
    measured: Tensor
    solved: Tensor
    regular: bool
    report: str

    def __str__(self) -> str:
        return self.report


@dataclass(frozen=True)
class Finding:
    """One condition of regularity."""

    holds: Tensor  # (B,) bool
    good: str  # what the report says where it holds for all samples
    bad: str  # what it says where it does not
    value: Tensor  # (B,) what was compared
    name: str  # the name of that value

    def line(self) -> str:
        """The finding in words, with the worst value of the samples that it speaks of."""
        value = self.value.nan_to_num(nan=-torch.inf)
        if bool(self.holds.all()):
            return f"yes     {self.good} (largest {self.name} {value.max().item():.4g})"
        failing = (~self.holds).nonzero().flatten().tolist()
        worst = value[~self.holds].max().item()
        return (
            f"NO      {self.bad} in {len(failing)} of {len(self.holds)} samples "
            f"{failing[:SAMPLES_SHOWN]} (largest {self.name} {worst:.4g})"
        )


def collect_findings(
    solved: Tensor,
    least_residual: Tensor,
    mu: Tensor,
    growth: Tensor,
    bound: Tensor,
    measured: Tensor,
    *,
    growth_slack: float,
    norm_tol: float,
) -> list[Finding]:
    """The four conditions: a fixed point, (ii) contraction, (i) growth, and Theorem 2.5's bound.

    All tensors are (B,); ``least_residual`` is that of the solve for y*, the others are named as in
    `Audit`, and the numbers as in `audit`.
    """
    contracts = mu < 1
    # the bound is an inequality between measured numbers: allow for their tolerances, which
    # 1 / (1 - mu) amplifies
    slack = 1 + norm_tol * (1 + 1 / (1 - mu).clamp_min(torch.finfo(mu.dtype).eps))
    bounded = ~contracts | measured.isnan() | (measured <= slack * bound)
    return [
        Finding(
            solved,
            "a fixed point was found",
            "no fixed point was found",
            least_residual,
            "least residual",
        ),
        Finding(
            contracts,
            "mu(x) < 1: a contraction in y",
            "mu(x) >= 1: no contraction in y",
            mu,
            "mu",
        ),
        Finding(
            growth <= 1 + growth_slack,
            "Lip_x(G) grows at most linearly in |y|",
            "Lip_x(G) grows faster than linearly in |y|",
            growth,
            "exponent",
        ),
        Finding(
            bounded,
            "|dy*/dx| <= Lip_x(G)(y*) / (1 - mu)",
            "the necessity bound is violated",
            measured / bound,
            "measured / bound",
        ),
    ]


def write_report(findings: list[Finding], regular: bool, *, settled: bool) -> str:
    """The findings in words, one line each.

    ``settled`` says whether every spectral norm converged.
    """
    verdict = "regular" if regular else "NOT regular"
    lines = [f"{verdict} on {len(findings[0].holds)} samples, as far as probed"]
    lines.extend(finding.line() for finding in findings)
    if not settled:
        lines.append(
            "note    some spectral norms did not settle; their lower bounds were used: "
            "raise norm_steps"
        )
    return "\n".join(lines)
