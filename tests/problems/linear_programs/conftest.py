"""The programs that these tests share."""

import pytest
from equilibria.problems import linear_programs as lp


@pytest.fixture(scope="session")
def programs():
    return lp.generate(24, seed=3, progress=False)
