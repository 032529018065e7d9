"""Steady Navier-Stokes: the named trainings of Table 5 and what notebook 03 measures (paper, section 5.2).

Names: `implicit` and `explicit` (the same weights, iterated or used once; it is also the sweeps' depth 1), `depth-K` (K untied blocks) and
`width-W` (one wider block), the FNO++ of Table 5, all with the input injected; `unrolled`, the trap shown on purpose: the implicit network, undamped, by plain
back-propagation through its first iterations from z = 0. The profile `quick` has the regime `unique` on 64 x 64 points and a smaller network:
one CPU core trains it; weights of seed 0 of `implicit`, `explicit` and `unrolled` are shipped, records of all. `paper` has the published network and 128 x 128 points; there `implicit` and `explicit` are of the
regime `published`, and `implicit-unique` and `explicit-unique` of the other.

How the implicit model is trained, so that an equilibrium is there to be iterated to: a pool of flows keeps the states z between visits
(warm starts); a slot that is drawn afresh starts from 0 or noise (path independence, Anil et al. 2022). Each visit iterates some times freely, then a
few times with gradient, and pays for how far the last iteration still moved. So depth is random, from about ten iterations up. Flows are smooth, so
most steps are made on a coarse grid and the last ones on the full one. Every model sees every flow in its eight mirror images and quarter turns;
shifts would teach nothing, since all models commute with them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equilibria import checkpoints, lipschitz, training
from equilibria.files import write_atomically as write
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems import flows as navier_stokes
from equilibria.problems.flows import Flows
from equilibria.solvers import Anderson, Method, Solution, solve, trajectory
from equilibria.training.records import CaseRecords, rounded

TEST_STEPS = 50  # evaluations of G at most behind a test answer (the paper's)
ALONG = (
    1,
    2,
    3,
    4,
    6,
    8,
    12,
    16,
    24,
    32,
    50,
    100,
    200,
)  # iterations t of Picard at which the test error is recorded,
ALONG_FLOWS = 60  # on so many test flows
LOCAL_T, LOCAL_FLOWS = (
    (1, 2, 4, 8, 16, 32, 64, 128),
    3,
)  # iterations and test flows at which true local constants are recorded
_REST = 100  # iterations after which Picard's iteration has ended
PERCENTILES = (
    0.01,
    0.02,
    0.03,
    0.04,
    0.05,
    0.1,
    0.3,
    0.5,
    0.7,
    0.9,
    0.95,
    0.96,
    0.97,
    0.98,
    0.99,
)  # of the Lipschitz protocol (the paper's)
DEPTHS = {"quick": (2, 4, 8), "paper": (2, 4, 8, 16, 32)}
WIDTHS = {"quick": (28, 40), "paper": (64, 128, 256)}
_SEED_OF_TRAINING, _SEED_OF_TEST = (
    0,
    1,
)  # of the flows; a model's own seed moves its start and its batches


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a profile trains: network, flows, grids, and the steps of each kind of model: how many, and how many of them, the last ones, on the full grid."""

    width: int
    modes: int
    regime: str
    n: int
    coarse: int
    train: int
    test: int
    batch: int
    pool: int
    steps: dict[str, tuple[int, int]]
    learning_rate: float


RECIPES = {
    "quick": Recipe(
        width=20,
        modes=8,
        regime="unique",
        n=64,
        coarse=32,
        train=1500,
        test=200,
        batch=16,
        pool=128,
        learning_rate=2e-3,
        steps={"implicit": (5400, 160), "explicit": (12000, 1800), "unrolled": (1500, 50)},
    ),
    "paper": Recipe(
        width=32,
        modes=12,
        regime="published",
        n=128,
        coarse=64,
        train=4500,
        test=500,
        batch=16,
        pool=512,
        learning_rate=2e-3,
        steps={"implicit": (60000, 6000), "explicit": (60000, 9000), "unrolled": (4000, 400)},
    ),
}
_FREE, _GRADED = (
    (4, 12),
    3,
)  # iterations of a visit: at least and at most so many without gradient, then so many with
VISIT = (_FREE[0] + _GRADED, _FREE[1] + _GRADED)  # iterations of one visit, at least and at most
_AFRESH = (
    0.5  # chance that a slot is drawn afresh at a visit: slots that live long are learned by heart
)
_PENALTY = 0.1  # weight of |z_T - z_{T-1}| / |z_T| beside the error
UNROLLED = 3  # iterations of the trap's training
_WORTH_COMPILING = 500  # steps from which the minute that torch.compile takes comes back


