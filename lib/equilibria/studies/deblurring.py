"""Deblurring: the named trainings of Tables 3-4 and what notebook 02 measures (paper, section 5.1).

Names: `denoiser` (trained first; every other model starts from it), `explicit`, `pgd`, `hqs`, `unfolded-K` (K untied HQS
blocks) and `unrolled-pgd`, the trap shown on purpose: PGD by plain back-propagation through its first iterations.
The profile `quick` has a DRUNet of 0.14 million weights, crops of 64 x 64 and this project's own kernel: two CPU cores
train it, and its weights are shipped. `paper` has the published network of 32.6 million weights, crops of 128 x 128, Levin09;
its `denoiser` is not trained but fetched: the published weights, which deepinv hosts.

How the implicit models are trained, so that an equilibrium is there to be iterated to: a pool of photographs keeps the
states y between visits (warm starts), so that most gradients are taken near y*, after tens to hundreds of iterations; a
slot that is drawn afresh starts from 0, x or noise (path independence, Anil et al. 2022). Each visit iterates a few times
freely. Then the young half of the pool, seldom near y*, is graded at a few iterations with gradient; the old half, near
y*, by the implicit adjoint, which alone sees what a small change does to a slow mode after hundreds of iterations. The old
half also pays for a G that stretches a direction by more than `Visits.modulus`; the direction is the state of a power iteration
that lives in the pool too. PGD needs more of all that than HQS: where the blur removes a frequency its data term contracts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equilibria import checkpoints, training
from equilibria.adjoints import Implicit, equilibrium
from equilibria.files import DataError
from equilibria.operators.deblurring import Denoiser, Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.paths import data_folder
from equilibria.problems import images
from equilibria.problems.images import Blur
from equilibria.solvers import Anderson, Method, Picard, Solution, solve, trajectory
from equilibria.training.records import CaseRecords, rounded

TEST_SIZE, TEST_STEPS = (
    128,
    100,
)  # pixels of a test crop; iterations t at which the tables judge y_t (the paper's)
LATE_STEPS, LATE_COUNT = 300, 40  # is it still there at this t, on so many of the test crops
DEPTHS = {"quick": (1, 2, 4, 8), "paper": (1, 2, 4, 8, 16, 32)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a profile trains: network, data, and the steps and batch of each model."""

    channels: tuple[int, ...]
    blocks: int
    residual: bool
    crop: int
    batch: int
    pool: int
    steps: dict[str, int]
    learning_rate: float


RECIPES = {
    "quick": Recipe(
        channels=(8, 16, 32, 64),
        blocks=1,
        residual=True,
        crop=64,
        batch=8,
        pool=128,
        learning_rate=3e-4,
        steps={
            "denoiser": 4000,
            "explicit": 5000,
            "pgd": 1200,
            "hqs": 1200,
            "unfolded": 1200,
            "unrolled": 150,
        },
    ),
    "paper": Recipe(
        channels=(64, 128, 256, 512),
        blocks=4,
        residual=False,
        crop=128,
        batch=6,
        pool=96,
        learning_rate=1e-4,
        steps={"explicit": 4000, "pgd": 4000, "hqs": 4000, "unfolded": 4000, "unrolled": 400},
    ),
}
_ADJOINT = Implicit(method=Anderson(), max_steps=8, tol=None, throw=False)
_GRADED = 2  # iterations of a young slot with gradient
_JUMP = 12  # evaluations that bring a fresh old slot near its y*
_DENOISED = 0.15  # largest noise level of the denoiser's training
_UNROLLED = 10  # iterations of the trap's training


@dataclass(frozen=True, kw_only=True)
class Visits:
    """How the pool of an implicit model is visited."""

    free: int  # iterations of a visit without gradient: 0 to so many
    afresh: tuple[
        float, float
    ]  # chance that a slot of the young half, of the old half, is drawn afresh
    modulus: float  # the largest stretch that costs nothing
    penalty: float


VISITS = {
    "pgd": Visits(free=16, afresh=(1.0, 0.05), modulus=0.95, penalty=0.1),
    "hqs": Visits(free=6, afresh=(1.0, 0.34), modulus=0.97, penalty=0.02),
}


