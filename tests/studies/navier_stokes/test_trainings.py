"""Names, training and resuming, and what is recorded of finished models."""

import json

import pytest
import torch
from equilibria import splits
from equilibria.companion import command_line
from equilibria.problems import flow_data
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import curves, evaluation, recipes, surveys, trainings
from steady_flows import TINY, Exact, TwoRests, forced

pytestmark = pytest.mark.end_to_end


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


def test_train_test_and_validation_flows_differ():
    train, test = (
        flow_data.data("unique", 4, n=16, seed=seed, progress=False).vorticity.flatten(1)
        for seed in (recipes.SEED_OF_TRAINING, recipes.SEED_OF_TEST)
    )
    assert torch.cdist(train, test).min() > 0.1


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
    monkeypatch.setattr(evaluation, "LOCAL_T", (1, 2))
    return tmp_path


def test_every_model_trains_and_is_evaluated(small, capsys):
    for name in study.names("quick"):
        study.train(name, profile="quick")
    assert study.evaluate_all(profile="quick")
    for name in study.names("quick"):
        (record,) = study.reports(name)
        assert len(record["errors"]) == 4
        assert record["sha256"] == study.load(name)[1]["sha256"]
        assert ("along" in record) == (name in ("implicit", "unrolled"))
        assert ("apart" in record) == (name == "implicit")
        times = record["local"]["t"] if "local" in record else []
        assert len(times) == {"implicit": 2, "explicit": 1}.get(name, 0)
    curve = json.loads((small / "checkpoints/navier_stokes/test/along-seed0.json").read_text())
    assert curve["sha256"] == study.load("implicit")[1]["sha256"]
    assert curve["flows"] == TINY.test
    assert curve["t"] == list(study.ALONG)
    # on so few flows it is what the model's own record has
    assert curve["mean"] == study.reports("implicit")[0]["along"]
    assert study.seeds("implicit") == [0]
    assert "along" not in study.names("quick")
    capsys.readouterr()
    assert study.evaluate_all(profile="quick")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice


def test_the_survey_counts_what_the_solver_finds(small, monkeypatch):
    assert study.evaluate_all(profile="quick")
    record = study.recorded_survey()
    rows = record["rows"]
    assert [row["std"] for row in rows] == [0.05, 0.1, 0.2, 0.334]
    assert record["flows"] == TINY.test
    assert all(0 <= row["other"] <= row["solved"] <= 1 for row in rows)
    assert all(row["kept"] <= 1 for row in rows)
    assert rows[0]["solved"] == 1
    assert rows[0]["other"] == 0
    assert rows[-1]["other"] > 0
    # TINY is of the regime `published`
    assert len(record["second"]) >= 2
    assert all(0 <= index < 4 and distance > 0.1 for index, distance in record["second"])
    monkeypatch.setattr(surveys, "RANDOM_STARTS", 0)
    assert study.evaluate_all(profile="quick")
    assert study.recorded_survey()["tries"] == 0  # another survey was asked for


def test_evaluation_stops_at_the_time_limit(small):
    study.train("explicit", profile="quick")
    assert not study.evaluate_all(profile="quick", minutes=-1.0)
    assert study.reports("explicit") == []


def test_the_profile_paper_has_both_regimes(small, monkeypatch):
    paper = {"implicit", "implicit-unique", "depth-32", "width-256"}
    assert paper <= set(study.names("paper"))
    monkeypatch.setitem(flow_data.REGIMES, "unique", flow_data.Regime(std=0.05, solved=True))
    command = ["train", "navier_stokes/explicit-unique", "--profile", "paper"]
    assert command_line.main(command) == 0
    assert study.train("explicit", profile="paper").finished
    for name, scale in (("explicit", 0.334), ("explicit-unique", 0.05)):
        assert study.load(name, profile="paper")[0].output_scale == scale


def test_error_curves_stop_at_the_time_limit_and_follow_the_weights(small):
    study.train("implicit", profile="quick")
    settings = {"profile": "quick", "device": "cpu"}
    path = small / "checkpoints/navier_stokes/test/along-seed0.json"
    assert not curves.record_curves(**settings, minutes=-1.0)
    assert not path.exists()
    assert curves.record_curves(**settings, minutes=None)
    recorded = path.read_text()
    stale = json.loads(recorded) | {"sha256": "other weights"}
    path.write_text(json.dumps(stale))
    assert curves.record_curves(**settings, minutes=None)
    assert path.read_text() == recorded
    # seeds that were trained elsewhere have no weights here
    (small / "checkpoints/navier_stokes/implicit-seed0.safetensors").unlink()
    path.unlink()
    assert curves.record_curves(**settings, minutes=None)
    assert not path.exists()


@pytest.mark.parametrize("name", ["implicit", "explicit", "unrolled"])
def test_a_training_cannot_read_test_flows(small, monkeypatch, name):
    def validate(self, model):
        flows = study.test_set(name, profile="quick", progress=False)
        return {"error": float(len(flows))}

    assert study.train(name, profile="quick", seed=1).finished
    monkeypatch.setattr(trainings._Training, "validate", validate)
    with pytest.raises(splits.SplitError, match="test flows of Navier-Stokes"):
        study.train(name, profile="quick")
    assert len(study.test_set(profile="quick", progress=False)) == TINY.test


def test_validation_flows_are_neither_trained_on_nor_tested_on(small):
    training = trainings._Training("explicit", "quick", 0, study.new("explicit"), "cpu")
    tested = study.test_set(profile="quick", progress=False).vorticity.float().flatten(1)
    flows = training.grids[TINY.n][1].flatten(1)
    trained, validation = flows[: TINY.train], flows[TINY.train :]
    assert len(validation) == TINY.batch
    x, y = training.training_flows(TINY.steps["explicit"][0] - 1)
    assert torch.equal(y.flatten(1), trained)
    assert len(x) == TINY.train
    assert torch.cdist(validation, trained).min() > 0.1
    assert torch.cdist(validation, tested).min() > 0.1


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
def test_a_probe_tells_one_place_to_rest_from_two(kind, places, monkeypatch):
    f, w = forced(30, 16)
    flows = flow_data.Flows(f, w, len(w))
    monkeypatch.setattr(evaluation, "load", lambda *args, **kw: (kind(16).float(), {}))
    monkeypatch.setattr(evaluation, "test_set", lambda *args, **kw: flows)
    monkeypatch.setattr(evaluation, "LOCAL_T", (1, 3))
    record = study.probe("implicit", seed=0)
    starts = ("noise", "strong noise", "Anderson")
    ends = torch.tensor([record["apart"][start] for start in starts])
    assert ends.shape == (3, 30)
    assert len(record["picard"]) == 30
    assert ends[2].max() < 1e-4
    assert (ends[:2] > 1.99).any() == (places == 2)
    assert bool(((ends < 1e-4) | (ends > 1.99)).all())
    value, settled = record["local"]["value"], record["local"]["settled"]
    assert len(value) == 2
    assert len(value[0]) == study.LOCAL_FLOWS
    assert all(all(row) for row in settled)
