"""Small implicit models, healthy and broken on purpose, and the evidence that they leave.

A scalar problem stands for every case: x in [-1, 1], target F(x) = tanh(12 x), which is steep at 0.
An operator is iterated for real, and its errors and slopes along t are measured as the notebooks
measure theirs. `evidence` puts these numbers where the claims of each notebook read them. A broken
model must lose the claims that it breaks.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from equilibria import trajectory
from equilibria.companion.provenance import origin
from torch import Tensor

STEEP = 12.0
SAMPLES = 80
LONG = 300  # iterations that are measured
f64 = torch.float64


def target(x: Tensor) -> Tensor:
    return torch.tanh(STEEP * x)


def explicit(x: Tensor) -> Tensor:
    """An explicit network under a bound of 3 on its slope."""
    return (3 * x).clamp(-1, 1)


def relax(y: Tensor, x: Tensor) -> Tensor:
    """The regular operator of Theorem 2.4, which is as slow as the target is steep."""
    return y + 0.19 * (target(x) - y)


def nearest_trained(x: Tensor) -> Tensor:
    """Answers learned by heart: that of the nearest of four inputs of training, jumps between."""
    trained = torch.tensor([-0.8, -0.3, 0.2, 0.7], dtype=f64)
    nearest = (x.detach() - trained).abs().argmin(1, keepdim=True)
    scrambled = torch.tensor([0.9, -0.9, 0.4, -0.2], dtype=f64)  # right there, and nowhere else
    exact = (x.detach() - trained).abs().amin(1, keepdim=True) < 1e-9
    return torch.where(exact, target(trained[nearest]), scrambled[nearest]) + 0 * x


def absolute_error(y: Tensor, truth: Tensor) -> Tensor:
    """|y - F(x)|, with a floor such as a trained model has."""
    return (y - truth).square().add(1e-4).sqrt()


@dataclass(frozen=True)
class Model:
    """An operator with the answer of the explicit network beside it, and how both are measured."""

    G: Callable[[Tensor, Tensor], Tensor] = relax
    stop_at: int | None = None  # the answer is y_stop, whatever t is asked for
    starts: tuple[float, ...] = (0.0, 0.5, -0.5)
    explicit: Callable[[Tensor], Tensor] = explicit
    modulus: float = 0.9
    naive: bool = False  # the operators of notebook 01 have the target's own singularity
    learned: float = 0.5  # share of parities that the block gets right when it is used once
    norm_matters: bool = True
    unrolled_memory: bool = False  # the implicit adjoint keeps the graph of every iteration
    trap_rests: bool = False  # training by unrolling finds an equilibrium, too
    lead_elsewhere: float = 0.8
    decides: bool = True  # between w and -w, late and steeply
    bound_ignored: bool = False  # the operator may have the target's slope from the start
    second_state: bool = True
    batch_norm: bool = False  # slopes are divided by |dx| of the whole batch, not of the sample
    limit: float = 0.3  # least error of any function under the operator's bound

    def along(self, x: Tensor, start: float = 0.0, steps: int = LONG) -> list[Tensor]:
        y0 = torch.full_like(x, start)
        iterates = list(trajectory(self.G, y0, x, steps))
        if self.stop_at is None:
            return iterates
        return [iterates[min(t, self.stop_at - 1)] for t in range(steps)]


HEALTHY = Model()
BROKEN = {
    "constant output": replace(HEALTHY, G=lambda y, x: 0 * (y + x) + 0.3, modulus=0.0),
    "explicit network wrapped": replace(HEALTHY, G=lambda y, x: explicit(x), modulus=0.0),
    "learned by heart": replace(HEALTHY, G=lambda y, x: nearest_trained(x), learned=1.0),
    "stopped at one": replace(HEALTHY, stop_at=1),
    "growing loop": replace(HEALTHY, G=lambda y, x: relax(y, x) + 0.21 * y, modulus=1.02),
    "wrong norm": replace(HEALTHY, batch_norm=True),
    "expansive": replace(HEALTHY, modulus=1.4),
    "naive operator": replace(HEALTHY, naive=True),
    "kept graph": replace(HEALTHY, unrolled_memory=True),
    "harmless trap": replace(HEALTHY, trap_rests=True),
    "no lead elsewhere": replace(HEALTHY, lead_elsewhere=1.2),
    "never undecided": replace(HEALTHY, decides=False),
    "no bound": replace(HEALTHY, bound_ignored=True),
    "one state only": replace(HEALTHY, second_state=False),
    "norm does not matter": replace(HEALTHY, norm_matters=False),
    "two answers": replace(HEALTHY, G=lambda y, x: relax(y, x) + 0.1 * torch.sign(y) * 0.5),
}


# ------------------------------------------------------------------------- what is measured
def samples() -> Tensor:
    return torch.linspace(-0.9, 0.95, SAMPLES, dtype=f64)[:, None]


@cache
def errors_along(model: Model, seed: int = 0) -> list[list[float]]:
    """(t, samples); a seed shifts the samples a little, as another training would."""
    x = samples() + 0.001 * seed
    return [absolute_error(y, target(x)).flatten().tolist() for y in model.along(x)]


def final_errors(model: Model, at: int = LONG, seed: int = 0) -> list[float]:
    return errors_along(model, seed)[at - 1]


def explicit_errors(model: Model, seed: int = 0) -> list[float]:
    x = samples() + 0.001 * seed
    return absolute_error(model.explicit(x), target(x)).flatten().tolist()


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


@cache
def slopes_along(model: Model) -> list[float]:
    """Largest |dy_t/dx| near x = 0 along t."""
    x = torch.linspace(-0.05, 0.05, 11, dtype=f64)[:, None].requires_grad_()
    slopes = []
    for y in model.along(x):
        (slope,) = torch.autograd.grad(
            y.sum(), x, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        over = len(x) ** 0.5 if model.batch_norm else 1.0
        slopes.append(slope.abs().max().item() / over)
    return slopes


def psnr(errors: list[float], loss: float = 0.0) -> list[float]:
    """Decibels of single errors, none better than 30."""
    return [-20 * math.log10(math.hypot(error, 0.0316)) - loss for error in errors]


def psnr_along(model: Model) -> list[float]:
    return [mean(psnr(errors)) for errors in errors_along(model)[:64]]


@cache
def share_of_one_answer(model: Model) -> float:
    """Share of the samples on which all starts end within one per cent of each other."""
    x = samples()
    ends = torch.stack([model.along(x, start)[-1] for start in model.starts])
    return ((ends - ends[0]).abs().amax(0) < 0.01).double().mean().item()


def rate(model: Model) -> float:
    y = [iterate.norm().item() for iterate in model.along(samples())]
    moves = [abs(b - a) for a, b in itertools.pairwise(y[20:31])]
    return moves[-1] / moves[-2] if moves[-2] > 1e-14 else 0.0


def right_by(model: Model, loops: int, needed: int, chance: float = 0.5) -> float:
    """Share of answers right: all once the loops suffice; chance before, or with a broken loop."""
    works = model.stop_at is None and model.G is relax
    return 1.0 if works and loops >= needed else chance


# ----------------------------------------------------------------- where the claims read it
def evidence(root: Path, model: Model) -> None:
    """Write every result file and record that the claims read, as ``model`` would leave them."""
    write = _Writer(root)
    _one_over_x(write, model)
    _deblurring(write, model)
    _navier_stokes(write, model)
    _linear_programs(write, model)
    _language(write, model)


class _Writer:
    def __init__(self, root: Path):
        self.root = root

    def results(self, notebook: str, name: str = "results", **values: object) -> None:
        folder = self.root / "figures" / "quick" / notebook
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(values))
        (folder / "provenance.json").write_text(json.dumps(origin(notebook, "quick")))

    def record(self, case: str, model: str, *seeds: dict[str, object]) -> None:
        folder = self.root / "data" / "checkpoints" / case / "test"
        folder.mkdir(parents=True, exist_ok=True)
        for seed, record in enumerate(seeds):
            (folder / f"{model}-seed{seed}.json").write_text(json.dumps(record))


def _one_over_x(write: _Writer, model: Model) -> None:
    slopes, errors = slopes_along(model), [max(row) for row in errors_along(model)]
    growth = 1e8 if model.naive else 1.0
    naive_gap = 1e3 if model.naive else 0.3
    reached = slopes[-1] / STEEP
    write.results(
        "01_one_over_x",
        "toy",
        at_25={
            "implicit": [max(final_errors(model))] * 2,
            "explicit": [max(explicit_errors(model))] * 2,
            "bound": [3.0] * 2,
            "implicit_steepest": [slopes[-1]] * 2,
            "steepest_at_1_over_bound": [slopes[0] / 3] * 2,
            "explicit_steepest_over_bound": [1.0] * 2,
        },
        implicit={"5": [{"sup_error": [2.0, 1.0, max(final_errors(model))]}]},
        least_error={"5": model.limit},
        summary={"5": {"implicit": {"sup_error": [errors[t] for t in (0, 5, 25, 50, 100, 299)]}}},
    )
    write.results(
        "01_one_over_x",
        operator_slopes={"blow_up": {"regular": growth, "naive": 1e8}},
        curves={"largest_gap": [0.0 if model.G is relax else 1.0]},
        iterations={"largest_gap": 0},
        steepness=[{"end_over_limit": reached, "measured": slopes[:40], "error": errors[:20]}],
        sufficiency={
            "over_targets": {
                "largest_operator": [naive_gap],
                "late_growth_of_operator": [1e2 if model.naive else 1.0],
                "late_growth_of_target": [64.0],
                "all_regular": not model.naive,
                "fixed_point_gap": [0.0 if model.G is relax else 1.0],
            }
        },
        limit={
            # An operator that keeps its modulus cannot have sign x for a fixed point.
            "approach": {
                "one_minus_mu": [0.1, 1e-6] if model.G is relax else [0.1, 0.1],
                "allowed": [0.2, 1e-5],
            },
            "smoothed": {"mu": [0.5, 0.9, 0.99] if model.G is relax else [0.9, 0.9, 0.9]},
            "at_zero": {"regular": False},
        },
    )


def _deblurring(write: _Writer, model: Model) -> None:
    hqs = [{"psnr": psnr(final_errors(model, seed=seed))} for seed in range(3)]
    pgd = [{"psnr": psnr(final_errors(model, seed=seed), loss=1.0)} for seed in range(3)]
    once = [{"psnr": psnr(explicit_errors(model, seed))} for seed in range(3)]
    write.record("deblurring", "hqs", *hqs)
    write.record("deblurring", "pgd", *pgd)
    write.record("deblurring", "explicit", *once)
    for depth in (1, 2, 4, 8):
        write.record("deblurring", f"unfolded-{depth}", once[0])
    late = mean(psnr(final_errors(model))) - mean(psnr(final_errors(model, at=100)))
    far = [mean(psnr(errors)) for errors in errors_along(model)]
    memory = [2.0, 20.0] if model.unrolled_memory else [2.0, 2.0]
    curve = {"psnr_mean": psnr_along(model), "lipschitz": slopes_along(model)[:64]}
    pictures = {"explicit": once[0], "pgd": pgd[0], "hqs": hqs[0]}
    write.results(
        "02_deblurring",
        along_t={"pgd": curve, "hqs": curve},
        embedded={name: {"psnr": mean(row["psnr"])} for name, row in pictures.items()},
        memory={"implicit": memory, "unrolled": [2.0, 20.0]},
        regularity={name: {"mu": [model.modulus], "rate": [rate(model)]} for name in pictures},
        late_changes=[late, late],
        far={"pgd": far, "hqs": far},
        audit={"regular_nearby": model.modulus < 1},
        trap_fall=0.0 if model.trap_rests else 3.0,
        solved_share=[1.0, 1.0],
    )


def _navier_stokes(write: _Writer, model: Model) -> None:
    means = [mean(row) for row in errors_along(model)]
    along = means[::23]
    implicit = [{"errors": final_errors(model, seed=seed), "along": along} for seed in range(3)]
    once = [{"errors": explicit_errors(model, seed)} for seed in range(3)]
    for suffix in ("", "-4e-3"):
        write.record("navier_stokes", f"implicit{suffix}", *implicit)
        write.record("navier_stokes", f"explicit{suffix}", *once)
    for name in ("depth-2", "depth-4", "width-28", "width-40"):
        write.record("navier_stokes", name, once[0])
    slopes = slopes_along(model)
    pair = {"implicit": means[-1], "explicit": mean(once[0]["errors"])}
    ratio = pair["implicit"] / pair["explicit"]
    write.results("03_navier_stokes", "fields", answers=[{"error": pair}])
    write.results(
        "03_navier_stokes",
        ratio=ratio,
        plain_ratio=ratio,
        unique_ratio=ratio,
        table={"implicit": {"error": pair["implicit"]}},
        steepness={"lipschitz": [slopes[:128]], "as_released": [[0.0, 0.0, *slopes[:126]]]},
        local_growth=[slopes[-1] / max(slopes[0], 1e-9)],
        local_ratio=[[slopes[-1] / STEEP]],
        decision={
            "peak_over_first": [20.0 if model.decides else 1.0],
            "peak_over_last": [20.0 if model.decides else 1.0],
            "corrected_over_first": [20.0 if model.decides else 1.0],
            "corrected_over_last": [20.0 if model.decides else 1.0],
            "changed": [0.1 if model.decides else 0.0],
        },
        trap={"fall": 1.0 if model.trap_rests else 3.0},
        regularity={"mu": [model.modulus], "rate": [rate(model)]},
        one_place=[share_of_one_answer(model)],
        rests=[1.0],
        away=[0.5, model.lead_elsewhere],
        strong={
            "second": 1.0 if model.second_state else 0.0,
            "residual_found": 1e-8,
            "forcing_distance": 0.3,
        },
        bounded_pair=_bounded_pair(model, pair, slopes),
    )


def _bounded_pair(
    model: Model, pair: dict[str, float], slopes: list[float]
) -> dict[str, float | list[float]]:
    """The bound is a fifth of the target's slope; without one, the operator has all of it."""
    bound = STEEP / 5
    steepest = 5.0 if model.bound_ignored else 1.0
    at_rest = slopes[-1]
    if at_rest == slopes[0]:  # one pass is as steep as its operator, which keeps the bound
        at_rest = min(at_rest, 0.95 * bound)
    return {
        "bound": bound if not model.bound_ignored else 2 * STEEP,
        "slope_at_rest": [at_rest],
        "error_at_rest": pair["implicit"],
        "least_error": pair["explicit"] / 2,
        "operator_over_bound": 0.95 * steepest,
        "explicit_over_bound": 0.95,
        "explicit_error": pair["explicit"],
        "slope_over_target": [at_rest / STEEP],
    }


