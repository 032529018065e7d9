"""The Navier-Stokes study: symmetries, measurements against closed forms, the training's own parts, and resuming."""

import equilibria as eq
import pytest
import torch
from equilibria import training
from equilibria.companion import command_line
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems import flows as ns
from equilibria.studies import navier_stokes as experiment

f64 = torch.float64
NU = ns.VISCOSITY
TINY = experiment.Recipe(
    width=4,
    modes=3,
    regime="published",
    n=24,
    coarse=16,
    train=8,
    test=4,
    batch=4,
    pool=8,
    learning_rate=1e-3,
    steps={"implicit": (24, 4), "explicit": (4, 1), "unrolled": (4, 1)},
)


def flows(count=4, n=32, std=0.05):
    w = ns.random_vorticity(count, n, std=std, generator=torch.Generator().manual_seed(0))
    return ns.manufacture(w, NU), w


class Exact(torch.nn.Module):
    """Relaxes towards the flow of a fluid without inertia, w = curl f / (nu |k|^2): y_t is known."""

    def __init__(self, n):
        super().__init__()
        self.n, self.damping = n, torch.nn.Parameter(torch.tensor(0.5, dtype=f64))

    def encode(self, x):
        return ns.operator(NU)(torch.zeros_like(x[:, 0]), ns.curl(x)).flatten(1)

    def start(self, q):
        return torch.zeros_like(q)

    def decode(self, z):
        return z.view(-1, self.n, self.n)

    def forward(self, z, q):
        return torch.lerp(z, q, self.damping)


def test_the_eight_images_of_a_flow_are_steady_flows():
    f, w = flows(8)
    x, y = experiment.turned(f, w, torch.arange(8))
    torch.testing.assert_close(ns.manufacture(y, NU), x, atol=1e-15, rtol=0)
    assert torch.equal(x[0], f[0]) and torch.equal(y[0], w[0])
    _, images = experiment.turned(
        f[:1].expand(8, -1, -1, -1), w[:1].expand(8, -1, -1), torch.arange(8)
    )
    assert (
        torch.cdist(images.flatten(1), images.flatten(1)).add(torch.eye(8)).min() > 0.1
    )  # all different


def test_perturbations_are_unit_waves_at_the_percentiles():
    _, w = flows(2)
    dw, df = experiment.perturbations(w, NU)
    assert dw.shape == (15, 32, 32) and df.shape == (2, 15, 2, 32, 32)
    torch.testing.assert_close(dw.flatten(1).norm(dim=1), torch.full((15,), 0.01, dtype=f64))
    torch.testing.assert_close(df[1, 3], ns.linearised(w[1:], dw[3:4], NU)[0])
    k = torch.fft.fftfreq(32, 1 / 32)
    radius = (k[:, None].square() + k.square()).sqrt()
    inside = radius[(k.abs() < 16)[:, None] & (k.abs() < 16) & (radius > 0)]
    for wave, percentile in zip(dw, experiment.PERCENTILES):
        mine = radius.flatten()[torch.fft.fft2(wave).abs().argmax()]
        assert (inside < mine).double().mean().item() == pytest.approx(percentile, abs=0.02)


def test_the_lipschitz_protocol_on_a_known_iteration():
    f, w = flows(2)
    ratios, errors = experiment.lipschitz_along_t(Exact(32), w, f, steps=3)
    assert ratios.shape == (3, 15, 2) and errors.shape == (3, 16, 2)
    torch.testing.assert_close(
        ratios[1:], ratios[:1] * torch.tensor([1.5, 1.75], dtype=f64)[:, None, None]
    )  # y_t = (1 - 2^-t) y_1 / (1/2)
    _, df = experiment.perturbations(w, NU)
    answer = Exact(32).encode(df.flatten(0, 1)).norm(dim=1) / df.flatten(0, 1).flatten(1).norm(
        dim=1
    )
    torch.testing.assert_close(ratios[0].T.flatten(), 0.5 * answer, rtol=1e-6, atol=0)
    curve = experiment.errors_along_t(Exact(32), f, w, steps=3)
    torch.testing.assert_close(curve, errors[:, 0])


def test_solved_says_where_it_did_not_get_there():
    f, w = flows(2)
    assert experiment.solved(Exact(32), f, method=eq.Picard(), tol=1e-6).success.all()
    assert not experiment.solved(
        Exact(32), f, method=eq.Picard(), tol=1e-6, max_steps=10
    ).success.any()


