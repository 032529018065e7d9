"""Names, training and resuming, and what is recorded of finished models."""

import pytest
import torch
from equilibria import splits
from equilibria.companion import command_line
from equilibria.problems import flow_data
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import probes, recipes, summaries, surveys, trainings
from steady_flows import TINY, Exact, TwoRests, forced

pytestmark = pytest.mark.end_to_end
# flows so weak that every one is confirmed
WEAK = flow_data.REGIMES | {"unique": flow_data.Regime(std=0.05, peak=2.0)}


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
        study.new(name, profile=profile)


def test_train_test_and_validation_flows_differ(small):
    training = trainings._Training("explicit", "quick", 0, study.new("explicit"), "cpu")
    tested = study.test_set(profile="quick", progress=False).vorticity.float().flatten(1)
    trained = training.training_flows(TINY.steps["explicit"][0] - 1).label.flatten(1)
    validation = training.validation.label.flatten(1)
    assert [len(part) for part in (trained, validation, tested)] == [8, 5, 4]
    splits_of_flows = (trained, validation, tested)
    for index, part in enumerate(splits_of_flows):
        for other in splits_of_flows[:index]:
            assert torch.cdist(part, other).min() > 0.1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("implicit-4e-3", recipes.Declared(kind="implicit", viscosity=0.004)),
        ("explicit-bounded", recipes.Declared(kind="explicit", bounded=True)),
        ("depth-4-unique", recipes.Declared(kind="explicit", depth=4, regime="unique")),
        ("width-40", recipes.Declared(kind="explicit", width=40)),
    ],
)
def test_a_name_says_what_is_trained(name, expected):
    assert study.declared("quick")[name] == expected


