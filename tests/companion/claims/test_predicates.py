"""Predicates: each on both sides, on values that are no evidence, and wrong arguments."""

import math

import pytest
import torch
from equilibria.companion.claims.predicates import PREDICATES, parse
from equilibria.companion.claims.values import NoEvidence, NotFinite, compare, numbers, show, spread

# (predicate, values that hold, values that do not); `other` is what the second key holds
CASES = [
    ({"at_most": 0.18}, [0.18, 0.1, [0.18, 0.0]], [0.1801, [0.1, 0.19]], None),
    ({"at_least": 2}, [2, [2, 3]], [1.999, [3, 1], [1, 3]], None),
    ({"below": 1}, [0.999, -5], [1, [0, 1]], None),
    ({"above": 0}, [1e-9, [1, 2]], [0, -1, [1, 0]], None),
    ({"equals": "rises"}, ["rises"], ["falls", 1, True], None),
    ({"equals": True}, [True], [False, 1, "True"], None),
    ({"close_to": {"value": 10, "relative": 0.1}}, [9, 11, [10, 10.5]], [8.9, 11.1, -10], None),
    ({"close_to": {"value": -2, "absolute": 0.5}}, [-2.5, -1.5], [-1.4, 2], None),
    (
        {"climbs": {"factor": 2, "within": 0.02, "after": 2}},
        [[1, 5, 2.019, 1.981, 2], [[1, 2, 2, 2], [2, 4, 4, 4]]],
        [[1, 2, 2.05, 2], [1.01, 2, 2, 2], [2, 2, 2, 2], [[1, 2, 2, 2], [4, 2, 2, 2]]],
        None,
    ),
    (
        {"climbs": {"factor": 2, "within": 0.5, "after": 0}},
        [[1, 2, 3, 2]],
        [[0, 0, 0, 0], [-4, -4, -4, -4], [-1, -1.01, -1.01, -1.01], [1, 2, 3.001, 2]],
        None,
    ),
    (
        {"climbs": {"by": 3, "within_absolute": 0.25, "after": 1}},
        [[0.5, 3.75, 3.5], [0.5, 3.25, 3.5]],
        [[0.5, 3.751, 3.5], [0.5, 3.249, 3.5], [0.501, 3.5, 3.5]],
        None,
    ),
    (
        {"climbs": {"by": 3, "within_absolute": 0.2, "after": 1}},
        [[1, 4.1, 4], [-9, 20, 19.9]],
        [[1, 3.9, 3.9], [1, 4.3, 4], [4, 4, 4], [[1, 4, 4], [1, 3, 3]]],
        None,
    ),
    (
        {"descends": {"factor": 2, "within": 0.02, "after": 1}},
        [[3, 1, 1.019], [4, 1.01, 1], [2, 1, 1], [[3, 1, 1], [4, 2, 2]]],
        [[3, 1, 1.03], [1.9, 1, 1], [1, 1, 1], [0, 0, 0], [8, 2, 1], [4, 1, 2, 1]],
        None,
    ),
    (
        {"descends": {"factor": 2, "within": 0.5, "after": 1}},
        [[8, 3, 2], [8, 2, 3, 2], [4, 2, 2]],
        [[8, 2, 3.001, 2], [[3, 1, 1], [1, 3, 3]], [-1, -1, -1]],
        None,
    ),
    (
        {"rises": {"slack": 0}},
        [[1, 2, 3], [1, 1, 2]],
        [[1, 2, 1.9, 3], [1, 1, 1], [3, 2, 1], [[1, 2, 3], [3, 2, 1]]],
        None,
    ),
    ({"rises": {"slack": 0.05}}, [[1, 2, 1.9, 2.1]], [[1, 2, 1.8, 2.1], [2, 1.95]], None),
    ({"falls": {"slack": 0}}, [[3, 2, 1], [3, 3, -1]], [[1, 2, 3], [3, 1, 2], [2, 2]], None),
    (
        {"falls": {"slack": 0.5}},
        [[4, 2, 4, 3]],
        [[4, 2, 4, 4], [[3, 2], [2, 3]], [4, 1, 4, 3]],
        None,
    ),
    # the slack is of the largest size, whatever its sign
    ({"rises": {"slack": 0.5}}, [[-4, -2, -4, -3]], [[-4, -1, -4, -3]], None),
    ({"less_than": {"key": "other"}}, [1, [1, 0]], [2, 3, [1, 2]], 2),
    ({"less_than": {"key": "other"}}, [0.5, [0.5, 2.9]], [1, [0, 3]], [1, 3]),
    ({"less_than": {"key": "other", "factor": 0.5}}, [0.99], [1], 2),
    ({"less_than": {"key": "other"}}, [[[0, 0.5], [2, 2.5]]], [[[0, 0.5], [2, 3]]], [1, 3]),
    (
        {"beats": {"key": "other", "by": 1.0}},
        [[[3.0, 3.1, 2.9]], [3.0, 3.1, 3.2]],
        [[[1.9, 1.9, 2.0]], [[9.0, 1.0, -3.0]], [[2.0, 2.2, 1.9]]],
        [[1.0, 1.1, 0.9]],
    ),
    (
        {"beats": {"key": "other", "lower_is_better": True}},
        [[[0.1, 0.2, 0.1]]],
        [[[1.0, 1.1, 0.9]], [[2.0, 2.0, 2.0]]],
        [[1.0, 1.1, 0.9]],
    ),
]