def names(profile: str) -> list[str]:
    """What can be trained in a profile; `evaluation`, last, records what the finished models do on the test flows."""
    both = ["implicit-unique", "explicit-unique"] if profile == "paper" else []
    return [
        "implicit",
        "explicit",
        *both,
        *(f"depth-{depth}" for depth in DEPTHS[profile]),
        *(f"width-{width}" for width in WIDTHS[profile]),
        "unrolled",
        "evaluation",
    ]


def _regime(name: str, profile: str) -> str:
    return "unique" if name.endswith("-unique") else RECIPES[profile].regime


def new(name: str, *, profile: str = "quick", seed: int = 0) -> ExplicitFNO | ImplicitFNO:
    """An untrained model by name; `seed` draws its weights. Raises ValueError for an unknown name or profile."""
    for what, value, known in (
        ("profile", profile, list(RECIPES)),
        ("name", name, names(profile)[:-1] if profile in RECIPES else []),
    ):
        if value not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}")
    torch.manual_seed(seed)
    recipe, (kind, _, size) = RECIPES[profile], name.partition("-")
    std = navier_stokes.REGIMES[_regime(name, profile)].std
    # fixed units, in which forcing and vorticity have a size of about one: |f| is about std^2 / 4 for w drawn at this peak
    settings = dict(modes=recipe.modes, input_scale=std**2 / 4, output_scale=std)
    if kind in ("implicit", "unrolled"):
        return ImplicitFNO(
            width=recipe.width, damping=1.0 if kind == "unrolled" else 0.5, **settings
        )
    return ExplicitFNO(
        width=int(size) if kind == "width" else recipe.width,
        depth=int(size) if kind == "depth" else 1,
        **settings,
    )


RECORDS = CaseRecords("navier_stokes", "quick", lambda name, profile: new(name, profile=profile))
load, seeds, reports = RECORDS.load, RECORDS.seeds, RECORDS.reports


def test_set(
    name: str = "implicit",
    *,
    profile: str = "quick",
    count: int | None = None,
    progress: bool = True,
) -> Flows:
    """The test flows of a model's regime, the first `count` (None: all): the same for every model and seed."""
    recipe = RECIPES[profile]
    return navier_stokes.data(
        _regime(name, profile),
        recipe.test if count is None else count,
        n=recipe.n,
        seed=_SEED_OF_TEST,
        progress=progress,
    )


# ------------------------------------------------------------------------------------------------------------ training
def relative_error(y: Tensor, label: Tensor) -> Tensor:
    """|y - w| / |w| per flow, (B,): the paper's error."""
    return (y - label).flatten(1).norm(dim=1) / label.flatten(1).norm(dim=1)