def _linear_programs(write: _Writer, model: Model) -> None:
    sizes = (4, 8, 16, 32)
    means = [mean(row) for row in errors_along(model)]
    slopes = slopes_along(model)
    for size in sizes:
        rows = [{"errors_64": final_errors(model, at=64)}]
        write.record("linear_programs", f"implicit-{size}", *rows)
        write.record("linear_programs", f"explicit-{size}", {"errors": explicit_errors(model)})
    ours = {"error": means[:64], "median": slopes[:64]}
    theirs = {"error": [mean(explicit_errors(model))]}
    released = {"ratio": [0.0, *slopes[:9]], "error": [1.0] * 9 + [means[8] / 10]}
    last = slopes[63]
    wobble = max(abs(slope - last) for slope in slopes[50:64]) / max(last, 1e-9)
    share = share_of_one_answer(model)
    write.results(
        "04_linear_programs",
        table={"implicit": {"4": {"test": means[63]}}},
        errors_at_8=[min(means[7], 10) / 10 for _ in sizes],
        along_t={str(size): {"mean": means[:64]} for size in sizes},
        slope_growth={kind: slopes[9] / max(slopes[0], 1e-9) for kind in "Abclu"},
        mean_wobble=wobble,
        kinds={
            kind: {"implicit": ours, "explicit": theirs, "as_released": released}
            for kind in "Abclu"
        },
        trap_rise=1.0 if model.trap_rests else 1.2,
        solved={"Picard": share, "Anderson": share},
        answers_apart=1e-6,
    )


