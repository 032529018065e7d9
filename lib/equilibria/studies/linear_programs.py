"""Linear programs: the named trainings of Table 1, and what notebook 04 measures (paper, section 5.3).

Names: `explicit-W` and `implicit-W` with embedding W = 4, 8, 16, 32, each with any seed; one test set for all. `unrolled-8`
is the trap shown on purpose: the implicit network trained by plain unrolling, 3 and then 6 iterations from y = 0.
The profile `paper` has the paper's 2 500 training and 1 000 test programs, `quick` a tenth for trying the machinery out.

How the implicit models are trained, so that an equilibrium is there to be iterated to (path independence, Anil et al. 2022):
a random number of iterations from y = 0 or from a random point of the box l <= y <= u, without gradient; then a few more
with gradient, each of them compared with the label; and a penalty on how far the last iteration still moved.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from equilibria import solvers as fixed_point
from equilibria import training
from equilibria.operators.lp_graph import ExplicitGNN, Graph, ImplicitGNN, graph
from equilibria.paths import data_folder
from equilibria.problems import linear_programs
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.training.records import CaseRecords

__all__ = [
    "TRAINED_STEPS",
    "WIDTHS",
    "along_t",
    "data",
    "implicit_loss",
    "load",
    "names",
    "new",
    "perturbed_along_t",
    "relative_error",
    "seeds",
    "train",
    "trajectory",
    "unrolled_loss",
]

WIDTHS = (4, 8, 16, 32)
_SEED_OF_TRAINING, _SEED_OF_TEST = (
    0,
    1,
)  # of the programs; a model's own seed moves its start and its batches
_SIZES = {"paper": (2500, 1000), "quick": (250, 100)}
_STEPS = {
    "explicit": dict.fromkeys(WIDTHS, 4000),
    "unrolled": {8: 2000},
    "implicit": {4: 4000, 8: 4000, 16: 3500, 32: 2500},
}
_FREE, _GRADED = 16, 4  # iterations without gradient: 0 to _FREE; with: _GRADED
TRAINED_STEPS = _FREE + _GRADED  # training never iterated further
_PENALTY = 1.0  # weight of |y_T - y_{T-1}| / (|y*| + 1) beside the error


def names(profile: str) -> list[str]:
    """The models that can be trained; the same in every profile."""
    return [f"{kind}-{width}" for kind in ("explicit", "implicit") for width in WIDTHS] + [
        "unrolled-8"
    ]


def data(profile: str, *, progress: bool = True) -> tuple[LinearPrograms, LinearPrograms]:
    """(training, test) programs of a profile, generated once and kept under `data/linear_programs`."""
    folder = data_folder() / "linear_programs"
    return tuple(
        linear_programs.generate_cached(count, folder=folder, seed=seed, progress=progress)
        for count, seed in zip(_SIZES[profile], (_SEED_OF_TRAINING, _SEED_OF_TEST))
    )


def relative_error(y: Tensor, label: Tensor) -> Tensor:
    """|y - y*| / (|y*| + 1) per program, (B,): the paper's error."""
    return (y - label).norm(dim=1) / (label.norm(dim=1) + 1)


def new(name: str, *, seed: int = 0) -> ExplicitGNN | ImplicitGNN:
    """An untrained model by name, e.g. "implicit-8"."""
    kind, width = name.split("-")
    torch.manual_seed(seed)
    return (ExplicitGNN if kind == "explicit" else ImplicitGNN)(int(width))


RECORDS = CaseRecords("linear_programs", "paper", lambda name, profile: new(name))
load, seeds = RECORDS.load, RECORDS.seeds


