"""Three splits: no program is in two of them, and trainings see no test program."""

import pytest
import torch
from equilibria.splits import SplitError, no_test_data
from equilibria.studies import linear_programs as study
from equilibria.studies.linear_programs import recipes

READERS = {
    "test_programs": lambda: study.test_programs("quick", progress=False),
    "larger_programs": lambda: study.larger_programs(2, variables=100, progress=False),
    "evaluate": lambda: study.evaluate("implicit-4", seed=0),
}


def test_no_program_is_in_two_splits(few_programs):
    training, validation = study.data("quick", progress=False)
    test = study.test_programs("quick", progress=False)
    assert [len(split) for split in (training, validation, test)] == [12, 6, 5]
    costs = torch.cat([training.c, validation.c, test.c])
    assert len(costs.unique(dim=0)) == 12 + 6 + 5


def test_larger_programs_have_the_same_density():
    larger = study.larger_programs(2, variables=100, progress=False)
    assert larger.c.shape == (2, 100)
    assert larger.b.shape == (2, 20)
    assert larger.values.shape == (2, 200)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_whatever_reads_test_programs_is_refused_while_a_training_runs(reader):
    with no_test_data("a training"), pytest.raises(SplitError, match="test programs"):
        reader()


def test_a_training_that_validates_on_test_programs_fails(few_programs, monkeypatch):
    def on_test_programs(programs, held_out, device):
        def validate(model):
            test = study.test_programs("quick", progress=False)
            return {"error": study.along_t(model, test, steps=1)["mean"][-1]}

        return validate

    assert study.train("explicit-4", profile="quick", seed=0, device="cpu").finished
    monkeypatch.setattr(recipes, "_validation", on_test_programs)
    with pytest.raises(SplitError, match=r"recipes\.train asked for the test programs"):
        study.train("explicit-4", profile="quick", seed=1, device="cpu")