def test_memory_is_flat_for_the_implicit_adjoint_and_grows_when_unrolled():
    torch.manual_seed(0)
    model, x = ImplicitFNO(width=4, modes=3), torch.randn(2, 2, 16, 16)
    q = model.encode(x).detach()
    step = lambda steps, adjoint: training.saved_bytes(
        lambda: (
            eq.equilibrium(
                model, model.start(q), q, method=eq.Picard(), max_steps=steps, adjoint=adjoint
            )
            .y.square()
            .mean()
        )
    )
    assert step(50, eq.Phantom()) == step(5, eq.Phantom())
    assert step(20, eq.Unrolled()) > 1.8 * step(10, eq.Unrolled()) > 3 * step(10, eq.Phantom())


def test_the_memory_of_an_implicit_step_does_not_depend_on_its_free_iterations():
    torch.manual_seed(0)
    f, w = (part.float() for part in flows(2))
    implicit, explicit = (kind(width=4, modes=3) for kind in (ImplicitFNO, ExplicitFNO))
    few, many = (experiment.training_bytes(implicit, f, w, free=free) for free in (2, 40))
    assert (
        few == many > 2 * experiment.training_bytes(explicit, f, w) > 0
    )  # three iterations with gradient against one pass


def test_local_constants_in_closed_form():
    model, (f, _w) = Exact(16), flows(2, 16)
    slopes, settled = experiment.local_along_t(model, f, [1, 3], tol=1e-6)
    # y_t = (1 - 2^-t) (nu |k|^2)^-1 curl f is steepest at |k| = 1, where curl has norm 1
    torch.testing.assert_close(
        slopes, torch.tensor([0.5, 0.875], dtype=f64)[:, None].expand(2, 2) / NU, rtol=1e-4, atol=0
    )
    explicit = ExplicitFNO(width=4, modes=3)
    found, fine = experiment.local_along_t(explicit, f.float(), [1, 2, 4])
    assert (
        found.shape == (3, 2)
        and torch.equal(found[0], found[2])
        and bool(settled.all() and fine.all())
    )
    bound, rough = experiment.local_along_t(explicit, f.float(), [1], max_steps=1, tol=1e-6)
    assert not rough.any() and bool((bound < found[:1]).all())


class TwoRests(Exact):
    """Rests at its input and at minus that, whichever is nearer; leaves 0 for its input."""

    def forward(self, z, q):
        side = torch.where((z * q).sum(1, keepdim=True) < 0, -1.0, 1.0)
        return torch.lerp(z, side * q, self.damping)


@pytest.mark.parametrize("kind, places", [(Exact, 1), (TwoRests, 2)])
def test_a_probe_tells_one_place_to_rest_from_two(kind, places, monkeypatch):
    f, w = flows(30, 16)
    monkeypatch.setattr(experiment, "load", lambda *args, **kw: (kind(16).float(), {}))
    monkeypatch.setattr(experiment, "test_set", lambda *args, **kw: ns.Flows(f, w, len(w)))
    monkeypatch.setattr(experiment, "LOCAL_T", (1, 3))
    found = experiment.probe("implicit", seed=0)
    ends = torch.tensor([found["apart"][start] for start in ("noise", "strong noise", "Anderson")])
    assert ends.shape == (3, 30) and len(found["picard"]) == 30 and ends[2].max() < 1e-4
    assert (ends[:2] > 1.99).any() == (places == 2) and bool(((ends < 1e-4) | (ends > 1.99)).all())
    assert (
        len(found["local"]["value"]) == 2
        and len(found["local"]["value"][0]) == experiment.LOCAL_FLOWS
        and all(map(all, found["local"]["settled"]))
    )


@pytest.mark.parametrize(
    "name, profile, message",
    [
        ("implict", "quick", "name must be one of implicit, .* got 'implict'"),
        ("depth", "quick", "got 'depth'"),
        ("evaluation", "quick", "got 'evaluation'"),
        ("implicit", "big", "profile must be one of quick, paper, got 'big'"),
    ],
)
def test_unknown_names_are_refused(name, profile, message):
    with pytest.raises(ValueError, match=message):
        experiment.new(name, profile=profile)


def test_loading_leaves_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    experiment.load("implicit")
    assert torch.equal(torch.rand(3), expected)


def test_train_test_and_validation_flows_differ():
    train = ns.data("unique", 4, n=16, seed=experiment._SEED_OF_TRAINING, progress=False).vorticity
    test = ns.data("unique", 4, n=16, seed=experiment._SEED_OF_TEST, progress=False).vorticity
    assert torch.cdist(train.flatten(1), test.flatten(1)).min() > 0.1