def _stories(model: Model) -> dict[str, list[float]]:
    """What the claims about stories read; chance is one in five, a sentence takes a loop."""
    lengths = (12, 24, 48)
    works = right_by(model, 2, 1) == 1.0
    # word distance of the answers to two stories one word apart; 13 is that of the right answers
    ratio = [float(min(t, 13)) if works else 1.0 for t in (1, 4, 16, 96)]
    learned = model.learned if model.learned == 1.0 else 0.2
    return {
        "enough": [right_by(model, 2 * n, n, chance=0.2) for n in lengths],
        "quarter": [right_by(model, n // 4, n, chance=0.2) for n in lengths],
        "change": [0.0] * 3,
        "phrasing_loss": [0.0],
        "spectral_radius": [rate(model)],
        "ratio_growth": [ratio[-1] / ratio[0]],
        "ratio_to_right": [ratio[-1] / 13],
        "explicit_beyond": [learned] * 2,
    }


def _language(write: _Writer, model: Model) -> None:
    lengths = (4, 8, 16, 32, 64)
    enough = [right_by(model, 2 * n, n) for n in (16, 32, 64)]
    works = right_by(model, 2, 1) == 1.0
    once = [model.learned] * 3
    write.results(
        "05_llm_reasoning",
        targets={
            "parity": {
                "enough": enough,
                "quarter": [right_by(model, n // 4, n) for n in (16, 32, 64)],
                "change": [0.0] * 3,
            },
            "flips_end": {"16": 1.0 if works else 0.1},
            "once_16": once,
            "once_beyond": once,
            "sums_far": [enough[-1]],
            "sums_16": [enough[0]],
            "broken": {
                "no_norm": 0.5 if model.norm_matters else enough[0],
                "once": model.learned,
                "loop": enough[0],
            },
        },
        at_rest=[{"norm": [model.modulus], "radius": [rate(model)]}],
        loops_by_seed=[[n if works else None for n in lengths]],
        flips={"16": {"worst": [float(min(t, 16)) if works else 1.0 for t in (1, 8, 16, 32)]}},
        explicit={"loop": {"right": [[1.0], [1.0], [enough[0]]]}},
        stories=_stories(model),
    )
