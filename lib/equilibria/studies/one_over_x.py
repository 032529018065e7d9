"""One over x: the named trainings of the learned toy, and what notebook 01 measures (paper, sections 1 and 2).

Trainings: `explicit-L` and `implicit-L` for the Lipschitz bounds L = 5, 10, 15, 20 of the operator, seeds 0, 1, 2; the same in
every profile. Details of the toy that the paper does not give are our choice: 1/x on [0.1, 1]; the explicit network has three
hidden layers of 1024 units, the implicit one two of 256; spectral normalisation per layer and input; the implicit operator's
modulus in y is at most 0.96, so that its equilibrium exists and may be L / 0.04 steep.

Implicit weights ship in `data/checkpoints/one_over_x`. Explicit ones are 8 MB each: of them the measured results ship.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from equilibria import checkpoints, lipschitz, regularity, training
from equilibria import solvers as fixed_point
from equilibria.files import write_atomically as write
from equilibria.operators.bounded_mlp import BoundedMLP
from equilibria.operators.reciprocal import (
    NaiveReciprocal,
    RegularReciprocal,
    closed_form,
    predicted_iterations,
    slope,
)
from equilibria.operators.sufficiency import Relaxed, regular_operator
from equilibria.paths import data_folder
from equilibria.problems.steep_targets import SIGN, TARGETS, paper_step, smooth_sign

__all__ = [
    "BOUNDS",
    "NEAR",
    "SEEDS",
    "TIMES",
    "broken_toy",
    "conceptual",
    "constant_step",
    "curves",
    "explicit_results",
    "least_error",
    "limit",
    "load",
    "measure",
    "measure_toy",
    "names",
    "needed_iterations",
    "new",
    "operator_slopes",
    "panels",
    "solves",
    "steepness",
    "sufficiency",
    "train",
    "without_contraction",
]

BOUNDS = (5, 10, 15, 20)
SEEDS = (0, 1, 2)
NEAR = 0.1  # the toy's domain is [NEAR, 1]
MODULUS = 0.96
TIMES = (1, 5, 25, 50, 100, 400)  # the paper's 1, 5, 25, and whether it stays there
_STEPS = {"explicit": 250, "implicit": 400}
_RATE = {"explicit": 1e-2, "implicit": 2e-2}
_POWER_SEED = (
    67280421310721  # of the start of the power iterations, which hardly matters but must be fixed
)
_POINTS = 128  # log-spaced training points
_GRID = 201  # log-spaced test points
_FREE, _GRADED = (
    (50, 100),
    25,
)  # iterations without gradient (drawn for each step) and with: nothing is tuned to one t


# ------------------------------------------------------------------------------------------------- the toy: training
def names(profile: str) -> list[str]:
    """The networks that can be trained; the same in every profile."""
    return [f"{kind}-{bound}" for kind in ("explicit", "implicit") for bound in BOUNDS]


def inputs(count: int) -> Tensor:
    """(count, 1) float32, log-spaced from NEAR to 1."""
    return torch.logspace(math.log10(NEAR), 0, count, dtype=torch.float64)[:, None].float()


def new(name: str, *, seed: int = 0, modulus: float = MODULUS) -> BoundedMLP:
    """An untrained network by name, e.g. "implicit-5": N(x), or N(y, x) with |dN/dy| <= modulus. `seed` draws its weights."""
    kind, bound = name.split("-")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "explicit":
            return BoundedMLP([float(bound)], width=1024, layers=2, spans=[(NEAR, 1)])
        return BoundedMLP(
            [modulus, float(bound)], width=256, layers=1, spans=[(0, 1 / NEAR), (NEAR, 1)]
        )


def _stem(name: str, seed: int) -> Path:
    return data_folder() / "checkpoints" / "one_over_x" / f"{name}-seed{seed}"


def train(
    name: str, *, profile: str = "quick", seed: int = 0, minutes: float | None = None
) -> training.Outcome:
    """Train one network; resumes where an earlier call stopped. The mean squared error is taken over log-spaced points.

    Writes `data/checkpoints/one_over_x/NAME-seedN`: weights and card of an implicit network, the results of an explicit one.
    Raises ValueError for an unknown name.
    """
    if name not in names(profile):
        raise ValueError(f"name must be one of {', '.join(names(profile))}, got {name!r}")
    kind, bound = name.split("-")
    x = inputs(_POINTS)
    model = new(name, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_POWER_SEED)
        model.normalise()

    def explicit_loss(model, step, generator):
        return (model(x) - 1 / x).square().mean()

    def implicit_loss(model, step, generator):
        y = torch.zeros_like(x)
        before = int(torch.randint(_FREE[0], _FREE[1] + 1, (), generator=generator))
        with torch.no_grad(), parametrize.cached():
            for _ in range(before):
                y = model(y, x)
        with parametrize.cached():
            for _ in range(_GRADED):
                y = model(y, x)
        return (y - 1 / x).square().mean()

    settings = training.Settings(
        steps=_STEPS[kind], learning_rate=_RATE[kind], warmup=20, seed=seed, save_every=50
    )
    scratch = data_folder() / "trainings" / "one_over_x" / f"{name}-seed{seed}"
    outcome = training.train(
        model,
        explicit_loss if kind == "explicit" else implicit_loss,
        settings=settings,
        stem=scratch,
        card={"name": name, "near": NEAR, "modulus": MODULUS},
        minutes=minutes,
    )
    if outcome.finished:
        model.freeze().eval()
        card = {
            key: value for key, value in checkpoints.read_card(scratch).items() if key != "sha256"
        }
        card |= {
            "bounds": model.bounds(),
            "maker": f"equilibria train one_over_x/{name} --seed {seed}",
        }
        if kind == "implicit":
            checkpoints.save(_stem(name, seed), model, card)
        else:
            text = json.dumps({**card, "results": _measure(model, (1,))}, indent=1, sort_keys=True)
            _stem(name, seed).parent.mkdir(parents=True, exist_ok=True)
            write(_stem(name, seed).with_suffix(".json"), text + "\n")
    print(
        f"{name} seed {seed}: step {outcome.step}, {outcome.seconds:.0f} s, "
        + (
            "finished"
            if outcome.finished
            else "stopped at the time limit; the same command continues"
        )
    )
    return outcome


def load(name: str, *, seed: int) -> tuple[BoundedMLP, dict]:
    """(network, card) of a shipped implicit training. Raises CheckpointError when it is missing, damaged or foreign."""
    model = new(name)
    card = checkpoints.load(_stem(name, seed), model)
    return model.eval(), card


def explicit_results(name: str, *, seed: int) -> dict:
    """What was measured after an explicit training (see `measure_toy`). Raises CheckpointError when it is missing or damaged."""
    path = _stem(name, seed).with_suffix(".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        raise checkpoints.CheckpointError(
            f"{path} is missing or damaged ({error}): run `equilibria train one_over_x/{name} --seed {seed}`"
        ) from error


# ------------------------------------------------------------------------------------------------ the toy: measuring
@torch.no_grad()
def _measure(model: BoundedMLP, times: tuple[int, ...]) -> dict:
    """Errors and steepness of y_t on _GRID points in float64, and y_t on every second, for each t (explicit: one answer)."""
    model, x = copy.deepcopy(model).double(), inputs(_GRID).double()
    found = {"sup_error": [], "mean_relative_error": [], "steepest": [], "curve": []}
    iterates = (
        [model(x)]
        if len(model.limits) == 1
        else fixed_point.trajectory(model, torch.zeros_like(x), x, max(times))
    )
    for t, y in enumerate(iterates, 1):
        if t in times:
            error = (y * x - 1).abs()
            found["sup_error"].append(float((error / x).max()))
            found["mean_relative_error"].append(float(error.mean()))
            found["steepest"].append(float((y.diff(dim=0) / x.diff(dim=0)).abs().max()))
            found["curve"].append(y[::2, 0].float().tolist())
    return found


def measure_toy() -> dict:
    """The learned toy at each t of TIMES: every seed's measurements under {"explicit" | "implicit": {"5": [per seed]}}, and
    {"summary": {"5": ...}} with means and standard deviations over seeds. Implicit: recomputed from the shipped weights;
    explicit: read from what its training wrote. Raises CheckpointError when either is missing or damaged.
    """
    found = {
        "inputs": inputs(_GRID)[::2, 0],
        "times": TIMES,
        "seeds": SEEDS,
        "explicit": {
            str(b): [explicit_results(f"explicit-{b}", seed=s) for s in SEEDS] for b in BOUNDS
        },
        "implicit": {
            str(b): [_measure(load(f"implicit-{b}", seed=s)[0], TIMES) for s in SEEDS]
            for b in BOUNDS
        },
        "operator_bounds": {
            str(b): [load(f"implicit-{b}", seed=s)[0].bounds() for s in SEEDS] for b in BOUNDS
        },
        "least_error": {str(b): least_error(b, NEAR) for b in BOUNDS},
    }
    found["summary"] = {
        str(b): {kind: _over_seeds(found[kind][str(b)]) for kind in ("explicit", "implicit")}
        for b in BOUNDS
    }
    at_25 = TIMES.index(25)
    for entry in found["summary"].values():
        entry["implicit"]["sup_error_to_25"] = entry["implicit"]["sup_error"][: at_25 + 1]
    found["at_25"] = {  # one entry per bound
        "implicit": [found["summary"][str(b)]["implicit"]["sup_error"][at_25] for b in BOUNDS],
        "explicit": [found["summary"][str(b)]["explicit"]["sup_error"][0] for b in BOUNDS],
        "least_error": list(found["least_error"].values()),
        "implicit_steepest": [
            found["summary"][str(b)]["implicit"]["steepest"][at_25] for b in BOUNDS
        ],
        "bound": list(BOUNDS),
        "steepest_at_1_over_bound": [
            seed["steepest"][0] / b for b in BOUNDS for seed in found["implicit"][str(b)]
        ],
        "explicit_steepest_over_bound": [
            seed["steepest"][0] / b for b in BOUNDS for seed in found["explicit"][str(b)]
        ],
    }
    return found


def _over_seeds(measured: list[dict]) -> dict:
    """Mean and standard deviation of each number over the seeds, (T,) each."""
    found = {}
    for key in ("sup_error", "mean_relative_error", "steepest"):
        values = torch.tensor([seed[key] for seed in measured], dtype=torch.float64)
        found |= {key: values.mean(0), f"{key}_spread": values.std(0)}
    return {key: value.tolist() for key, value in found.items()}


def broken_toy(modulus: float = 1.2, steps: int = 400) -> dict:
    """implicit-5 as trained, and the same weights without a contraction: errors at t = 1 ... steps."""
    model, times = load("implicit-5", seed=0)[0], tuple(range(1, steps + 1))
    return {
        "contraction": {"modulus": MODULUS, "sup_error": _measure(model, times)["sup_error"]},
        "without": {
            "modulus": modulus,
            "sup_error": _measure(without_contraction(model, modulus), times)["sup_error"],
        },
    }


def without_contraction(model: BoundedMLP, modulus: float) -> BoundedMLP:
    """The same trained weights with |dN/dy| <= `modulus` instead: what happens to the equilibrium when it may exceed 1."""
    model.limits = (modulus, *model.limits[1:])
    return model


def least_error(bound: float, near: float) -> float:
    """The sup error that no function with Lipschitz constant `bound` can beat for 1/x on [near, 1], however large the network:

    max over a < b of (1/a - 1/b - bound (b - a)) / 2, reached at a = near, b = bound^(-1/2); 0 where bound >= 1 / near^2.

    >>> round(least_error(5, 0.1), 3), least_error(100, 0.1)
    (3.014, 0.0)
    """
    b = min(1.0, bound**-0.5)
    return max(0.0, 0.5 * (1 / near - 1 / b - bound * (b - near))) if b > near else 0.0


# -------------------------------------------------------------------------------------------------- theory: measuring
def _log_space(low: float, high: float, count: int, device: str) -> Tensor:
    """(count, 1) float64 points."""
    return torch.logspace(
        math.log10(low), math.log10(high), count, dtype=torch.float64, device=device
    )[:, None]


def measure(
    *,
    eta: float,
    tol: float,
    iterations: list[int],
    intervals: list[float],
    points: int,
    levels: int,
    seed: int,
    device: str,
) -> dict:
    """Everything of notebook 01 but the learned toy: what its results.json holds. Arguments: the notebook's parameters."""
    return {
        "curves": curves(eta, iterations, points, device),
        "operator_slopes": operator_slopes(eta, points // 2, device),
        "steepness": steepness(eta, intervals, points // 6, device),
        "iterations": needed_iterations(eta, tol, points // 4, device),
        "conceptual": conceptual([1, 2, 10_000], points, device),
        "sufficiency": sufficiency(levels, seed, device),
        "limit": limit(levels, seed, device),
        "panels": panels([0.1, 0.5, 0.9], [1, 5, 25, 100], points // 2, device),
    }


def solves(eta: float, tol: float, points: list[float], device: str = "cpu") -> dict:
    """Picard to a relative residual `tol` at a few x, from y_0 = 0: the residual of every evaluation and what it must be,

    |G(y_t) - y_t| / |G(y_t)| = eta x q^t / (1 - q^(t+1)), q = 1 - eta x, for t = 0, 1, ...
    """
    x = torch.tensor(points, dtype=torch.float64, device=device)[:, None]
    budget = (
        int(predicted_iterations(x, tol, eta).max()) + 1
    )  # the relative residual passes before the relative error does
    solution = fixed_point.solve(
        RegularReciprocal(eta),
        torch.zeros_like(x),
        x,
        method=fixed_point.Picard(),
        max_steps=budget,
        tol=tol,
    )
    found = []
    for one, residual, steps in zip(points, solution.residuals, solution.steps.tolist()):
        t, q = torch.arange(steps, dtype=torch.float64), 1 - eta * one
        found.append(
            {
                "x": one,
                "steps": steps,
                "residual": residual[:steps],
                "predicted": eta * one * q**t / (1 - q ** (t + 1)),
            }
        )
    return {
        "x": points,
        "tol": tol,
        "solves": found,
        "largest_gap": max(
            float((s["residual"].cpu() / s["predicted"] - 1).abs().max()) for s in found
        ),
    }


def curves(eta: float, times: list[int], points: int, device: str = "cpu") -> dict:
    """y_t of the regular operator, iterated from 0, beside its closed form, for each t of `times`."""
    x, times = _log_space(1e-3, 1, points, device), sorted(set(times))
    iterates = [
        y
        for t, y in enumerate(
            fixed_point.trajectory(RegularReciprocal(eta), torch.zeros_like(x), x, max(times)), 1
        )
        if t in times
    ]
    exact = [closed_form(x, t, eta) for t in times]
    return {
        "x": x[:, 0],
        "times": times,
        "iterates": [y[:, 0] for y in iterates],
        "closed_form": [y[:, 0] for y in exact],
        "target": 1 / x[:, 0],
        "largest_gap": [
            float(((y - e) / e).abs().max()) for y, e in zip(iterates, exact, strict=True)
        ],
    }


def operator_slopes(eta: float, points: int, device: str = "cpu") -> dict:
    """|dG/dx| of the naive and of the regular operator at |y| = 1 and 10, towards x = 0."""
    x = _log_space(1e-4, 1, points, device)
    at = lambda G, size: lipschitz.local(lambda x: G(torch.full_like(x, size), x), x)  # noqa: E731
    naive, regular = NaiveReciprocal(eta), RegularReciprocal(eta)
    found = {
        "x": x[:, 0],
        "naive": at(naive, 1.0),
        "regular": {"1": at(regular, 1.0), "10": at(regular, 10.0)},
        "modulus": {"naive": naive.modulus(x)[:, 0], "regular": regular.modulus(x)[:, 0]},
    }
    found["blow_up"] = {
        "naive": float(found["naive"].max() / found["naive"].min()),
        "regular": float(found["regular"]["1"].max() / found["regular"]["1"].min()),
    }
    return found


def steepness(eta: float, intervals: list[float], points: int, device: str = "cpu") -> list[dict]:
    """Sup of |dy_t/dx| over [d, 1] against t, per d of `intervals`: measured through the iteration, closed form, and bounds.

    `bound` is y_t(d)^2: |dy_t/dx| <= sum over k < t of mu^(t-1-k) eta |y_k| <= eta y_t (1 - mu^t) / (1 - mu), the argument of
    Theorem 2.5 at t steps; `limit` is Lip_x(G)(y*) / (1 - mu) = eta (1/d) / (eta d) = 1/d^2, the theorem itself.
    """
    found = []
    for d in intervals:
        x = _log_space(d, 1, points, device)
        # the slope is within 1 % of its limit when 1 - eta d has decayed by exp(-10)
        times = sorted(
            {
                round(t)
                for t in torch.logspace(
                    0, math.log10(12 / (eta * d)), 25, dtype=torch.float64
                ).tolist()
            }
        )
        edge = x[:1]
        found.append(
            {
                "interval": d,
                "times": times,
                "measured": [
                    float(
                        lipschitz.local(lambda x, t=t: _last(RegularReciprocal(eta), x, t), x).max()
                    )
                    for t in times
                ],
                "closed_form": [float(slope(x, t, eta).abs().max()) for t in times],
                "bound": [float(closed_form(edge, t, eta) ** 2) for t in times],
                "limit": 1 / d**2,
                "error": [float((1 / edge - closed_form(edge, t, eta)) * edge) for t in times],
            }
        )
        found[-1]["largest_gap"] = max(
            abs(m / c - 1)
            for t, m, c in zip(times, found[-1]["measured"], found[-1]["closed_form"])
            if t > 1
        )  # y_1 = eta is flat
        found[-1]["end_over_limit"] = found[-1]["measured"][-1] / found[-1]["limit"]
    return found


def panels(etas: list[float], times: list[int], points: int, device: str = "cpu") -> dict:
    """y_t for several steps and iterations: what the slider shows, for readers without one."""
    x = _log_space(1e-2, 1, points, device)[:, 0]
    return {
        "x": x,
        "target": 1 / x,
        "times": times,
        "etas": etas,
        "iterates": [[closed_form(x, t, eta) for t in times] for eta in etas],
    }


def _last(G, x: Tensor, t: int) -> Tensor:
    for y in fixed_point.trajectory(G, torch.zeros_like(x), x, t):
        pass
    return y


def needed_iterations(eta: float, tol: float, points: int, device: str = "cpu") -> dict:
    """Iterations until the relative error |x y_t - 1| is at most `tol`, against x, beside ceil(ln tol / ln(1 - eta x))."""
    x = _log_space(1e-2, 1, points, device)
    predicted = predicted_iterations(x, tol, eta)[:, 0]
    needed = torch.zeros_like(predicted)
    for t, y in enumerate(
        fixed_point.trajectory(
            RegularReciprocal(eta), torch.zeros_like(x), x, int(predicted.max()) + 2
        ),
        1,
    ):
        needed[(needed == 0) & ((x * y - 1).abs()[:, 0] <= tol)] = t
    if not bool((needed > 0).all()):
        raise RuntimeError(
            f"{int((needed == 0).sum())} points did not come within tol = {tol} in two iterations more than predicted"
        )
    return {
        "x": x[:, 0],
        "tol": tol,
        "needed": needed,
        "predicted": predicted,
        "largest_gap": int((needed - predicted).abs().max()),
    }


def conceptual(times: list[int], points: int, device: str = "cpu") -> dict:
    """Fig. 1: y_t for the target with two singularities, with the paper's step and with the automatic one."""
    target = TARGETS["two_singularities"]
    pieces = []
    for low, high in ((-2, 0), (0, 1), (1, 3)):
        part = (
            torch.arange(points, dtype=torch.float64, device=device)[:, None] + 0.5
        ) / points  # never the end of a piece
        pieces.append(low + (high - low) * part)
    x = torch.cat(pieces)
    automatic = regular_operator(target.F, target.local_lipschitz).eps
    found = {
        "x": x[:, 0],
        "piece": points,
        "times": times,
        "target": target.F(x)[:, 0],
        "iterates": {},
    }
    with torch.no_grad():
        for name, step in (("paper", paper_step), ("automatic", automatic)):
            found["iterates"][name] = [Relaxed(target.F, step).iterate(x, t)[:, 0] for t in times]
        found["step"] = {"paper": paper_step(x), "automatic": automatic(x)}
    return found


def constant_step(x: Tensor) -> Tensor:
    """The wrong eps: 0.5 everywhere, the counterexample to every claim about the right one. (B,)"""
    return x.new_full(x.shape[:1], 0.5)


def sufficiency(levels: int, seed: int, device: str = "cpu", *, step=None) -> dict:
    """Theorem 2.4 on every target: as the grid comes within 2^-level of the singularity, the steepest Lip_x(G) seen so far, per unit
    of 1 + |y|, beside the steepest slope of F and beside Lip_x of the operator with a constant step; and the audit.

    `step` replaces the automatic eps(x), for breaking the claim on purpose.
    """
    distance = 2.0 ** -torch.arange(
        0.25, levels + 0.125, 0.25, dtype=torch.float64, device=device
    )  # four points per halving
    found = {"distance": distance, "order": list(TARGETS), "targets": {}}
    for name, target in TARGETS.items():
        x = target.near(distance)
        G = (
            regular_operator(target.F, target.local_lipschitz)
            if step is None
            else Relaxed(target.F, step)
        )
        audited = target.near(distance[3:40:4])
        with torch.no_grad():
            report = regularity.audit(G, torch.zeros_like(target.F(audited)), audited, seed=seed)
        steepest = torch.stack([_per_state(G, target, x, size) for size in (0.0, 1.0, 10.0)]).amax(
            0
        )
        found["targets"][name] = {
            "label": target.label,
            "operator": _worst_so_far(steepest, len(distance)),
            "constant_step": _worst_so_far(
                _per_state(Relaxed(target.F, constant_step), target, x, 1.0), len(distance)
            ),
            "target": _worst_so_far(target.slope(x), len(distance)),
            "operator_here": steepest.reshape(-1, len(distance)).amax(0),
            "regular": report.regular,
            "distance": distance[3:40:4],
            "necessity": _necessity(report, target, audited, len(distance[3:40:4])),
        }
        entry = found["targets"][name]
        entry["target_over_operator"] = float(entry["target"][-1] / entry["operator"][-1])
        # what Lip_x(G) still gained in the last six halvings of the distance
        entry["late_growth"] = {
            key: float(entry[key][-1] / entry[key][-25])
            for key in ("operator", "constant_step", "target")
        }
    every = found["targets"].values()
    found["over_targets"] = {  # in the order of `order`
        "largest_operator": [float(entry["operator"][-1]) for entry in every],
        "late_growth_of_operator": [entry["late_growth"]["operator"] for entry in every],
        "late_growth_of_target": [entry["late_growth"]["target"] for entry in every],
        "measured_over_bound": [entry["necessity"]["worst_ratio"] for entry in every],
        "all_regular": all(entry["regular"] for entry in every),
    }
    return found


def _per_state(G, target, x: Tensor, size: float) -> Tensor:
    """Lip_x(G)(y) / (1 + |y|) at |y| = size. (B,)"""
    y = torch.zeros_like(target.F(x))
    y[:, 0] = size
    return lipschitz.local(lambda x: G(y, x), x) / (1 + size)


def _worst_so_far(values: Tensor, count: int) -> Tensor:
    """Largest over a target's singularities and over all distances down to each one. (count,)"""
    return values.reshape(-1, count).amax(0).cummax(0).values


def _necessity(report: regularity.Audit, target, x: Tensor, count: int) -> dict:
    """The audit's bound Lip_x(G)(y*) / (1 - mu), its measured |dy*/dx| and the exact slope of F, by the first singularity;
    the ratio is over all of them.
    """
    return {
        "bound": report.bound[:count],
        "measured": report.measured[:count],
        "one_minus_mu": 1 - report.mu[:count],
        "worst_ratio": float((report.measured / report.bound).max()),
        "worst_gap": float((report.measured / target.slope(x) - 1).abs().max()),
    }


def limit(levels: int, seed: int, device: str = "cpu") -> dict:
    """Where the theory ends: sign x, not locally Lipschitz at 0. Its modulus beside what any regular operator must obey.

    approach   1 - mu(x) for sign on the line without 0; |y*(x) - y*(-x)| = 2 forces 1 - mu(x) <= K |x| on every operator
               that is K-Lipschitz in x at |y| = 1; for this one K = 2 c (1 + 1) = 2
    smoothed   the least 1 - mu for tanh(x/w), whose slope 1/w forces 1 - mu(0) <= Lip_x(G)(0) w
    at_zero    what the audit says at x = 0 itself
    """
    s = 2.0 ** -torch.arange(1.0, levels + 1, dtype=torch.float64, device=device)
    G = regular_operator(SIGN.F, SIGN.local_lipschitz)
    x = s[:, None]
    with torch.no_grad():
        gap = 1 - G.modulus(x)
    found = {
        "distance": s,
        "approach": {"one_minus_mu": gap, "allowed": 2 * s},
        "smoothed": {"one_minus_mu": [], "allowed": [], "mu": []},
    }
    for width in s.tolist():
        H = regular_operator((target := smooth_sign(width)).F, target.local_lipschitz)
        near = torch.cat(
            [
                torch.zeros_like(s[:1]),
                width * 2.0 ** torch.arange(-3.0, 3.0, dtype=s.dtype, device=device),
            ]
        )[:, None]
        steep = lipschitz.local(lambda x: H(torch.zeros_like(x), x), near)[0]
        with torch.no_grad():
            mu = H.modulus(near)
        found["smoothed"]["mu"].append(float(mu.max()))
        found["smoothed"]["one_minus_mu"].append(float(1 - mu.max()))
        found["smoothed"]["allowed"].append(float(steep) * width)
    zero = torch.zeros(1, 1, dtype=torch.float64, device=device)
    report = regularity.audit(G, zero, zero, seed=seed)
    found["at_zero"] = {"mu": float(report.mu), "regular": report.regular, "report": report.report}
    return found