# ---------------------------------------------------------------------------------------------------------- training
@pytest.fixture
def small(tmp_path, monkeypatch):
    """The trainings on a few flows and a tiny network, in a folder of their own."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setitem(experiment.RECIPES, "quick", TINY)
    monkeypatch.setitem(experiment.RECIPES, "paper", TINY)
    monkeypatch.setattr(ns, "_CHUNK", 12)
    monkeypatch.setattr(experiment, "_SURVEYED", 2)
    monkeypatch.setattr(experiment, "_TRIES", 1)
    monkeypatch.setattr(experiment, "LOCAL_T", (1, 2))
    return tmp_path


def test_every_model_trains_and_is_evaluated(small, capsys):
    for name in experiment.names("quick"):
        experiment.train(name, profile="quick")
    for name in experiment.names("quick")[:-1]:
        (found,) = experiment.reports(name)
        assert len(found["errors"]) == 4 and found["sha256"] == experiment.load(name)[1]["sha256"]
        assert ("along" in found) == (name in ("implicit", "unrolled")) and ("apart" in found) == (
            name == "implicit"
        )
        assert len(found.get("local", {"t": ()})["t"]) == {"implicit": 2, "explicit": 1}.get(
            name, 0
        )
    capsys.readouterr()
    experiment.train("evaluation", profile="quick")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice


def test_the_survey_counts_what_the_solver_finds(small, monkeypatch):
    experiment.train("evaluation", profile="quick")
    found = experiment.surveyed()
    assert [row["std"] for row in found["rows"]] == [0.05, 0.1, 0.2, 0.334] and found[
        "flows"
    ] == TINY.test
    assert all(
        0 <= row["other"] <= row["solved"] <= 1 and row["kept"] <= 1 for row in found["rows"]
    )
    assert (
        found["rows"][0]["solved"] == 1
        and found["rows"][0]["other"] == 0
        and found["rows"][-1]["other"] > 0
    )
    monkeypatch.setattr(experiment, "_TRIES", 0)
    experiment.train("evaluation", profile="quick")
    assert experiment.surveyed()["tries"] == 0  # another survey was asked for
    assert len(found["second"]) >= 2 and all(
        0 <= index < 4 and distance > 0.1 for index, distance in found["second"]
    )  # TINY is of the regime published


def test_the_profile_paper_has_both_regimes(small, monkeypatch):
    assert {"implicit", "implicit-unique", "depth-32", "width-256"} <= set(
        experiment.names("paper")
    )
    monkeypatch.setitem(ns.REGIMES, "unique", ns.Regime(std=0.05, solved=True))
    assert command_line.main(["train", "navier_stokes/explicit-unique", "--profile", "paper"]) == 0
    assert experiment.train("explicit", profile="paper").finished
    scales = [
        experiment.load(name, profile="paper")[0].output_scale
        for name in ("explicit", "explicit-unique")
    ]
    assert scales == [0.334, 0.05]


def test_implicit_training_resumes_exactly(small):
    whole = experiment.train("implicit", profile="quick", seed=1)
    weights = (small / "checkpoints/navier_stokes/implicit-seed1.safetensors").read_bytes()
    part = experiment.train(
        "implicit", profile="quick", seed=1, minutes=1e-9
    )  # stops at the first saving
    assert whole.finished and not part.finished and 0 < part.step < 24
    assert experiment.train("implicit", profile="quick", seed=1).finished
    assert (small / "checkpoints/navier_stokes/implicit-seed1.safetensors").read_bytes() == weights


def test_a_visit_costs_the_graded_errors_and_the_last_move(monkeypatch):
    monkeypatch.setattr(experiment, "_AFRESH", 0.0)
    torch.manual_seed(0)
    model, pool = ImplicitFNO(width=4, modes=3), experiment._pool(TINY, 16, "cpu")
    f, w = (part.float() for part in flows(6, 16))
    slots, pool["visits16"][:], start = torch.tensor([1, 4]), 1, torch.randn(2, 4, 256)
    pool["z16"][slots], pool["flow16"][slots], pool["code16"][slots] = (
        start,
        torch.tensor([5, 2]),
        torch.tensor([3, 6]),
    )
    value = experiment.pool_loss(
        model, pool, 1e3 * f, w, slots, torch.Generator().manual_seed(0), free=(5, 5)
    )
    x, label = experiment.turned(1e3 * f[[5, 2]], w[[5, 2]], torch.tensor([3, 6]))
    *_, before, first, second, last = eq.trajectory(model, start, model.encode(x), 8)
    error = (
        sum(experiment.relative_error(model.decode(z), label).mean() for z in (first, second, last))
        / 3
    )
    moved = ((last - second).flatten(1).norm(dim=1) / last.flatten(1).norm(dim=1)).mean()
    torch.testing.assert_close(value, error + 0.1 * moved)
    torch.testing.assert_close(pool["z16"][slots], last)
    value.backward()  # the free iterations are constants: the gradient is that of three from where they ended
    found = model.injections[0].weight.grad.clone()
    model.zero_grad()
    z, q, terms = before.detach(), model.encode(x), []
    for _ in range(3):
        previous, z = z, model(z, q)
        terms.append(experiment.relative_error(model.decode(z), label).mean())
    (
        sum(terms) / 3
        + 0.1 * ((z - previous).flatten(1).norm(dim=1) / z.detach().flatten(1).norm(dim=1)).mean()
    ).backward()
    torch.testing.assert_close(found, model.injections[0].weight.grad, rtol=1e-3, atol=1e-6)


def test_the_pool_keeps_states_between_visits(monkeypatch):
    monkeypatch.setattr(experiment, "_AFRESH", 0.0)
    torch.manual_seed(0)
    model, pool = ImplicitFNO(width=4, modes=3), experiment._pool(TINY, 16, "cpu")
    f, w = (part.float() for part in flows(6, 16))
    slots = torch.tensor([0, 1, 2, 5])
    visit = lambda seed: experiment.pool_loss(
        model, pool, 1e3 * f, w, slots, torch.Generator().manual_seed(seed)
    )
    assert torch.isfinite(visit(0)) and pool["visits16"].tolist() == [1, 1, 1, 0, 0, 1, 0, 0]
    flow, z = pool["flow16"].clone(), pool["z16"].clone()
    visit(1)
    assert (
        torch.equal(pool["flow16"], flow)
        and not torch.equal(pool["z16"], z)
        and pool["z16"][3].abs().max() == 0
    )
    pool["z16"][0] = torch.nan  # a lost state is drawn afresh
    assert torch.isfinite(visit(2)) and pool["visits16"].tolist() == [1, 3, 3, 0, 0, 3, 0, 0]


# --------------------------------------------------------------------------------------------------- what is shipped
@pytest.fixture(scope="module")
def held_out():
    f, w = ns.draw(ns.REGIMES["unique"], 12, 32, generator=torch.Generator().manual_seed(5))
    return f.float(), w.float()


def test_the_shipped_equilibrium_is_real(held_out):
    f, w = held_out
    model = experiment.load("implicit")[0]
    curve = experiment.errors_along_t(model, f, w, steps=200).mean(1).tolist()
    assert curve[199] < 1.04 * min(curve) and curve[199] == pytest.approx(curve[99], rel=1e-3)
    noise = torch.randn(len(f), model.width, 32 * 32, generator=torch.Generator().manual_seed(0))
    assert experiment.errors_along_t(model, f, w, steps=100, start=noise).mean(1)[
        99
    ].item() == pytest.approx(curve[199], rel=0.01)  # path independence
    rest = experiment.solved(model, f, method=eq.Picard(), max_steps=100)
    assert rest.success.all() and experiment.relative_error(
        model.decode(rest.y), w
    ).mean().item() == pytest.approx(curve[199], rel=0.02)
    explicit = (
        experiment.relative_error(experiment.answer(experiment.load("explicit")[0], f), w)
        .mean()
        .item()
    )
    assert curve[199] < 0.8 * explicit and curve[0] > explicit


def test_the_trap_rises(held_out):
    f, w = held_out
    curve = experiment.errors_along_t(experiment.load("unrolled")[0], f, w, steps=100).mean(1)
    assert not curve[99] < 1.1 * curve.min()  # a NaN has risen too


def test_records_are_of_the_shipped_weights():
    for name, count in (("explicit", 3), ("implicit", 3), ("unrolled", 1)):
        shipped = {
            seed: experiment.load(name, seed=seed)[1]["sha256"] for seed in experiment.seeds(name)
        }
        recorded = {row["seed"]: row["sha256"] for row in experiment.reports(name)}
        assert shipped and shipped.items() <= recorded.items() and len(recorded) == count
