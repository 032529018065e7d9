"""equilibria.companion.claims: each predicate on both sides, the three verdicts, the tables, and the refusal of wrong rows."""

import json

import pytest
import yaml
from equilibria.companion import claims
from equilibria.companion.claims import Claim, ClaimsError

ROW = {
    "id": "first-error",
    "notebook": "01_first",
    "paper": "Table 1",
    "claim": "The error",
    "published": 0.177,
    "key": "table.8.test",
    "predicate": {"at_most": 0.18},
}


@pytest.fixture
def rows(sample):
    """Write claims.yml."""

    def write(*changes):
        (sample.root / "claims.yml").write_text(
            yaml.safe_dump([ROW | change for change in changes])
        )

    return write


@pytest.fixture
def measured(sample):
    """Write the results of a finished run."""

    def write(data, *, notebook="01_first", finished=True, profile="quick"):
        folder = sample.root / "figures" / profile / notebook
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(data if isinstance(data, str) else json.dumps(data))
        if finished:
            (folder / "provenance.json").write_text("{}")

    return write


# (predicate, a value that holds, values that do not); `other` is what a second key holds
CASES = [
    ({"at_most": 0.18}, [0.18, 0.1, [0.18, 0.0]], [0.1801, [0.1, 0.19]], None),
    ({"at_least": 2}, [2, [2, 3]], [1.999, [3, 1]], None),
    ({"below": 1}, [0.999, -5], [1, [0, 1]], None),
    ({"above": 0}, [1e-9, [1, 2]], [0, -1, [1, 0]], None),
    ({"between": [1, 2]}, [1, 2, [1.5, 1]], [0.99, 2.01, [1, 3]], None),
    ({"equals": "rises"}, ["rises"], ["falls", 1, True], None),
    ({"equals": True}, [True], [False, 1, "True"], None),
    ({"equals": 3}, [3], [4, True, 3.5], None),
    (
        {"close_to": {"value": 10, "relative": 0.1}},
        [9, 11, [10, 10.5]],
        [8.9, 11.1, -10, [10, 12]],
        None,
    ),
    ({"close_to": {"value": -2, "absolute": 0.5}}, [-2.5, -1.5], [-1.4, 2], None),
    (
        {"close_to": {"value": [1, 100], "relative": 0.01}},
        [[1, 100], [1.009, 99.1]],
        [[1, 102], [1.02, 100]],
        None,
    ),
    (
        {"increasing": {"slack": 0}},
        [[1, 2, 3], [1, 1, 2]],
        [[1, 2, 1.9, 3], [1, 1, 1], [3, 2, 1]],
        None,
    ),
    ({"increasing": {"slack": 0.05}}, [[1, 2, 1.9, 2.1]], [[1, 2, 1.8, 2.1], [2, 1.95]], None),
    ({"decreasing": {"slack": 0}}, [[3, 2, 1], [3, 3, -1]], [[1, 2, 3], [3, 1, 2], [2, 2]], None),
    (
        {"settles": {"relative": 0.02, "after": 1}},
        [[9, 1.019, 0.981, 1]],
        [[9, 1.03, 1, 1], [1, 0.9, 1]],
        None,
    ),
    (
        {"ends_near_best": {"relative": 0.02, "best": "min"}},
        [[3, 1, 1.019], [2, 1]],
        [[3, 1, 1.03], [1, 2]],
        None,
    ),
    (
        {"ends_near_best": {"relative": 0.02, "best": "max"}},
        [[1, 30, 29.5]],
        [[1, 30, 29.3], [3, 2]],
        None,
    ),
    ({"less_than": {"key": "other"}}, [1, [1, 0]], [2, 3, [1, 2]], 2),
    ({"less_than": {"key": "other"}}, [0.5, [0.5, 2.9]], [1, [0, 3]], [1, 3]),
    ({"less_than": {"key": "other", "factor": 0.5}}, [0.99], [1], 2),
    ({"ratio_at_least": {"key": "other", "value": 3}}, [6, 7], [5.9], 2),
    ({"ratio_at_least": {"key": "other", "value": 1.5}}, [[3, 1.5]], [[3, 1.4]], [2, 1]),
]


