"""The tables' rows are made from the committed results files, all with the same columns."""

import json

from conftest import HOME
from equilibria.studies import one_over_x as case

FOLDER = HOME / "figures/quick/01_one_over_x"


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def header(name):
    return (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]


def test_the_toys_table_has_one_row_per_bound():
    rows = case.toy_rows(read("toy"))
    assert [row["Lipschitz bound"] for row in rows] == list(case.BOUNDS)
    columns = list(rows[0])
    assert all(list(row) == columns for row in rows)
    assert columns[2] == "implicit, t = 1"


def test_the_table_against_the_paper_has_the_committed_columns():
    results = read("results")
    rows = case.against_the_paper(results)
    assert all(",".join(row) == header("against_the_paper") for row in rows)
    assert len(rows) == len(results["steepness"]) + len(results["sufficiency"]["targets"]) + 4
