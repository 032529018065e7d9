"""Records of all seeds, side by side, and what the claims read of them."""

import pytest
from equilibria.studies.stories import summary

LENGTHS = (4, 12, 24, 48)


def record(seed, *, once=False, share=1.0, ratio=(1.0, 6.0, 12.0)):
    """A record whose share of right answers is t / 1000 where it is not told."""
    along_t, contrast = [], []
    for n in LENGTHS:
        times = [1] if once else sorted({1, n // 4, 2 * n, 8 * n})
        last = [t / 1000 for t in times] if not once else [share]
        along_t.append({"length": n, "t": times, "last": last, "all": last})
        for where in ("any", "first"):
            scores = {"ratio": list(ratio), "changed": [seed, seed, seed], "right_ratio": 24.0}
            contrast.append({"length": n, "where": where, "t": [1, n, 2 * n], **scores})
    parts = [{"part": part, "last": value} for part, value in (("plain", 0.9), ("phrasing", 0.7))]
    settled = {"length": 48, "radius": [0.5, 0.1 * seed], "norm": [2.0, 3.0]}
    report = {"seed": seed, "parameters": 7, "along_t": along_t, "parts": parts}
    return report | {"contrast": contrast} | ({} if once else {"at_rest": settled})


@pytest.fixture
def records():
    return {
        "loop": [record(0), record(3, ratio=(2.0, 6.0, 12.0))],
        "once": [record(0, once=True, share=0.25)],
        "stack": [record(1, once=True, share=0.75)],
    }


def test_the_claims_read_each_seed_at_the_right_loops(records):
    found = summary.targets(records)
    assert found["enough"] == [0.024, 0.024, 0.048, 0.048, 0.096, 0.096]
    assert found["quarter"] == [0.003, 0.003, 0.006, 0.006, 0.012, 0.012]
    assert found["change"] == pytest.approx([0.072, 0.072, 0.144, 0.144, 0.288, 0.288])
    assert found["phrasing_loss"] == pytest.approx([0.2, 0.2])
    assert found["spectral_radius"] == [[0.5, 0.0], [0.5, pytest.approx(0.3)]]
    assert found["ratio_growth"] == [12.0, 6.0]
    assert found["ratio_to_right"] == [0.5] * 6
    assert found["explicit_beyond"] == [0.25, 0.25, 0.75, 0.75]


@pytest.mark.parametrize("kind", ["once", "stack"])
def test_a_claim_about_models_that_are_missing_gets_no_number(records, kind):
    found = summary.recorded(records | {kind: []})
    assert "explicit_beyond" not in found
    assert kind not in found["explicit"]
    assert found["explicit"]["loop"]["right"][1] == [0.024, 0.024]


def test_curves_have_a_row_per_t_and_a_column_per_seed(records):
    found = summary.recorded(records)
    assert found["along_t"]["seeds"] == [0, 3]
    assert found["along_t"]["right"][4] == [[t / 1000] * 2 for t in (1, 8, 32)]
    any_swap, first_swap = found["contrast"]
    assert (any_swap["where"], first_swap["where"]) == ("any", "first")
    assert any_swap["ratio"] == [[1.0, 2.0], [6.0, 6.0], [12.0, 12.0]]
    assert any_swap["right"] == {"ratio": 24.0}
    assert found["parts"] == {"plain": [0.9, 0.9], "phrasing": [0.7, 0.7]}
