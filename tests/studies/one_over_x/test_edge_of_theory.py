"""sign x leaves the theory: its modulus tends to 1 as necessity demands."""

from equilibria.studies.one_over_x.edge_of_theory import measure_limit


def test_sign_leaves_the_theory():
    measured = measure_limit(10, 0)
    for part in ("approach", "smoothed"):
        pairs = zip(measured[part]["one_minus_mu"], measured[part]["allowed"], strict=True)
        assert all(gap <= allowed * (1 + 1e-6) for gap, allowed in pairs)
    assert measured["approach"]["one_minus_mu"][-1] < 1e-5
    assert measured["smoothed"]["mu"][-1] > 0.999
    assert measured["at_zero"]["mu"] == 1.0
    assert measured["at_zero"]["regular"] is False