@pytest.mark.parametrize(("predicate", "good", "bad", "other"), CASES, ids=lambda v: str(v)[:50])
def test_each_predicate_on_both_sides(predicate, good, bad, other):
    parsed = parse(predicate)
    assert parsed.words()
    for value in good:
        assert parsed.holds(value, lambda key: other), value
    for value in bad:
        assert not parsed.holds(value, lambda key: other), value


def test_every_predicate_is_tested():
    assert {name for case in CASES for name in case[0]} == set(PREDICATES)


@pytest.mark.parametrize("value", ["text", True, [], [1, "a"], {"a": 1}], ids=str)
@pytest.mark.parametrize(
    "predicate", [case[0] for case in CASES if "equals" not in case[0]], ids=lambda v: str(v)[:40]
)
def test_what_is_no_number_is_no_evidence(predicate, value):
    with pytest.raises(NoEvidence):
        parse(predicate).holds(value, lambda key: 1)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), [1, 2, None]], ids=str)
@pytest.mark.parametrize("predicate", [{"at_most": 1}, {"rises": {"slack": 0}}], ids=str)
def test_a_number_that_is_not_finite_is_a_miss_and_not_missing(predicate, value):
    if "rises" in predicate and not isinstance(value, list):
        value = [1, 2, value]
    with pytest.raises(NotFinite):
        parse(predicate).holds(value, lambda key: 1)


@pytest.mark.parametrize(
    ("predicate", "value", "other"),
    [
        ({"descends": {"factor": 2, "within": 0.1, "after": 2}}, [3, 2, 1], None),
        ({"less_than": {"key": "two"}}, [[1, 2], [1]], [[1, 2], [1, 2]]),
        ({"rises": {"slack": 0}}, [1], None),
        ({"climbs": {"factor": 2, "within": 0.1, "after": 2}}, [1, 2, 3], None),
        ({"less_than": {"key": "two"}}, [1, 2, 3], [1, 2]),
        ({"beats": {"key": "two"}}, [[1.0, 2.0]], [[1.0, 2.0, 3.0]]),
        ({"beats": {"key": "two"}}, [[1.0]], [[1.0]]),
        ({"beats": {"key": "two"}}, [[1.0, 2.0], [1.0, 2.0, 3.0]], [[1.0, 2.0]]),
    ],
)
def test_what_cannot_be_compared_is_no_evidence(predicate, value, other):
    with pytest.raises(NoEvidence):
        parse(predicate).holds(value, lambda key: other)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"at_most": 1, "at_least": 0},
        {"nearly": 1},
        {"at_most": "low"},
        {"close_to": {"value": 1}},
        {"close_to": {"value": 1, "relative": 0.1, "absolute": 0.1}},
        {"climbs": {"factor": 1, "within": 0.1, "after": 0}},
        {"climbs": {"by": 0, "within": 0.1, "after": 0}},
        {"climbs": {"by": 1, "within": 0, "after": 0}},
        {"climbs": {"by": 1, "within_absolute": 0, "after": 0}},
        {"climbs": {"by": 1, "within": 0.1, "after": -1}},
        {"climbs": {"factor": 2, "after": 0}},
        {"close_to": {"value": 1, "relative": 0}},
        {"close_to": {"value": 1, "absolute": 0}},
        {"descends": {"factor": 1, "within": 0.1, "after": 0}},
        {"descends": {"factor": 2, "within": 0, "after": 0}},
        {"descends": {"factor": 2, "within": 0.1, "after": -1}},
        {"rises": {"slack": -0.1}},
        {"falls": {"slack": -0.1}},
        {"less_than": {"key": "a", "factor": 0}},
        {"beats": {"key": "a", "by": -0.1}},
        {"climbs": {"within": 0.1, "after": 0}},
        {"climbs": {"factor": 2, "by": 1, "within": 0.1, "after": 0}},
        {"climbs": {"factor": 2, "within": 0.1, "within_absolute": 1, "after": 0}},
        {"descends": {"factor": 2, "within": 0.1}},
        {"less_than": {"key": "a", "factor": -1}},
        {"beats": {"key": "a", "standard_errors": -1}},
        {"rises": {"slack": 0, "after": 3}},
    ],
)
def test_a_wrong_predicate_is_refused(written):
    with pytest.raises(ValueError):
        parse(written)