def names(profile: str) -> list[str]:
    """What can be trained in a profile; `evaluation`, last, records what the finished models do on the test photographs."""
    return [
        "denoiser",
        "explicit",
        "pgd",
        "hqs",
        *(f"unfolded-{depth}" for depth in DEPTHS[profile]),
        "unrolled-pgd",
        "evaluation",
    ]


def kernel(profile: str) -> Tensor:
    """The kernel of a profile. Raises ImageError where `paper` has no Levin09.npy."""
    if profile == "quick":
        return images.motion_kernel()
    found = images.levin09()
    if found is None:
        raise images.ImageError(
            f"the profile paper needs {data_folder() / 'degradations' / 'Levin09.npy'}: get it with "
            "python -c \"from deepinv.utils import load_degradation; load_degradation('Levin09.npy', 'data/degradations', index=1)\""
        )
    return found


def new(name: str, *, profile: str = "quick", seed: int = 0) -> nn.Module:
    """An untrained model by name."""
    torch.manual_seed(seed)
    recipe = RECIPES[profile]
    denoiser = Denoiser(recipe.channels, recipe.blocks, residual=recipe.residual)
    kind, _, depth = name.partition("-")
    if kind == "denoiser":
        return denoiser
    if kind == "explicit":
        return Explicit(denoiser)
    blur = Blur(kernel(profile))
    if kind == "unfolded":
        return Unfolded(ImplicitHQS(denoiser, blur), int(depth))
    return ImplicitHQS(denoiser, blur) if kind == "hqs" else ImplicitPGD(denoiser, blur)


RECORDS = CaseRecords("deblurring", "quick", lambda name, profile: new(name, profile=profile))
load, seeds, reports = RECORDS.load, RECORDS.seeds, RECORDS.reports


# ------------------------------------------------------------------------------------------------------------ training
def _start_from_denoiser(model: nn.Module, profile: str) -> None:
    weights = load("denoiser", profile=profile)[0].state_dict()
    for part in model.modules():
        if isinstance(part, Denoiser):
            part.load_state_dict(weights)


def _fetch_denoiser(profile: str, seed: int) -> None:
    """Keep deepinv's published DRUNet as the `denoiser` of a profile. Raises DataError where it cannot be had."""
    from deepinv.models import DRUNet

    try:
        published = DRUNet(pretrained="download").state_dict()
    except (
        OSError
    ) as error:  # no network, no space: requests' and deepinv's own exceptions are of this kind
        raise DataError(
            f"the published weights of DRUNet cannot be fetched ({error}): run the same command once where there is a network, "
            f"and copy {RECORDS.stem('denoiser', seed=seed, profile=profile).parent}"
        ) from error
    model = new("denoiser", profile=profile)
    model.unet.load_state_dict(published)
    checkpoints.save(
        RECORDS.stem("denoiser", seed=seed, profile=profile),
        model,
        {
            "name": "denoiser",
            "profile": profile,
            "source": "deepinv, DRUNet(pretrained='download')",
        },
    )
    print(
        f"denoiser: the published weights, kept in {RECORDS.stem('denoiser', seed=seed, profile=profile).parent}"
    )


def _pool(recipe: Recipe, device: str) -> dict[str, Tensor]:
    shape = (recipe.pool, 3, recipe.crop, recipe.crop)
    pool = {name: torch.zeros(shape, device=device) for name in ("truth", "x", "y", "direction")}
    return pool | {"visits": torch.zeros(recipe.pool, dtype=torch.int64)}


def _measured(
    photographs, count: int, size: int, blur: Blur, generator: torch.Generator, device: str
) -> tuple[Tensor, Tensor]:
    truth = images.draw(photographs, count, size=size, generator=generator).to(device)
    return truth, images.measure(truth, blur, generator=generator)