# ---------------------------------------------------------------------------------------- training
@pytest.fixture
def small(tmp_path, monkeypatch):
    """The trainings on a few flows and a tiny network, in a folder of their own."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setitem(study.RECIPES, "quick", TINY)
    monkeypatch.setitem(study.RECIPES, "paper", TINY)
    monkeypatch.setattr(flow_data, "FLOWS_PER_FILE", 12)
    monkeypatch.setattr(surveys, "SURVEYED_FIELDS", 2)
    monkeypatch.setattr(surveys, "RANDOM_STARTS", 1)
    monkeypatch.setattr(probes, "LOCAL_T", (1, 2))
    monkeypatch.setattr(probes, "LOCAL_FLOWS", 2)
    monkeypatch.setattr(probes, "WAVE_STEPS", 6)
    monkeypatch.setattr(flow_data, "REGIMES", WEAK)
    for module in (recipes, summaries):
        monkeypatch.setattr(module, "WIDTHS", {"quick": (5,), "paper": (256,)})
        monkeypatch.setattr(module, "DEPTHS", {"quick": (2,), "paper": (32,)})
    return tmp_path


def test_every_model_trains_and_is_evaluated(small, capsys):
    names = ["implicit", "explicit", "plain", "depth-2", "width-5", "unrolled", "implicit-2e-3"]
    names += ["implicit-bounded", "explicit-bounded", "implicit-unique", "explicit-unique"]
    assert set(names) < set(study.names("quick"))
    for name in names:
        study.train(name, profile="quick")
    assert study.evaluate_all(profile="quick")
    keys = {}
    for name in names:
        (record,) = study.reports(name)
        assert len(record["errors"]) == 4
        assert record["sha256"] == study.load(name)[1]["sha256"]
        keys[name] = record.keys() - study.reports("width-5")[0].keys()
    at_rest = {"along", "rest", "radius", "anderson", "steps", "success"}
    asked = {"speeds", "local", "apart", "waves", "decision"}
    assert keys["implicit"] == at_rest | asked
    assert keys["explicit"] == {"speeds", "local"}
    assert keys["plain"] == {"speeds"}
    assert keys["unrolled"] == {"along"}
    assert keys["implicit-2e-3"] == keys["implicit-unique"] == at_rest
    assert keys["implicit-bounded"] == at_rest | {"bounded"}
    assert keys["explicit-bounded"] == {"bounded"}
    assert keys["depth-2"] == keys["explicit-unique"] == set()
    check_summaries()
    capsys.readouterr()
    assert study.evaluate_all(profile="quick")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice


def check_summaries():
    """What the notebook is shown of the records of a tiny study."""
    implicit, explicit = study.reports("implicit"), study.reports("explicit")
    rows = {row["name"]: row for row in study.table_5("quick")}
    assert list(rows) == ["plain", "explicit", "depth-2", "width-5", "implicit"]
    assert rows["implicit"]["error"] == pytest.approx(study.mean_error(implicit[0]), rel=1e-5)
    viscosity = study.by_viscosity("quick")
    assert [row["error"]["implicit"] is None for row in viscosity] == [False, True, True, False]
    assert all(row["error"]["explicit"] is None for row in viscosity[1:])
    curves = study.steepness(implicit, explicit)
    assert len(curves["lipschitz"][0]) == len(curves["as_released"][0]) == 6
    decisions = study.decisions(implicit)
    assert len(decisions["flows"][0]["ratio"]) == 6
    rest = study.at_rest(implicit)
    assert len(rest["radii"]) == 4
    assert 0 <= rest["one_place"][0] <= 1
    pair = study.bounded_pair("quick")
    assert pair["bound"] == study.BOUND
    assert pair["error_at_rest"] == pair["error"][-1]
    assert len(pair["slope_over_target"]) == 2


def test_the_survey_counts_what_the_solver_finds(small, monkeypatch):
    assert study.evaluate_all(profile="quick")
    record = study.recorded_survey()
    rows = record["rows"]
    assert [row["std"] for row in rows] == [0.05, 0.1, 0.2, 0.334]
    assert record["flows"] == TINY.flows["published"].test
    assert all(0 <= row["other"] <= row["solved"] <= 1 for row in rows)
    assert all(row["kept"] <= 1 for row in rows)
    assert rows[0]["solved"] == 1
    assert rows[0]["other"] == 0
    assert rows[-1]["other"] > 0
    assert all(0 <= index < 4 and distance > 0 for index, distance in record["second"])
    monkeypatch.setattr(surveys, "RANDOM_STARTS", 0)
    assert study.evaluate_all(profile="quick")
    assert study.recorded_survey()["tries"] == 0  # another survey was asked for


def test_evaluation_stops_at_the_time_limit(small):
    study.train("explicit", profile="quick")
    assert not study.evaluate_all(profile="quick", minutes=-1.0)
    assert study.reports("explicit") == []


def test_the_profile_paper_has_both_regimes(small):
    command = ["train", "navier_stokes/explicit-unique", "--profile", "paper"]
    assert command_line.main(command) == 0
    assert study.train("explicit", profile="paper").finished
    for name, scale in (("explicit", 0.36), ("explicit-unique", 0.1)):
        assert study.load(name, profile="paper")[0].output_scale == scale


@pytest.mark.parametrize("name", ["implicit", "explicit", "unrolled"])
def test_a_training_cannot_read_test_flows(small, monkeypatch, name):
    def validate(self, model):
        flows = study.test_set(name, profile="quick", progress=False)
        return {"error": float(len(flows))}

    assert study.train(name, profile="quick", seed=1).finished
    monkeypatch.setattr(trainings._Training, "validate", validate)
    with pytest.raises(splits.SplitError, match="test flows of Navier-Stokes"):
        study.train(name, profile="quick")
    assert len(study.test_set(profile="quick", progress=False)) == TINY.flows["published"].test


def test_the_weights_that_are_best_on_validation_flows_are_kept(small, monkeypatch):
    errors = iter([0.5, 0.2, 0.4, 0.3])
    monkeypatch.setattr(trainings._Training, "validate", lambda *_: {"error": next(errors, 0.9)})
    study.train("explicit", profile="quick")
    card = study.load("explicit")[1]
    assert card["metrics"] == {"error": 0.2}
    assert card["selected"] == {"by": "error", "step": 2, "of": 4}


def test_implicit_training_resumes_exactly(small):
    whole = study.train("implicit", profile="quick", seed=1)
    path = small / "checkpoints/navier_stokes/implicit-seed1.safetensors"
    weights = path.read_bytes()
    # stops at the first saving
    part = study.train("implicit", profile="quick", seed=1, minutes=1e-9)
    assert whole.finished
    assert not part.finished
    assert 0 < part.step < 24
    assert study.train("implicit", profile="quick", seed=1).finished
    assert path.read_bytes() == weights


# ------------------------------------------------------------------------------------------- probes
@pytest.mark.parametrize("kind, places", [(Exact, 1), (TwoRests, 2)])
def test_a_probe_tells_one_place_to_rest_from_two(kind, places):
    f, w = forced(30, 16)
    flows = flow_data.Flows(f, w, len(w))
    found = probes.one_place(kind(16).float(), flows, "cpu", seed=0)
    ends = torch.tensor([found[start] for start in ("noise", "strong noise", "Anderson")])
    assert ends.shape == (3, 30)
    assert ends[2].max() < 1e-4
    assert (ends[:2] > 1.99).any() == (places == 2)
    assert bool(((ends < 1e-4) | (ends > 1.99)).all())
