"""Whoever trains cannot read test data, however it is reached."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from equilibria.splits import SplitError, no_test_data, reading_test_data, trains


def read():
    reading_test_data("the test flows")
    return 1


@trains
def train(reader=read):
    return reader()


def test_a_training_that_reads_test_data_fails_by_name():
    with pytest.raises(SplitError, match=r"test_splits\.train asked for the test flows"):
        train()
    assert read() == 1, "the ban ends with the training"
    assert train(lambda: 2) == 2


def test_the_ban_holds_for_validation_inside_of_a_training():
    with no_test_data("a training"), pytest.raises(SplitError):
        read()


def test_the_ban_holds_in_every_thread():
    with no_test_data("a training"), ThreadPoolExecutor(1) as pool, pytest.raises(SplitError):
        pool.submit(read).result()


def test_a_generator_cannot_be_marked():
    def generator():
        yield read()

    with pytest.raises(TypeError, match="generator"):
        trains(generator)