@pytest.mark.parametrize(
    "written",
    [
        {"climbs": {"factor": 1.5, "within": 0.5, "after": 0}},
        {"climbs": {"by": 0.5, "within_absolute": 0.5, "after": 0}},
        {"close_to": {"value": 1, "relative": 0.5}},
        {"close_to": {"value": 1, "absolute": 0.5}},
        {"descends": {"factor": 1.5, "within": 0.5, "after": 0}},
        {"rises": {"slack": 0.5}},
        {"falls": {"slack": 0}},
        {"less_than": {"key": "a", "factor": 0.5}},
        {"beats": {"key": "a", "by": 0.5, "standard_errors": 0}},
        {"beats": {"key": "a", "by": 0}},
    ],
)
def test_what_is_just_right_is_taken(written):
    assert parse(written)


def test_the_defaults_are_those_of_the_documentation():
    beats = parse({"beats": {"key": "a"}})
    assert (beats.by, beats.standard_errors, beats.lower_is_better) == (0.0, 2.0, False)
    assert parse({"less_than": {"key": "a"}}).factor == 1.0


def test_a_lead_is_one_by_more_than_two_standard_errors():
    """Five samples whose differences have the mean 1 and a known standard error."""
    theirs = [[0.0] * 5]
    spread = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    for error, holds in ((0.4999, True), (0.5001, False)):
        ours = 1 + spread * error * math.sqrt(5) / spread.std()
        assert compare([ours.tolist()], theirs).standard_error == pytest.approx(error, rel=1e-12)
        for sign in (1, -1):
            beats = parse({"beats": {"key": "a", "lower_is_better": sign < 0}})
            assert beats.holds([(sign * ours).tolist()], lambda key: theirs) == holds
    assert beats.here([(-ours).tolist()], lambda key: theirs) == "1 ± 0.5 (one seed each)"
    two = parse({"beats": {"key": "a"}}).here([[1.0, 1.0], [1.0, 1.0]], lambda key: [[0.0, 0.0]])
    assert two == "1 ± 0"


def test_the_standard_error_of_a_gap_is_that_of_paired_samples_and_seeds():
    a, b = [[1.0, 2.0, 4.0], [2.0, 3.0, 6.0]], [[0.5, 1.0, 2.0]]
    gap = compare(a, b)
    paired = torch.tensor(a).double().mean(0) - torch.tensor(b).double()[0]
    seeds = torch.tensor(a).double().mean(1)
    # The single seed on the other side is taken to vary as the two on this side do.
    variance = paired.var() / 3 + seeds.var() / 2 + seeds.var()
    assert gap.mean == pytest.approx(paired.mean().item(), rel=1e-12)
    assert gap.standard_error == pytest.approx(math.sqrt(variance.item()), rel=1e-12)
    assert gap.seeds == (2, 1)


def test_the_worst_of_several_rivals_decides():
    rivals = {"a": [[1.0, 1.1, 0.9]], "b": [[2.9, 3.1, 3.0]]}
    beats = parse({"beats": {"key": ["a", "b"]}})
    assert not beats.holds([[3.0, 3.1, 2.9]], rivals.get)
    assert beats.holds([[4.0, 4.1, 3.9]], rivals.get)
    # the worst is the one whose lead is least beyond its own spread
    rivals = {"a": [[0.0, 0.0, 0.0]], "b": [[-2.4, 0.0, 2.4]]}
    assert beats.holds([[2.0, 2.0, 2.0]], lambda key: rivals["a"])
    assert not beats.holds([[2.0, 2.0, 2.0]], rivals.get)


def test_a_gap_between_equal_samples_is_nothing():
    gap = compare([[1.0, 2.0]], [[1.0, 2.0]])
    assert gap.mean == 0 and gap.standard_error == 0
    assert not parse({"beats": {"key": "same"}}).holds([[1.0, 2.0]], lambda key: [[1.0, 2.0]])


def test_values_in_words():
    assert show(0.123456) == "0.1235"
    assert show([1, 2, 3, 4, 5]) == "1 … 5"
    assert show([1, 2, 3, 4]) == "1, 2, 3, 4"
    assert (show(None), show("text"), show({})) == ("never", "text", "a table")
    assert spread([3, 1, 2, 4]) == "3, 1, 2, 4" and spread([3, 1, 2, 4, 5]) == "1 to 5"
    assert show(True) == "True"
    assert numbers([[1], [2.5]]) == [1.0, 2.5]
