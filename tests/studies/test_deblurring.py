"""The deblurring study: measurements against closed forms, the training's own parts, resuming, and what the shipped weights do."""

import json
from dataclasses import replace

import equilibria as eq
import pytest
import torch
from equilibria import checkpoints, training
from equilibria.companion import command_line
from equilibria.operators.deblurring import ImplicitHQS, ImplicitPGD
from equilibria.problems import images
from equilibria.studies import deblurring as experiment
from torch import nn

f64 = torch.float64
TINY = experiment.Recipe(
    channels=(8, 8, 8, 8),
    blocks=1,
    residual=True,
    crop=32,
    batch=4,
    pool=8,
    learning_rate=1e-3,
    steps={"denoiser": 4, "explicit": 4, "pgd": 40, "hqs": 40, "unfolded": 4, "unrolled": 4},
)


class Shrink(nn.Module):
    """H(v) = w v: every iterate of PGD and HQS is known, frequency by frequency."""

    def __init__(self, w=0.9):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=f64))

    def forward(self, v, sigma):
        return self.w * v


@pytest.fixture
def blur():
    return images.Blur(images.motion_kernel(size=7))


def scene(count=2, side=32, seed=0):
    return torch.rand(
        count, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=f64
    )


# --------------------------------------------------------------------------------------------------------- measuring
def test_waves_are_unit_singular_vectors_at_rising_frequencies(blur):
    like = torch.zeros(1, 3, 32, 32, dtype=f64)
    v, size = experiment.waves(blur, like)
    assert v.shape == (5, 3, 32, 32)
    torch.testing.assert_close(v.flatten(1).norm(dim=1), torch.ones(5, dtype=f64))
    torch.testing.assert_close(
        blur.adjoint(blur(v)), size.square()[:, None, None, None] * v, atol=1e-12, rtol=0
    )
    assert experiment.RANKS == (0.1, 0.3, 0.5, 0.7, 0.9)  # the paper's
    frequencies = (
        torch.stack(torch.meshgrid(torch.fft.fftfreq(32), torch.fft.rfftfreq(32), indexing="ij"))
        .norm(dim=0)
        .flatten()
    )
    for wave, rank in zip(v, experiment.RANKS):
        radius = frequencies[torch.fft.rfft2(wave[0]).abs().argmax()]
        assert (frequencies < radius).float().mean().item() == pytest.approx(rank, abs=0.02)


@pytest.mark.parametrize("kind", [ImplicitPGD, ImplicitHQS])
def test_the_lipschitz_protocol_on_a_linear_operator(blur, kind):
    model, truth = kind(Shrink(), blur).double(), scene()
    x = blur(truth)
    ratios, quality = experiment.lipschitz_along_t(model, truth, x, steps=4)
    assert ratios.shape == (4, 5, 2) and quality.shape == (4, 6, 2)
    K = experiment.waves(blur, x)[1]
    weight = (
        1 / (K.square() + 0.25) if kind is ImplicitHQS else torch.ones_like(K)
    )  # beta = 1/4, gamma = 1
    gain, kept = (
        0.9 * weight * K,
        0.9 * (1 - weight * K.square()),
    )  # y_t = gain x + kept y_{t-1} at this frequency
    for t in range(1, 5):
        expected = gain * (1 - kept**t) / (1 - kept)
        torch.testing.assert_close(ratios[t - 1], expected[:, None].expand(5, 2), rtol=1e-6, atol=0)
    *_, y = eq.trajectory(model, torch.zeros_like(x), x, 4)
    torch.testing.assert_close(quality[-1, 0], images.psnr(y, truth).detach())
    assert (
        quality[:, 1:] - quality[:, :1]
    ).abs().max() < 0.05  # a perturbation of norm 0.01 is not seen


def test_psnr_along_t(blur):
    model, truth = ImplicitHQS(Shrink(), blur).double(), scene()
    x = blur(truth)
    curve = experiment.psnr_along_t(model, truth, x, steps=3)
    *_, y = eq.trajectory(model, torch.zeros_like(x), x, 3)
    torch.testing.assert_close(curve[-1], images.psnr(y, truth).detach())
    other = experiment.psnr_along_t(model, truth, x, steps=3, start=x)
    assert curve.shape == (3, 2) and not torch.equal(curve, other)


def test_solved_says_where_it_did_not_get_there(blur):
    x = scene()
    good, bad = ImplicitHQS(Shrink(0.5), blur).double(), ImplicitPGD(Shrink(3.0), blur).double()
    found = experiment.solved(good, x)
    torch.testing.assert_close(good(found.y, x), found.y, atol=1e-3, rtol=0)
    torch.testing.assert_close(experiment.answer(good, x), found.y, atol=1e-3, rtol=0)
    *_, y = eq.trajectory(good, x, x, 100)
    assert torch.equal(experiment.answer(good, x), y)  # the paper's 100 iterations from y_0 = x
    assert bool(found.success.all()) and not bool(
        experiment.solved(bad, x, method=eq.Picard(), max_steps=20).success.any()
    )