def implicit_loss(
    model: ImplicitGNN, x: Graph, label: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean error over the graded iterations, plus the penalty on the last move (see the module's header)."""
    B, n = label.shape
    y = x.l + (x.u - x.l) * torch.rand(B, n, generator=generator).to(label)
    y = y * (torch.rand(B, 1, generator=generator) < 0.5).to(label)
    encoded = model.encode(x)
    with torch.no_grad():
        for _ in range(int(torch.randint(_FREE + 1, (), generator=generator))):
            y = model(y, encoded)
    errors = []
    for _ in range(_GRADED):
        before, y = y, model(y, encoded)
        errors.append(relative_error(y, label).mean())
    moved = (y - before).norm(dim=1) / (label.norm(dim=1) + 1)
    return torch.stack(errors).mean() + _PENALTY * moved.mean()


def unrolled_loss(model: ImplicitGNN, x: Graph, label: Tensor, *, depth: int) -> Tensor:
    """Error of y_depth from y_0 = 0, back-propagated through every iteration: no equilibrium is asked for."""
    *_, y = trajectory(model, x, depth)
    return relative_error(y, label).mean()


def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model; resumes where an earlier call stopped, from `data/trainings`. Writes
    `data/checkpoints/linear_programs/NAME-seedN`.
    """
    kind, width = name.split("-")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    programs, test = data(profile)
    size = min(250, len(programs))
    settings = training.Settings(
        steps=40 if profile == "quick" else _STEPS[kind][int(width)],
        learning_rate=1e-2,
        clip=5.0,
        warmup=100,
        ema=0.999,
        seed=seed,
        save_every=20,
    )
    model = new(name, seed=seed).to(device)

    def loss(model, step, generator):
        batch = programs[training.minibatch(len(programs), size, seed=seed, step=step)]
        x, label = graph(batch, device=device), batch.y.to(device, torch.float32)
        if kind == "implicit":
            return implicit_loss(model, x, label, generator)
        return unrolled_loss(
            model, x, label, depth=3 if step < settings.steps * 2 // 3 else 6
        )  # an explicit model has one y

    def validate(model):
        return {
            f"{part}_error": along_t(model, p, steps=64, device=device)["mean"][-1]
            for part, p in (("train", programs), ("test", test))
        }

    return RECORDS.train(
        name,
        model,
        loss,
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        validate=validate,
        card={"programs": list(_SIZES[profile])},
    )


# ------------------------------------------------------------------------------------------------------------ measuring
def trajectory(model: ExplicitGNN | ImplicitGNN, x: Graph, steps: int) -> Iterator[Tensor]:
    """y_1, ..., y_steps from y_0 = 0; an explicit model has one answer, its y_1."""
    if isinstance(model, ExplicitGNN):
        yield model(x)
    else:
        yield from fixed_point.trajectory(model, torch.zeros_like(x.l), model.encode(x), steps)


def _parts(count: int, size: int = 250) -> list[slice]:
    """Slices that keep a batch inside the cache of a core."""
    return [slice(start, start + size) for start in range(0, count, size)]


@torch.no_grad()
def along_t(
    model: ExplicitGNN | ImplicitGNN,
    programs: LinearPrograms,
    *,
    steps: int,
    dtype=torch.float32,
    device: str = "cpu",
) -> dict[str, list[float]]:
    """What becomes of y_1, ..., y_steps, averaged over the programs:

    mean, std   of the error |y_t - y*| / (|y*| + 1)
    violation   mean of |(A y_t - b)_+| / |y*| (equality rows: |A y_t - b|); y_t keeps its bounds by construction
    gap         mean of |c'y_t - c'y*| over the mean of |c'y*|
    """
    seen = {"error": [], "violation": [], "gap": []}
    for part in (programs[s] for s in _parts(len(programs))):
        x, label = graph(part, dtype=dtype, device=device), part.y.to(device, dtype)
        b, equality, c = (
            part.b.to(device, dtype),
            part.equality.to(device),
            part.c.to(device, dtype),
        )
        rows = {name: [] for name in seen}
        for y in trajectory(model, x, steps):
            slack = (x.A @ y.reshape(-1, 1)).view_as(b) - b
            slack = torch.where(equality, slack.abs(), slack.clamp(min=0))
            rows["error"].append(relative_error(y, label))
            rows["violation"].append(slack.norm(dim=1) / label.norm(dim=1))
            rows["gap"].append((c * (y - label)).sum(1).abs())
        for name, values in rows.items():
            seen[name].append(torch.stack(values))
    error, violation, gap = (torch.cat(v, 1) for v in seen.values())
    return {
        "mean": error.mean(1).tolist(),
        "std": error.std(1).tolist(),
        "violation": violation.mean(1).tolist(),
        "gap": (gap.mean(1) / programs.objective.abs().mean()).tolist(),
    }


@torch.no_grad()
def perturbed_along_t(
    model: ExplicitGNN | ImplicitGNN,
    programs: LinearPrograms,
    moved: LinearPrograms,
    *,
    norm: float,
    steps: int,
) -> dict[str, list[float]]:
    """The Lipschitz protocol (paper, section 5.3) for one kind of perturbation, in float64:

    ratio    mean over the programs of |y_t(x + dx) - y_t(x)| / |dx|, the paper's estimate of a Lipschitz constant, per t
    median   its median over the programs: not carried by the few whose iteration cycles
    error    mean of |y_t(x + dx) - y*| / (|y*| + 1) against the perturbed program's own label, per t
    """
    model = copy.deepcopy(model).double()
    ratios, errors = [], []
    for s in _parts(len(programs)):
        x, dx, label = (
            graph(programs[s], dtype=torch.float64),
            graph(moved[s], dtype=torch.float64),
            moved.y[s],
        )
        pairs = list(zip(trajectory(model, x, steps), trajectory(model, dx, steps)))
        ratios.append(torch.stack([(there - here).norm(dim=1) / norm for here, there in pairs]))
        errors.append(torch.stack([relative_error(there, label) for _, there in pairs]))
    ratios, errors = torch.cat(ratios, 1), torch.cat(errors, 1)
    return {
        "ratio": ratios.mean(1).tolist(),
        "median": ratios.median(1).values.tolist(),
        "error": errors.mean(1).tolist(),
    }
