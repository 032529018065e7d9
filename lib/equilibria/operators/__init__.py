"""Operators G(y, x), one file per case; they know nothing of solvers."""