def pool_loss(
    model: ImplicitPGD | ImplicitHQS,
    pool: dict[str, Tensor],
    photographs: list[Tensor],
    slots: Tensor,
    generator: torch.Generator,
    *,
    visits: Visits,
) -> Tensor:
    """Mean squared error of a visit to `slots`, which are half young and half old, plus penalty (|J v| - modulus)_+^2 (see
    `Visits` and the module's header). Changes the pool in place.
    """
    device = pool["y"].device
    old = slots >= len(pool["visits"]) // 2
    chance = torch.where(old, visits.afresh[1], visits.afresh[0])
    lost = ~torch.isfinite(pool["y"][slots]).flatten(1).all(1).cpu()
    afresh = (
        (torch.rand(len(slots), generator=generator) < chance) | (pool["visits"][slots] == 0) | lost
    )
    if bool(afresh.any()):
        drawn = slots[afresh]
        truth, x = _measured(
            photographs, len(drawn), pool["y"].shape[-1], model.blur, generator, device
        )
        start = torch.randint(3, (len(drawn),), generator=generator).to(device)[:, None, None, None]
        noise = torch.rand(truth.shape, generator=generator).to(device)
        pool["truth"][drawn], pool["x"][drawn], pool["visits"][drawn] = truth, x, 0
        pool["y"][drawn] = torch.where(
            start == 0, torch.zeros_like(x), torch.where(start == 1, x, noise)
        )
        pool["direction"][drawn] = torch.randn(truth.shape, generator=generator).to(device)
    x, truth, y = pool["x"][slots], pool["truth"][slots], pool["y"][slots]
    with torch.no_grad():
        for _ in range(int(torch.randint(visits.free + 1, (), generator=generator))):
            y = model(y, x)
        jump = old & afresh
        if bool(jump.any()):
            y[jump] = solve(
                model, y[jump], x[jump], method=Anderson(), max_steps=_JUMP, throw=False
            ).y
    error = lambda y, part: (y - truth[part]).square().mean()  # noqa: E731
    settled = equilibrium(
        model, y[old], x[old], method=Picard(), max_steps=1, adjoint=_ADJOINT, throw=False
    ).y
    young, errors = y[~old], []
    for _ in range(_GRADED):
        young = model(young, x[~old])
        errors.append(error(young, ~old))
    value = 0.5 * error(settled, old) + 0.5 * torch.stack(errors).mean()
    y[old], y[~old] = settled.detach(), young.detach()
    pool["y"][slots] = y
    pool["visits"][slots] += 1
    if visits.penalty:
        v = pool["direction"][slots[old]]
        v = v / v.flatten(1).norm(dim=1)[:, None, None, None].clamp(min=1e-12)
        point, x = y[old].requires_grad_(), x[old]
        size = (
            1e-2 * v[0].numel() ** 0.5
        )  # a root mean square of 0.01: over the kinks of H, below what is seen
        with torch.no_grad():
            here = model(point, x)
        stretched = (model(point + size * v, x) - here) / size
        (pulled,) = torch.autograd.grad(stretched, point, stretched.detach(), retain_graph=True)
        pool["direction"][slots[old]] = pulled.detach()
        excess = (stretched.flatten(1).norm(dim=1) - visits.modulus).clamp(min=0)
        value = value + visits.penalty * excess.square().mean()
    return value


