"""The tables' rows are made from the committed results files, all with the same columns."""

import json

import torch
from conftest import HOME
from equilibria import regularity
from equilibria.studies import one_over_x as case

FOLDER = HOME / "figures/quick/01_one_over_x"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def header(name):
    return (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]


def test_the_toys_table_has_one_row_per_bound():
    rows = case.toy_rows(read("toy"))
    assert [row["Lipschitz bound"] for row in rows] == list(case.BOUNDS)
    assert all(list(row) == list(rows[0]) for row in rows)
    assert list(rows[0])[2:6] == [f"implicit, t = {t}" for t in (1, 5, 25, 400)]


def test_the_table_against_the_paper_has_the_committed_columns():
    rows = case.against_the_paper(read("results"))
    assert all(",".join(row) == header("against_the_paper") for row in rows)


def test_an_attempt_shows_its_label_and_its_nearest_point():
    attempts = {"half": {"distance": [1.0, 0.5], "steepness": [1.0, 2.0], "one_minus_mu": [1, 0.5]}}
    (row,) = case.attempt_rows(attempts, {"half": "$1/2$"})
    assert list(row.values()) == ["$1/2$", "5.0e-01", "2", "5.0e-01"]


def test_an_audit_shows_what_failed():
    def audit(scale, power=1):
        def G(y, x):
            return y - scale * (x * y**power - 1)

        x = torch.tensor([[0.5]], dtype=torch.float64)
        return regularity.audit(G, torch.zeros_like(x), x)

    regular, steep, fleeing = case.audit_rows(
        {"regular": audit(0.5), "steep": audit(0.5, power=2), "fleeing": audit(-0.5)}
    )
    assert regular["regular"] == "yes, as far as probed" and "**" not in str(regular)
    assert "too fast" in steep["slope in $x$ grows like"] and steep["regular"] == "**no**"
    assert fleeing["largest $\\mu$"] == "**1.250**" and fleeing["fixed point"] == "found"
