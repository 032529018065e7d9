"""Processes that solve programs beside each other."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

__all__ = ["SMALL", "worker_pool"]

SMALL = 64  # programs that one process solves sooner than a pool starts


@contextmanager
def worker_pool() -> Iterator[ProcessPoolExecutor]:
    """One process per core, for work that needs NumPy and HiGHS alone.

    The processes are forked where the system can, so that a notebook or a script without a guard
    around its main part may call.
    """
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside threads; these processes use none of the threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            yield pool