def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome | None:
    """Train one model on BSDS500's training photographs; resumes where an earlier call stopped, from `data/trainings`.
    Writes `data/checkpoints/deblurring/NAME-seedN`. Raises DataError where the data set or published weights are not there.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "evaluation":
        return RECORDS.record(
            ("explicit", "pgd", "hqs", *(f"unfolded-{depth}" for depth in DEPTHS[profile])),
            evaluate,
            profile=profile,
            minutes=minutes,
            device=device,
            describe=lambda found: (
                f"{sum(found['psnr']) / len(found['psnr']):.2f} dB on {len(found['psnr'])} test crops"
            ),
        )
    recipe = RECIPES[profile]
    if (
        name == "denoiser" and not recipe.residual
    ):  # the published form of H, which does not learn from new weights
        return _fetch_denoiser(profile, seed)
    photographs, held_out = (
        images.bsds500("train"),
        images.crops(images.bsds500("val")[:16], size=recipe.crop, seed=0),
    )
    blur = Blur(kernel(profile))
    model = new(name, profile=profile, seed=seed).to(device)
    kind = name.partition("-")[0]
    if kind != "denoiser":
        _start_from_denoiser(model, profile)
    steps = recipe.steps[kind]
    settings = training.Settings(
        steps=steps,
        learning_rate=1e-3 if kind == "denoiser" else recipe.learning_rate,
        clip=0.1,
        warmup=50,
        schedule="cosine",
        ema=0.998,
        seed=seed,
        save_every=20,
        validate_every=max(1, steps // 6),
    )
    implicit = kind in ("pgd", "hqs")
    pool = _pool(recipe, device) if implicit else {}

    def loss(model, step, generator):
        if implicit:
            half = recipe.pool // 2  # half of a batch from the young slots, half from the old
            slots = training.minibatch(half, recipe.batch // 2, seed=seed, step=step)
            return pool_loss(
                model,
                pool,
                photographs,
                torch.cat([slots, slots + half]),
                generator,
                visits=VISITS[kind],
            )
        if kind == "denoiser":
            truth = images.draw(photographs, recipe.batch, size=recipe.crop, generator=generator)
            sigma = _DENOISED * torch.rand(recipe.batch, generator=generator)
            noisy = truth + sigma[:, None, None, None] * torch.randn(
                truth.shape, generator=generator
            )
            return (model(noisy.to(device), sigma.to(device)) - truth.to(device)).square().mean()
        truth, x = _measured(photographs, recipe.batch, recipe.crop, blur, generator, device)
        if (
            kind == "unrolled"
        ):  # back-propagated through every iteration: no equilibrium is asked for
            *_, y = trajectory(model, x, x, _UNROLLED)
        else:
            y = model(x)
        return (y - truth).square().mean()

    def validate(model):
        generator = torch.Generator().manual_seed(0)
        truth = held_out.to(device)
        with torch.no_grad():
            if kind == "denoiser":
                noisy = truth + 0.05 * torch.randn(truth.shape, generator=generator).to(device)
                return {"psnr": images.psnr(model(noisy, 0.05), truth).mean().item()}
            x = images.measure(truth, blur, generator=generator)
            if kind in ("explicit", "unfolded"):
                return {"psnr": images.psnr(model(x), truth).mean().item()}
            curve = psnr_along_t(model, truth, x, steps=100, start=x).mean(1)
            return {f"psnr_{t}": curve[t - 1].item() for t in (10, 30, 100)}

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


# ----------------------------------------------------------------------------------------------------------- measuring
@torch.no_grad()
def answer(model: nn.Module, x: Tensor) -> Tensor:
    """What the tables judge: y_100 of Picard's iteration from y_0 = x (paper, section 5.1), or an explicit model's one answer."""
    if not isinstance(model, (ImplicitPGD, ImplicitHQS)):
        return model(x)
    *_, y = trajectory(model, x, x, TEST_STEPS)
    return y


def solved(
    model: ImplicitPGD | ImplicitHQS,
    x: Tensor,
    *,
    method: Method = Anderson(),
    max_steps: int = 300,
    tol: float = 1e-4,
) -> Solution:
    """The equilibrium from y_0 = x, to the relative residual `tol`; the status says where it was not reached."""
    return solve(model, x, x, method=method, max_steps=max_steps, tol=tol, throw=False)


@torch.no_grad()
def psnr_along_t(
    model: ImplicitPGD | ImplicitHQS,
    truth: Tensor,
    x: Tensor,
    *,
    steps: int,
    start: Tensor | None = None,
) -> Tensor:
    """PSNR of y_1, ..., y_steps, (steps, B), from y_0 = 0 or `start`."""
    y0 = torch.zeros_like(x) if start is None else start
    return torch.stack([images.psnr(y, truth) for y in trajectory(model, y0, x, steps)])


RANKS = (0.1, 0.3, 0.5, 0.7, 0.9)


def waves(blur: Blur, like: Tensor, ranks: tuple[float, ...] = RANKS) -> tuple[Tensor, Tensor]:
    """(v (R, *like.shape[1:]), |K| (R,)): singular vectors of A, unit plane waves, grey, at the frequencies of the given
    ranks when the frequencies of the image are sorted by radius (paper, section 5.1).
    """
    H, W = like.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.fft.fftfreq(H, 1 / H, dtype=torch.float64),
        torch.fft.rfftfreq(W, 1 / W, dtype=torch.float64),
        indexing="ij",
    )
    order = torch.argsort((rows.square() + columns.square()).flatten(), stable=True)
    K = blur.symbol(like).abs().flatten()
    place = [order[int(rank * (len(order) - 1))] for rank in ranks]
    i, j = (
        torch.arange(H, dtype=torch.float64)[:, None] / H,
        torch.arange(W, dtype=torch.float64)[None, :] / W,
    )
    v = torch.stack(
        [
            torch.cos(2 * torch.pi * (rows.flatten()[p] * i + columns.flatten()[p] * j))
            for p in place
        ]
    ).to(like)
    v = v[:, None].expand(-1, like.shape[1], -1, -1)
    return v / v.flatten(1).norm(dim=1)[:, None, None, None], torch.stack([K[p] for p in place])


def lipschitz_along_t(
    model: ImplicitPGD | ImplicitHQS,
    truth: Tensor,
    x: Tensor,
    *,
    steps: int,
    norm: float = 0.01,
    ranks: tuple[float, ...] = RANKS,
) -> tuple[Tensor, Tensor]:
    """The paper's protocol in one pass: dx = A (norm v) for each of `waves`, y_0 = 0 (section 5.1).

    Returns |y_t(x + dx) - y_t(x)| / |dx|, (steps, R, B), and the PSNR of the clean and all perturbed runs,
    (steps, R + 1, B). In x's dtype: float32 moves the largest ratio by 4e-5 of itself, the smallest by up to 2 %, and is
    twelve times as fast.
    """
    v, _ = waves(model.blur, x, ranks)
    dx = model.blur(norm * v)[:, None]  # (R, 1, 3, H, W)
    runs = torch.cat([x[None], x[None] + dx])  # (R + 1, B, 3, H, W)
    flat, many = runs.flatten(0, 1), truth.expand_as(runs).flatten(0, 1)
    ratios, quality = [], []
    with torch.no_grad():
        for y in trajectory(model, torch.zeros_like(flat), flat, steps):
            moved = (y.view_as(runs)[1:] - y.view_as(runs)[:1]).flatten(2).norm(dim=2)
            ratios.append(moved / dx.flatten(1).norm(dim=1)[:, None])
            quality.append(images.psnr(y, many).view(runs.shape[:2]))
    return torch.stack(ratios), torch.stack(quality)


def test_set(profile: str = "quick") -> tuple[Tensor, Tensor]:
    """(truth, x): one 128 x 128 crop of each of BSDS500's 200 test photographs, the same for every model and seed."""
    truth = images.crops(images.bsds500("test"), size=TEST_SIZE, seed=1)
    return truth, images.measure(
        truth, Blur(kernel(profile)), generator=torch.Generator().manual_seed(1)
    )


