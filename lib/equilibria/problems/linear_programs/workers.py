"""Processes that solve programs beside each other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
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
    around its main part may call. They end with the process that called, whatever ends it.
    """
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork beside threads; these processes use none of the threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=_begin_worker)
        with pool:
            try:
                yield pool
            except BaseException:
                # after an error, or Ctrl-C, nobody waits for what is queued
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker that waits for work would not notice: the pipe is open in its siblings, too.
    parent = multiprocessing.parent_process()
    assert parent is not None  # workers have one
    parent.join()
    os._exit(1)
