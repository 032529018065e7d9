"""The named trainings and measurements of each case: which problem, operator, loss and settings, declared once.

Notebooks and `equilibria train` share them. A module has `names(profile)` and `train(name, *, profile, seed, minutes)`.
"""