def test_memory_is_flat_for_the_implicit_adjoint_and_grows_when_unrolled(blur):
    torch.manual_seed(0)
    model, x = ImplicitHQS(experiment.Denoiser((8, 8, 8, 8), 1), blur), scene().float()
    step = lambda steps, adjoint: training.saved_bytes(
        lambda: (
            eq.equilibrium(model, x, x, method=eq.Picard(), max_steps=steps, adjoint=adjoint)
            .y.square()
            .mean()
        )
    )
    implicit = eq.Implicit(max_steps=2, tol=None)
    assert step(100, implicit) == step(10, implicit)
    assert step(20, eq.Unrolled()) > 1.8 * step(10, eq.Unrolled()) > 5 * step(10, implicit)


# ---------------------------------------------------------------------------------------------------------- training
@pytest.fixture
def small(tmp_path, monkeypatch):
    """The trainings on eight small random photographs and a tiny network, in a folder of their own."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setitem(experiment.RECIPES, "quick", TINY)
    photographs = list(scene(8, 48).float())
    monkeypatch.setattr(images, "bsds500", lambda split: photographs)
    monkeypatch.setattr(experiment, "TEST_SIZE", 32)
    return tmp_path


def test_every_model_trains_and_is_evaluated(small, capsys):
    for name in experiment.names("quick"):
        experiment.train(name, profile="quick")
    for name in ("explicit", "pgd", "hqs", "unfolded-1", "unfolded-8"):
        (found,) = experiment.reports(name)
        assert (
            len(found["psnr"]) == 8
            and len(found.get("success", [])) == (8 if name in ("pgd", "hqs") else 0)
            and found["sha256"] == experiment.load(name)[1]["sha256"]
        )
        assert ("late" in found) == (name in ("pgd", "hqs"))
        assert found["psnr"][:2] == pytest.approx(
            experiment.evaluate(name, seed=0, count=2)["psnr"], abs=1e-3
        )
    capsys.readouterr()
    experiment.train("evaluation", profile="quick")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice


def test_implicit_training_resumes_exactly(small):
    experiment.train("denoiser", profile="quick")
    whole = experiment.train("hqs", profile="quick", seed=1)
    weights = (small / "checkpoints/deblurring/hqs-seed1.safetensors").read_bytes()
    part = experiment.train(
        "hqs", profile="quick", seed=1, minutes=1e-9
    )  # stops at the first saving
    assert whole.finished and not part.finished and 0 < part.step < 40
    assert experiment.train("hqs", profile="quick", seed=1).finished
    assert (small / "checkpoints/deblurring/hqs-seed1.safetensors").read_bytes() == weights


def test_the_pool_keeps_states_between_visits(blur):
    torch.manual_seed(0)
    model = ImplicitHQS(experiment.Denoiser((8, 8, 8, 8), 1), blur)
    pool, photographs = experiment._pool(TINY, "cpu"), list(scene(3, 48).float())
    slots, visits = (
        torch.tensor([0, 1, 4, 5]),
        experiment.Visits(free=6, afresh=(1.0, 0.34), modulus=1.0, penalty=0.0),
    )
    visit = lambda seed: experiment.pool_loss(
        model, pool, photographs, slots, torch.Generator().manual_seed(seed), visits=visits
    )
    assert torch.isfinite(visit(0)) and pool["visits"].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    first = {name: pool[name].clone() for name in ("y", "truth")}
    for seed in range(1, 60):
        visit(seed)
    kept = (pool["truth"] == first["truth"]).flatten(1).all(1)
    assert (
        pool["visits"][4:6].max() > pool["visits"][:2].max()
    )  # the old half is drawn afresh less often
    assert kept[[2, 3, 6, 7]].all() and not kept[:2].any()
    residual = lambda y: (model(y, pool["x"][5:6]) - y).norm().item()
    with torch.no_grad():
        assert residual(pool["y"][5:6]) < 0.3 * residual(
            torch.zeros_like(pool["y"][5:6])
        )  # warm: near its equilibrium


def test_the_penalty_finds_the_modulus_of_the_operator(blur):
    visits = experiment.Visits(free=2, afresh=(0.0, 0.0), modulus=0.95, penalty=0.5)
    stretch = 1.5  # of G at frequencies that the blur removes
    model = ImplicitPGD(Shrink(stretch), blur).double()
    pool = {
        name: value.double() if value.is_floating_point() else value
        for name, value in experiment._pool(TINY, "cpu").items()
    }
    pool["visits"] += (
        1  # states at 0 with nothing measured: a linear operator's Jacobian is the same everywhere
    )
    pool["direction"] = torch.randn(
        pool["direction"].shape, generator=torch.Generator().manual_seed(0), dtype=f64
    )
    slots = torch.arange(8)
    for seed in range(100):
        value = experiment.pool_loss(
            model, pool, [], slots, torch.Generator().manual_seed(seed), visits=visits
        )
    assert pool["visits"].tolist() == [101] * 8
    sharpest = 1.5 * (1 - blur.symbol(pool["y"]).abs().square()).max().item()
    assert value.item() == pytest.approx(0.5 * (sharpest - visits.modulus) ** 2, rel=0.02)


def test_a_missing_data_set_is_one_line_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert command_line.main(["train", "deblurring/hqs"]) == 2
    assert capsys.readouterr().err.startswith("equilibria: BSDS500 is not in ")
    with pytest.raises(
        images.ImageError, match="the profile paper needs .*Levin09.npy: get it with"
    ):
        experiment.kernel("paper")


def test_the_profile_paper_on_a_small_scale(small, monkeypatch, capsys):
    """Fetch the published denoiser, then train an implicit model from it: with small stand-ins for both."""
    import deepinv.models

    published = deepinv.models.DRUNet
    monkeypatch.setitem(experiment.RECIPES, "paper", replace(TINY, residual=False))
    monkeypatch.setattr(images, "levin09", lambda: images.motion_kernel(seed=2))

    def without_network(*arguments, pretrained=None, **settings):
        if pretrained == "download":
            raise ConnectionError("no network")
        return published(*arguments, pretrained=pretrained, **settings)

    monkeypatch.setattr(deepinv.models, "DRUNet", without_network)
    assert command_line.main(["train", "deblurring/denoiser", "--profile", "paper"]) == 2
    assert (
        "cannot be fetched (no network): run the same command once where there is a network"
        in capsys.readouterr().err
    )

    weights = {}

    def hosted(*arguments, pretrained=None, **settings):
        model = published(*arguments, **settings | {"nc": [8, 8, 8, 8], "nb": 1}, pretrained=None)
        return weights.setdefault("published", model) if pretrained == "download" else model

    monkeypatch.setattr(deepinv.models, "DRUNet", hosted)
    assert command_line.main(["train", "deblurring/denoiser", "--profile", "paper"]) == 0
    kept = experiment.load("denoiser", profile="paper")[0]
    v = scene().float()
    torch.testing.assert_close(kept(v, 0.1), weights["published"](v, 0.1))
    assert experiment.train("hqs", profile="paper").finished and experiment.seeds(
        "hqs", profile="paper"
    ) == [0]


def test_models_cannot_be_trained_before_the_denoiser(small, capsys):
    assert command_line.main(["train", "deblurring/hqs"]) == 2
    assert "denoiser-seed0" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------- what is shipped
@pytest.fixture(scope="module")
def held_out():
    truth = images.crops(list(images.embedded().values())[:2], size=64, seed=5)
    return truth, images.measure(
        truth, images.Blur(experiment.kernel("quick")), generator=torch.Generator().manual_seed(5)
    )


@pytest.mark.parametrize("name", ["pgd", "hqs"])
def test_shipped_equilibria_are_real(held_out, name):
    truth, x = held_out
    model = experiment.load(name)[0]
    from_x = experiment.psnr_along_t(model, truth, x, steps=300, start=x).mean(1)
    assert abs(from_x[299] - from_x[99]) < 0.1 and from_x[299] > from_x.max() - 0.3
    from_zero = experiment.psnr_along_t(model, truth, x, steps=200).mean(1)
    assert abs(from_zero[199] - from_x[299]) < 0.02  # path independence
    explicit = images.psnr(experiment.answer(experiment.load("explicit")[0], x), truth).mean()
    assert from_x[299] > explicit + 0.5 > images.psnr(x, truth).mean() + 3


def test_the_trap_falls(held_out):
    truth, x = held_out
    curve = experiment.psnr_along_t(
        experiment.load("unrolled-pgd")[0], truth, x, steps=300, start=x
    ).mean(1)
    assert (
        curve[9] > images.psnr(x, truth).mean() + 3 and not curve[299] > curve[9] - 1
    )  # a NaN has fallen too


def test_records_are_of_the_shipped_weights():
    for name in ("explicit", "pgd", "hqs"):
        shipped = {
            seed: experiment.load(name, seed=seed)[1]["sha256"] for seed in experiment.seeds(name)
        }
        recorded = {row["seed"]: row["sha256"] for row in experiment.reports(name)}
        assert shipped and shipped.items() <= recorded.items() and len(recorded) == 3


@pytest.mark.data
def test_recorded_results_come_again():
    for name in ("explicit", "hqs"):
        (recorded,) = (row for row in experiment.reports(name) if row["seed"] == 0)
        assert experiment.evaluate(name, seed=0, count=2)["psnr"] == pytest.approx(
            recorded["psnr"][:2], abs=0.01
        )
        assert (
            json.dumps(recorded["profile"]) == '"quick"'
            and recorded["parameters"] == experiment.load(name)[1]["parameters"]
        )


def test_damaged_weights_are_refused(small):
    experiment.train("denoiser", profile="quick")
    (small / "checkpoints/deblurring/denoiser-seed0.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(checkpoints.CheckpointError, match="denoiser-seed0"):
        experiment.load("denoiser")