@torch.no_grad()
def evaluate(
    name: str, *, seed: int, profile: str = "quick", count: int | None = None, device: str = "cpu"
) -> dict:
    """What a finished model does on the first `count` (None: all) crops of `test_set`: psnr and ssim of its `answer` per image;
    for an implicit model also whether `solved` reaches the equilibrium (success), in how many evaluations of G (steps), and the
    psnr of y_300 on the first LATE_COUNT crops (late).
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    truth, x = (part[:count] for part in test_set(profile))
    y, steps, success = [], [], []
    for part in x.to(device).split(8):
        y.append(answer(model, part).cpu())
        if isinstance(model, (ImplicitPGD, ImplicitHQS)):
            solution = solved(model, part)
            steps += solution.steps.tolist()
            success += solution.success.tolist()
    y = torch.cat(y)
    late = []
    if steps:
        for i in range(0, min(len(x), LATE_COUNT), 8):
            part = slice(i, min(i + 8, LATE_COUNT))
            *_, last = trajectory(
                model, y[part].to(device), x[part].to(device), LATE_STEPS - TEST_STEPS
            )
            late += rounded(images.psnr(last.cpu(), truth[part]))
    return {
        "name": name,
        "seed": seed,
        "profile": profile,
        "blurred": images.psnr(x, truth).mean().item(),
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
        "psnr": rounded(images.psnr(y, truth)),
        "ssim": rounded(images.ssim(y, truth)),
    } | ({"steps": steps, "success": success, "late": late} if steps else {})
