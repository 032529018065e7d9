"""Every claim can lose: a healthy small model wins it, and a model broken on purpose loses it."""

import pytest
from equilibria.companion.claims import judge, load
from small_models import BROKEN, HEALTHY, evidence

CLAIMS = {claim.id: claim for claim in load() if claim.checks and "quick" not in claim.not_run}

# claim -> the broken models that must lose it. The headline check must be what they fail.
SABOTAGE = {
    "toy": ["constant output", "explicit network wrapped", "learned by heart"],
    "regular-operator": ["naive operator"],
    "steepness": ["constant output", "explicit network wrapped", "stopped at one", "wrong norm"],
    "sufficiency": ["naive operator"],
    "necessity": ["constant output", "explicit network wrapped"],
    "deblurring-gain": ["explicit network wrapped", "constant output", "learned by heart"],
    "deblurring-unfolded": ["explicit network wrapped", "constant output"],
    "deblurring-fig-2": ["constant output", "explicit network wrapped", "growing loop"],
    "deblurring-fig-3": ["explicit network wrapped", "constant output"],
    "memory": ["kept graph"],
    "regularity-emerges": ["expansive"],
    "navier-stokes-error": ["explicit network wrapped", "constant output", "learned by heart"],
    "navier-stokes-fig-4": ["constant output", "explicit network wrapped", "growing loop"],
    "navier-stokes-fig-5": ["explicit network wrapped", "constant output"],
    "navier-stokes-table-5": ["explicit network wrapped", "constant output"],
    "lp-table-1": ["explicit network wrapped", "constant output", "learned by heart"],
    "lp-fig-6": ["constant output", "explicit network wrapped", "stopped at one"],
    "lp-fig-7": ["explicit network wrapped", "constant output"],
    "deblurring-rests": ["growing loop", "constant output", "explicit network wrapped"],
    "unrolled-training-does-not-rest": ["harmless trap"],
    "navier-stokes-bounded-pair": ["no bound", "explicit network wrapped", "constant output"],
    "navier-stokes-lower-viscosity": ["explicit network wrapped", "constant output"],
    "navier-stokes-one-answer": ["two answers"],
    "navier-stokes-decides": ["never undecided"],
    "navier-stokes-other-amplitudes": ["no lead elsewhere"],
    "navier-stokes-two-states": ["one state only"],
    "lp-rests": ["two answers"],
    "parity-needs-loops": ["stopped at one", "constant output"],
    "parity-lipschitz": ["stopped at one", "constant output"],
    "parity-explicit": ["learned by heart"],
    "sums": ["stopped at one", "constant output"],
    "loop-norm": ["norm does not matter"],
    "stories-need-loops": ["stopped at one", "constant output", "explicit network wrapped"],
    "stories-lipschitz": ["stopped at one", "constant output", "explicit network wrapped"],
    "stories-explicit": ["learned by heart"],
}


@pytest.fixture(scope="module")
def left_by(tmp_path_factory):
    """Folders with the evidence of each model, made once."""
    folders = {}

    def folder(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("evidence")
            evidence(folders[name], BROKEN.get(name, HEALTHY))
        return folders[name]

    return folder


@pytest.fixture
def verdict(left_by, monkeypatch):
    """The verdict on a claim from the evidence of a model."""

    def judged(claim, model):
        root = left_by(model)
        monkeypatch.setenv("EQUILIBRIA_FIGURES", str(root / "figures"))
        monkeypatch.setenv("EQUILIBRIA_DATA", str(root / "data"))
        return judge(CLAIMS[claim], "quick")

    return judged


def test_every_claim_has_its_sabotage():
    assert set(SABOTAGE) == set(CLAIMS)
    assert {name for names in SABOTAGE.values() for name in names} <= set(BROKEN)


@pytest.mark.parametrize("claim", SABOTAGE)
def test_a_healthy_model_wins(verdict, claim):
    found = verdict(claim, "healthy")
    misses = [(f.check.id, f.here) for f in found.findings if f.state != "holds"]
    assert found.word == "reproduced", misses


@pytest.mark.parametrize(
    ("claim", "broken"), [(claim, name) for claim, names in SABOTAGE.items() for name in names]
)
def test_a_broken_model_loses(verdict, claim, broken):
    found = verdict(claim, broken)
    headline = found.findings[0]
    assert not found.missing, "it must lose by its number, not for the lack of one"
    assert headline.state == "misses", f"{headline.check.id} survives {broken}: {headline.here}"
    assert found.word == "not reproduced"