def turned(x: Tensor, y: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """Forcing x (B, 2, n, n) and vorticity y (B, n, n) of each flow in one of its eight images, code (B,) in 0..7, again a steady flow.

    Bit 0 exchanges x1 and x2, bits 1 and 2 mirror them; a mirror changes the sign of the vorticity.
    """
    bit = lambda k: ((code >> k) & 1).bool().to(y.device)  # noqa: E731
    x = torch.where(bit(0)[:, None, None, None], x.mT.flip(1), x)
    y = torch.where(bit(0)[:, None, None], -y.mT, y)
    for k, side in ((1, -2), (2, -1)):
        sign = x.new_tensor([-1.0, 1.0] if side == -2 else [1.0, -1.0])[:, None, None]
        x = torch.where(bit(k)[:, None, None, None], sign * x.flip(side), x)
        y = torch.where(bit(k)[:, None, None], -y.flip(side), y)
    return x, y


def _pool(recipe: Recipe, n: int, device: str) -> dict[str, Tensor]:
    """Which flow a slot holds, in which image, its state, and how often it was visited since it was drawn."""
    whole = dict(dtype=torch.int64)
    return {
        f"z{n}": torch.zeros(recipe.pool, recipe.width, n * n, device=device),
        f"flow{n}": torch.zeros(recipe.pool, **whole),
        f"code{n}": torch.zeros(recipe.pool, **whole),
        f"visits{n}": torch.zeros(recipe.pool, **whole),
    }


def pool_loss(
    model: ImplicitFNO,
    pool: dict[str, Tensor],
    x: Tensor,
    y: Tensor,
    slots: Tensor,
    generator: torch.Generator,
    *,
    free: tuple[int, int] = _FREE,
) -> Tensor:
    """Mean error of the graded iterations of a visit to `slots`, plus the penalty on the last move (see the module's header).
    x, y: all training flows (N, 2, n, n), (N, n, n). Changes the pool in place.
    """
    n, device = y.shape[-1], y.device
    z, flow, code, visits = (pool[f"{name}{n}"] for name in ("z", "flow", "code", "visits"))
    lost = ~torch.isfinite(z[slots]).flatten(1).all(1).cpu()
    afresh = (torch.rand(len(slots), generator=generator) < _AFRESH) | (visits[slots] == 0) | lost
    drawn = slots[afresh]
    flow[drawn] = torch.randint(len(y), (len(drawn),), generator=generator)
    code[drawn] = torch.randint(8, (len(drawn),), generator=generator)
    visits[drawn] = 0
    noise = torch.randn(len(drawn), *z.shape[1:], generator=generator) * torch.randint(
        2, (len(drawn), 1, 1), generator=generator
    )
    z[drawn] = noise.to(device)
    inputs, label = turned(x[flow[slots]], y[flow[slots]], code[slots])
    q, state = model.encode(inputs), z[slots]
    with torch.no_grad():
        for _ in range(int(torch.randint(free[0], free[1] + 1, (), generator=generator))):
            state = model(state, q)
    errors = []
    for _ in range(_GRADED):
        before, state = state, model(state, q)
        errors.append(relative_error(model.decode(state), label).mean())
    z[slots] = state.detach()
    visits[slots] += 1
    moved = (state - before).flatten(1).norm(dim=1) / state.detach().flatten(1).norm(dim=1)
    return torch.stack(errors).mean() + _PENALTY * moved.mean()


def _compiled(model: ExplicitFNO | ImplicitFNO):
    """The model behind torch.compile, which halves the time of an iteration on a CPU; itself where there is no compiler for C++."""
    return torch.compile(model) if shutil.which(os.environ.get("CXX", "g++")) else model


def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome | None:
    """Train one model; resumes where an earlier call stopped, from `data/trainings`. Writes `data/checkpoints/navier_stokes/NAME-seedN`.
    The flows are made first, once for all models.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "evaluation":
        all_there = RECORDS.record(
            names(profile)[:-1],
            lambda name, **which: (
                evaluate(name, **which)
                | (probe(name, **which) if name.startswith(("implicit", "explicit")) else {})
            ),
            profile=profile,
            minutes=minutes,
            device=device,
            describe=lambda found: (
                f"relative error {sum(found['errors']) / len(found['errors']):.4f} on {len(found['errors'])} test flows"
            ),
        )
        if (
            all_there
            and profile == "quick"
            and (not _survey_path().exists() or not _surveyed().items() <= surveyed().items())
        ):
            _survey_path().parent.mkdir(parents=True, exist_ok=True)
            write(_survey_path(), json.dumps(survey()) + "\n")
            print(f"survey of the flows: recorded in {_survey_path()}")
        return None
    recipe, kind = RECIPES[profile], name.partition("-")[0]
    flows = navier_stokes.data(
        _regime(name, profile), recipe.train + recipe.batch, n=recipe.n, seed=_SEED_OF_TRAINING
    )
    grids = {
        n: (
            navier_stokes.resample(flows.forcing, n).float().to(device),
            navier_stokes.resample(flows.vorticity, n).float().to(device),
        )
        for n in (recipe.coarse, recipe.n)
    }
    steps, fine = recipe.steps[
        kind if kind in recipe.steps else "explicit"
    ]  # every explicit model makes as many
    settings = training.Settings(
        steps=steps,
        learning_rate=recipe.learning_rate,
        clip=1.0,
        warmup=100,
        schedule="cosine",
        ema=0.998,
        seed=seed,
        save_every=20,
        validate_every=max(1, steps // 6),
    )
    model = new(name, profile=profile, seed=seed).to(device)
    forward = _compiled(model) if steps > _WORTH_COMPILING else model  # the same weights
    pool = (
        _pool(recipe, recipe.coarse, device) | _pool(recipe, recipe.n, device)
        if kind == "implicit"
        else {}
    )

    def loss(model, step, generator):
        x, y = grids[recipe.coarse if step < steps - fine else recipe.n]
        x, y = x[: recipe.train], y[: recipe.train]
        if kind == "implicit":
            return pool_loss(
                forward,
                pool,
                x,
                y,
                training.minibatch(recipe.pool, recipe.batch, seed=seed, step=step),
                generator,
            )
        chosen = training.minibatch(recipe.train, recipe.batch, seed=seed, step=step)
        inputs, label = turned(
            x[chosen], y[chosen], torch.randint(8, (recipe.batch,), generator=generator)
        )
        if (
            kind == "unrolled"
        ):  # back-propagated through every iteration: no equilibrium is asked for
            q = model.encode(inputs)
            *_, z = trajectory(forward, model.start(q), q, UNROLLED)
            return relative_error(model.decode(z), label).mean()
        return relative_error(forward(inputs), label).mean()

    def validate(model):
        x, y = (
            part[recipe.train :] for part in grids[recipe.n]
        )  # flows that no model trains on, and none is tested on
        if isinstance(model, ExplicitFNO):
            with torch.no_grad():
                return {"error": relative_error(model(x), y).mean().item()}
        curve = errors_along_t(model, x, y, steps=100).mean(1)
        return {f"error_{t}": curve[t - 1].item() for t in (3, 10, 30, 100)}

    return RECORDS.train(
        name,
        model,
        loss,
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        validate=validate,
        memory=pool,
    )


# ------------------------------------------------------------------------------------------------- measuring: the flows
AMPLITUDES = (0.05, 0.1, 0.2, 0.334)  # std(w) of the survey; the last one is the paper's
_SURVEYED, _TRIES = 40, 6  # fields at each; random starts for each test flow


def survey() -> dict:
    """What the solver finds among the flows of `quick`, whatever a network says:

    second   [index, distance] of the test flows for which `navier_stokes.other_states` finds a second steady state, from rest and _TRIES random fields
    rows     for each std(w) in AMPLITUDES, of `fields` fields: shares whose forcing `steady_state` solves from rest (solved), to another flow
             than the one drawn (other), and that the rule of the regime `unique` keeps (kept)
    and what it is a survey of
    """
    rows, n = [], RECIPES["quick"].n
    fields = lambda seed: torch.Generator().manual_seed(seed)  # noqa: E731  both draw the fields first: the same ones
    for seed, std in enumerate(tqdm(AMPLITUDES, desc="survey", unit="amplitude", leave=False)):
        found, distance = navier_stokes.another_state(
            navier_stokes.random_vorticity(_SURVEYED, n, std=std, generator=fields(seed)),
            navier_stokes.VISCOSITY,
        )
        kept = len(
            navier_stokes.draw(
                navier_stokes.Regime(std=std, solved=True), _SURVEYED, n, generator=fields(seed)
            )[1]
        )
        rows.append(
            {
                "std": std,
                "fields": _SURVEYED,
                "solved": found.success.double().mean().item(),
                "other": (found.success & (distance > 0.01)).double().mean().item(),
                "kept": kept / _SURVEYED,
            }
        )
    flows = test_set(progress=False)
    _, distance = navier_stokes.other_states(
        flows, navier_stokes.VISCOSITY, tries=_TRIES, generator=fields(0), progress=True
    )
    return {
        "second": [
            [i, round(distance[i].item(), 3)] for i in distance.nonzero().flatten().tolist()
        ],
        "rows": rows,
    } | _surveyed()


def _surveyed() -> dict:
    recipe = RECIPES["quick"]
    return {
        "regime": asdict(navier_stokes.REGIMES[recipe.regime]),
        "n": recipe.n,
        "flows": recipe.test,
        "fields": _SURVEYED,
        "tries": _TRIES,
        "amplitudes": list(AMPLITUDES),
    }


def _survey_path() -> Path:
    return RECORDS.folder("quick") / "test" / "survey.json"


def surveyed() -> dict:
    """The recorded `survey`. Raises CheckpointError where there is none."""
    if not _survey_path().is_file():
        raise checkpoints.CheckpointError(
            f"there is no {_survey_path()}; make it with `equilibria train navier_stokes/evaluation`"
        )
    return json.loads(_survey_path().read_text())


# ---------------------------------------------------------------------------------------------- measuring: the networks
def solved(
    model: ImplicitFNO,
    x: Tensor,
    *,
    method: Method = Anderson(),
    max_steps: int = TEST_STEPS,
    tol: float = 1e-3,
) -> Solution:
    """The latent equilibrium from z_0 = 0, to the relative residual `tol`; the status says where it was not reached."""
    with torch.no_grad():
        q = model.encode(x)
        return solve(
            model, model.start(q), q, method=method, max_steps=max_steps, tol=tol, throw=False
        )


@torch.no_grad()
def answer(model: ExplicitFNO | ImplicitFNO, x: Tensor) -> Tensor:
    """What the tables judge: Anderson's answer after at most TEST_STEPS evaluations, or an explicit model's one answer."""
    return model.decode(solved(model, x).y) if isinstance(model, ImplicitFNO) else model(x)


@torch.no_grad()
def predictions_along_t(
    model: ImplicitFNO, x: Tensor, *, steps: int, start: Tensor | None = None
) -> Iterator[Tensor]:
    """y_1, ..., y_steps of Picard's iteration from z_0 = `start` (None: 0), one at a time."""
    q = model.encode(x)
    for z in trajectory(model, model.start(q) if start is None else start, q, steps):
        yield model.decode(z)


def errors_along_t(
    model: ImplicitFNO, x: Tensor, label: Tensor, *, steps: int, start: Tensor | None = None
) -> Tensor:
    """Relative error of y_1, ..., y_steps, (steps, B)."""
    return torch.stack(
        [relative_error(y, label) for y in predictions_along_t(model, x, steps=steps, start=start)]
    )


def perturbations(
    vorticity: Tensor,
    viscosity: float,
    *,
    norm: float = 0.01,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """(dw (R, n, n), df (B, R, 2, n, n)) of the paper's protocol (section 5.2): plane sine waves of this norm at the percentiles of the
    frequencies sorted by radius, and the change of forcing that each of them asks for at each flow, by the linearised equation.
    """
    n = vorticity.shape[-1]
    k, l = torch.meshgrid(torch.arange(1 - n // 2, n // 2), torch.arange(n // 2), indexing="ij")  # noqa: E741
    half = (l > 0) | (k > 0)
    k = torch.stack([k[half], l[half]], 1)
    order = torch.argsort(k.square().sum(1), stable=True)
    chosen = k[order[[int(p * (len(order) - 1)) for p in percentiles]]]
    dw = norm * navier_stokes.waves(n, chosen)[:, 1].to(vorticity)
    df = [navier_stokes.linearised(vorticity, wave.expand_as(vorticity), viscosity) for wave in dw]
    return dw, torch.stack(df, 1)


def lipschitz_along_t(
    model: ImplicitFNO,
    vorticity: Tensor,
    forcing: Tensor,
    *,
    steps: int,
    viscosity: float = navier_stokes.VISCOSITY,
    norm: float = 0.01,
    percentiles: tuple[float, ...] = PERCENTILES,
) -> tuple[Tensor, Tensor]:
    """The paper's protocol in one pass: |y_t(f + df) - y_t(f)| / |df| for each of `perturbations`, (steps, R, B), and the relative error of the
    clean and all perturbed runs against their own labels w and w + dw, (steps, R + 1, B). In the model's dtype.
    """
    dtype = next(model.parameters()).dtype
    dw, df = perturbations(vorticity, viscosity, norm=norm, percentiles=percentiles)
    runs = torch.cat([forcing[None], forcing[None] + df.transpose(0, 1)]).to(
        dtype
    )  # (R + 1, B, 2, n, n)
    labels = torch.cat([vorticity[None], vorticity[None] + dw[:, None]]).to(dtype)
    size = (runs[1:] - runs[:1]).flatten(2).norm(dim=2)
    ratios, errors = [], []
    for y in predictions_along_t(model, runs.flatten(0, 1), steps=steps):
        moved = (y.view_as(labels)[1:] - y.view_as(labels)[:1]).flatten(2).norm(dim=2)
        ratios.append(moved / size)
        errors.append(relative_error(y, labels.flatten(0, 1)).view(labels.shape[:2]))
    return torch.stack(ratios), torch.stack(errors)


def training_bytes(
    model: ExplicitFNO | ImplicitFNO, x: Tensor, y: Tensor, *, free: int = _FREE[1]
) -> int:
    """What a training step on the flows x, y keeps for its backward pass beyond the weights, in bytes; an implicit one after `free` iterations."""
    if isinstance(model, ExplicitFNO):
        return training.saved_bytes(lambda: relative_error(model(x), y).mean(), model)
    pool = _pool(
        replace(RECIPES["quick"], width=model.width, pool=len(x)), y.shape[-1], str(x.device)
    )
    slots, generator = torch.arange(len(x)), torch.Generator().manual_seed(0)
    return training.saved_bytes(
        lambda: pool_loss(model, pool, x, y, slots, generator, free=(free, free)), model
    )


def local_along_t(
    model: ExplicitFNO | ImplicitFNO,
    x: Tensor,
    times: Sequence[int],
    *,
    max_steps: int = 40,
    tol: float = 0.05,
) -> tuple[Tensor, Tensor]:
    """(value, settled), a row a t, (len(times), B): true local constants |dy_t/df| at the forcings x (B, 2, n, n), all directions, from z_0 = 0, and
    whether the power iteration settled to `tol` in `max_steps`; where not, the value is a lower bound. An explicit model has one answer, whatever t.
    """

    def after(t: int):
        def y_t(x):
            q = model.encode(x)
            *_, z = trajectory(model, model.start(q), q, t)
            return model.decode(z)

        return y_t

    def constant(f) -> tuple[Tensor, Tensor]:
        try:
            return (value := lipschitz.local(f, x, max_steps=max_steps, tol=tol)), torch.ones_like(
                value, dtype=torch.bool
            )
        except lipschitz.NotConverged as short:
            return short.estimate, short.converged

    if isinstance(model, ExplicitFNO):
        return tuple(row.expand(len(times), -1) for row in constant(model))
    return tuple(map(torch.stack, zip(*(constant(after(t)) for t in times))))


@torch.no_grad()
def evaluate(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict:
    """What a finished model does on the first `count` (None: all) test flows: relative error of its `answer` per flow; for an implicit model
    also whether Anderson reached the equilibrium (success), in how many evaluations (steps), and the mean error of Picard's y_t for t
    in ALONG on the first ALONG_FLOWS (along).
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    flows = test_set(name, profile=profile, count=count, progress=False)
    errors, steps, success, along = [], [], [], []
    for x, y in zip(
        flows.forcing.float().to(device).split(20), flows.vorticity.float().to(device).split(20)
    ):
        if isinstance(model, ExplicitFNO):
            errors += rounded(relative_error(model(x), y), 6)
            continue
        solution = solved(model, x)
        errors += rounded(relative_error(model.decode(solution.y), y), 6)
        steps += solution.steps.tolist()
        success += solution.success.tolist()
        if 20 * len(along) < ALONG_FLOWS:
            along.append(errors_along_t(model, x, y, steps=ALONG[-1])[[t - 1 for t in ALONG]])
    return {
        "name": name,
        "seed": seed,
        "profile": profile,
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
        "errors": errors,
    } | (
        {
            "steps": steps,
            "success": success,
            "along": rounded(torch.cat(along, 1).mean(1).nan_to_num(1e9, 1e9), 6),
        }
        if along
        else {}
    )


@torch.no_grad()
def probe(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict:
    """What takes minutes to find out about a finished model, on the first `count` (None: all) test flows:

    local    {t, value, settled} of `local_along_t` at the first LOCAL_FLOWS flows, for t in LOCAL_T, or t = 1; on 32 x 32 points, since the flows are smooth
    picard   of an implicit model: relative error per flow of y_T, T = _REST, of Picard's iteration from 0
    apart    of an implicit model: per flow, how far from it y_T ends from elsewhere, |y_T' - y_T| / |y_T|: from noise as in training, from noise
             five times as large, and from Anderson's answer
    """
    model = load(name, seed=seed, profile=profile)[0].to(device)
    flows = test_set(name, profile=profile, count=count, progress=False)
    few = (
        navier_stokes.resample(flows.forcing[:LOCAL_FLOWS], min(32, flows.forcing.shape[-1]))
        .float()
        .to(device)
    )
    times = LOCAL_T[:1] if isinstance(model, ExplicitFNO) else LOCAL_T
    value, settled = local_along_t(model, few, times, max_steps=80, tol=0.02)
    found = {
        "local": {
            "t": list(times),
            "value": [rounded(row) for row in value],
            "settled": settled.tolist(),
        }
    }
    if isinstance(model, ExplicitFNO):
        return found
    generator, errors, apart = (
        torch.Generator().manual_seed(seed),
        [],
        {"noise": [], "strong noise": [], "Anderson": []},
    )
    for x, w in zip(flows.forcing.float().split(20), flows.vorticity.float().split(20)):
        x, w = x.to(device), w.to(device)
        ended = lambda start: deque(
            predictions_along_t(model, x, steps=_REST, start=start), maxlen=1
        )[0]
        y, noise = (
            ended(None),
            torch.randn(model.start(model.encode(x)).shape, generator=generator).to(device),
        )
        errors += rounded(relative_error(y, w))
        for start, z in (
            ("noise", noise),
            ("strong noise", 5 * noise),
            ("Anderson", solved(model, x).y),
        ):
            apart[start] += rounded(relative_error(ended(z), y))
    return found | {"picard": errors, "apart": apart}
