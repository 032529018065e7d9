"""Records of the test: what they hold, and that the shipped ones are those of the weights."""

import json

import pytest
import torch
from equilibria.files import DataError
from equilibria.operators.lp_graph import graph
from equilibria.studies import linear_programs as study
from equilibria.studies.linear_programs.measures import errors_at

pytestmark = pytest.mark.end_to_end


def test_errors_at_given_iterations(programs, halfway):
    at_1, at_3 = errors_at(halfway, programs, (1, 3))
    x, label = graph(programs), programs.y.float()
    torch.testing.assert_close(at_1, study.relative_error(0.5 * x.u, label))
    torch.testing.assert_close(at_3, study.relative_error(0.875 * x.u, label))


@pytest.mark.parametrize("name", study.names("paper"))
def test_every_shipped_model_has_its_record(name):
    records = study.RECORDS.reports(name)
    assert [record["seed"] for record in records] == study.seeds(name)
    for record in records:
        _, card = study.load(name, seed=record["seed"])
        assert record["sha256"] == card["sha256"]
        assert record["parameters"] == card["parameters"]
        assert record["train_seconds"] == card["seconds"]
        implicit = not name.startswith("explicit")
        keys = {"errors_8", "errors_64"} if implicit else {"errors"}
        assert {key for key in record if key.startswith("errors")} == keys
        assert all(len(record[key]) == 1000 for key in keys)


@pytest.mark.parametrize("name", ["implicit-4", "explicit-8"])
def test_a_record_can_be_computed_again(name):
    shipped = study.RECORDS.reports(name)[1]
    again = study.evaluate(name, seed=1, count=20)
    assert again.keys() == shipped.keys()
    for key, value in again.items():
        if key.startswith("errors"):
            assert value == pytest.approx(shipped[key][:20], abs=1e-4)
        else:
            assert value == shipped[key]


def test_all_finished_models_are_recorded_and_old_records_replaced(few_programs):
    study.train("implicit-4", profile="quick", seed=0, device="cpu")
    study.train("explicit-4", profile="quick", seed=3, device="cpu")
    assert study.evaluate_all(profile="quick")
    (implicit,) = study.RECORDS.reports("implicit-4", profile="quick")
    (explicit,) = study.RECORDS.reports("explicit-4", profile="quick")
    assert len(implicit["errors_8"]) == len(implicit["errors_64"]) == 5
    assert len(explicit["errors"]) == 5
    path = study.RECORDS.folder("quick") / "test" / "explicit-4-seed3.json"
    path.write_text(json.dumps(explicit | {"sha256": "of other weights", "errors": []}))
    assert study.evaluate_all(profile="quick")
    assert json.loads(path.read_text()) == explicit


def test_a_profile_without_a_model_is_refused(few_programs):
    with pytest.raises(DataError, match="profile must have a finished model, got 'quick'"):
        study.evaluate_all(profile="quick")