@pytest.mark.parametrize(
    ("predicate", "good", "bad", "other"),
    CASES,
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_predicates(rows, measured, predicate, good, bad, other):
    rows({"key": "value", "predicate": predicate})
    (claim,) = claims.load()
    assert claims.target(claim)
    for value, word in [(v, "holds") for v in good] + [(v, "fails") for v in bad]:
        measured({"value": value, "other": other})
        assert claims.judge(claim, "quick").word == word, value


def test_every_predicate_is_tested():
    assert {name for case in CASES for name in case[0]} == set(claims.PREDICATES)


NOT_NUMBERS = ["text", True, None, [], [1, None], {"a": 1}]


@pytest.mark.parametrize(
    "predicate", [case[0] for case in CASES if "equals" not in case[0]], ids=str
)
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=str)
def test_what_is_not_a_number_fails(rows, measured, predicate, value):
    rows({"key": "value", "predicate": predicate, "deviation": "first-a-known-miss"})
    measured({"value": value, "other": 1})
    assert claims.judge(claims.load()[0], "quick").word == "fails", (
        "a deviation excuses a number, not its absence"
    )


@pytest.mark.parametrize(
    ("value", "predicate"),
    [
        ([1], {"increasing": {"slack": 0}}),
        (3, {"settles": {"relative": 0.1, "after": 0}}),
        ([1, 1], {"settles": {"relative": 0.1, "after": 1}}),
        ([1, 2, 3], {"close_to": {"value": [1, 2], "relative": 0.1}}),
        ([1, 2, 3], {"less_than": {"key": "two"}}),
        (1, {"ratio_at_least": {"key": "zero", "value": 1}}),
        (1, {"less_than": {"key": "absent"}}),
    ],
)
def test_what_cannot_be_compared_fails_with_a_reason(rows, measured, value, predicate):
    rows({"key": "value", "predicate": predicate})
    measured({"value": value, "two": [9, 9], "zero": 0})
    verdict = claims.judge(claims.load()[0], "quick")
    assert verdict.word == "fails" and verdict.note


def test_three_verdicts(rows, measured):
    rows(
        {},
        {"id": "b", "predicate": {"at_most": 0.15}, "deviation": "first-a-known-miss"},
        {"id": "c", "predicate": {"at_most": 0.15}},
        {"id": "d", "deviation": "first-a-known-miss"},
    )
    measured({"table": {"8": {"test": 0.178}}})
    verdicts = claims.judge_all("quick")
    assert [verdict.word for verdict in verdicts] == ["holds", "falls short", "fails", "holds"]
    assert "no longer needed" in verdicts[3].note and verdicts[0].note == ""
    assert claims.table(verdicts).endswith("4 claims: 2 hold, 1 fall short, 1 fail.")


@pytest.mark.parametrize(
    ("data", "finished", "change", "note"),
    [
        ({"table": {"8": {"test": 0.1}}}, False, {}, "no finished run"),
        ({"table": {"8": {}}}, True, {}, "no table.8.test in"),
        ({"table": [1]}, True, {}, "no table.8.test in"),
        ({}, True, {"file": "toy"}, "no toy.json"),
        ('{"table": ', True, {}, "damaged"),
        (
            {"table": {"8": {"test": 0.1}}},
            True,
            {"spread_key": "table.8.spread"},
            "no table.8.spread",
        ),
    ],
)
def test_a_missing_number_fails_and_is_named(rows, measured, data, finished, change, note):
    rows(change | {"deviation": "first-a-known-miss"})
    measured(data, finished=finished)
    (verdict,) = claims.judge_all("quick")
    assert verdict.word == "fails" and note in verdict.note


def test_profiles_and_only_choose_the_rows(rows, measured):
    rows({"profiles": ["paper"]}, {"id": "b", "notebook": "02_second"})
    measured({"table": {"8": {"test": 0.1}}}, profile="paper")
    assert [v.claim.id for v in claims.judge_all("quick")] == ["b"]
    assert [(v.claim.id, v.word) for v in claims.judge_all("paper")] == [
        ("first-error", "holds"),
        ("b", "fails"),
    ]
    assert [v.claim.id for v in claims.judge_all("paper", only=["02"])] == ["b"]


def test_keys_reach_into_lists_and_past_dots(rows, measured):
    rows({"key": "curve.1.0"}, {"id": "b", "key": ["by distance", "0.1"]})
    measured({"curve": [[1], [0.1]], "by distance": {"0.1": 0.2}})
    assert [v.here for v in claims.judge_all("quick")] == ["0.1", "0.2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicate": {"atmost": 1}}, "unknown predicate 'atmost'"),
        ({"predicate": {"at_most": "1"}}, "takes a number"),
        ({"predicate": {"at_most": True}}, "takes a number"),
        ({"predicate": {"at_most": 1, "at_least": 0}}, "must be one"),
        ({"predicate": {"between": [2, 1]}}, "takes .low, high."),
        ({"predicate": {"equals": 0.5}}, "takes text, a truth value or an integer"),
        ({"predicate": {"close_to": {"value": 1}}}, "takes {value, relative}"),
        (
            {"predicate": {"close_to": {"value": 1, "relative": 1, "absolute": 1}}},
            "takes {value, absolute}",
        ),
        ({"predicate": {"increasing": {}}}, "takes {slack}"),
        ({"predicate": {"settles": {"relative": 0.1, "after": -1}}}, "impossible after"),
        ({"predicate": {"ends_near_best": {"relative": 0.1, "best": "least"}}}, "impossible best"),
        ({"predicate": {"less_than": {"key": "a", "faktor": 2}}}, "may have factor"),
        ({"profiles": ["quack"]}, "profiles"),
        ({"profiles": []}, "profiles"),
        ({"notebook": "09_none"}, "no notebook '09_none'"),
        ({"deviation": "no-such-heading"}, "no heading for 'no-such-heading'"),
        ({"publised": 1}, "unknown key 'publised'"),
        ({"id": "Not an id"}, "claim id"),
    ],
)
def test_a_wrong_row_is_an_error(rows, change, message):
    rows(change)
    with pytest.raises(ClaimsError, match=message):
        claims.load()


def test_ids_are_unique_and_needed_keys_are_needed(rows, sample):
    rows({}, {"claim": "again"})
    with pytest.raises(ClaimsError, match="used twice: first-error"):
        claims.load()
    (sample.root / "claims.yml").write_text(
        yaml.safe_dump([{key: value for key, value in ROW.items() if key != "paper"}])
    )
    with pytest.raises(ClaimsError, match="first-error: no 'paper'"):
        claims.load()


def test_reports(rows, measured, sample):
    rows(
        {"spread_key": "table.8.spread", "figure": "errors", "published": "0.1 | 0.2"},
        {"id": "b", "predicate": {"at_most": 0.15}, "deviation": "first-a-known-miss"},
    )
    measured({"table": {"8": {"test": 0.178, "spread": 0.0031}}})
    verdicts = claims.judge_all("quick")
    claims.report(verdicts, "quick")
    table = (sample.root / "figures/quick/README.md").read_text()
    assert (
        "0.178 ± 0.0031" in table
        and "[errors](01_first/errors.png)" in table
        and "0.1 \\| 0.2" in table
    )
    assert "[falls short](../../DEVIATIONS.md#first-a-known-miss)" in table
    readme = (sample.root / "README.md").read_text()
    assert (
        readme.startswith("before\n")
        and readme.endswith("after\n")
        and "2 claims: 1 hold, 1 fall short, 0 fail." in readme
    )
    claims.report(verdicts, "quick")
    assert (sample.root / "README.md").read_text() == readme, (
        "writing the table again changes nothing"
    )
    claims.report(claims.judge_all("paper"), "paper")
    assert (sample.root / "README.md").read_text() == readme, "the paper profile has its own table"


def test_a_readme_without_its_marks_is_refused(rows, measured, sample):
    rows({})
    (sample.root / "README.md").write_text("no marks")
    with pytest.raises(ClaimsError, match="README.md has lost"):
        claims.report(claims.judge_all("quick"), "quick")
    assert (sample.root / "README.md").read_text() == "no marks"


def test_a_claim_is_checked_when_it_is_built():
    with pytest.raises(ClaimsError, match="x: unknown predicate 'like'"):
        Claim(id="x", notebook="01", paper="", claim="", key="a", predicate={"like": 1})
