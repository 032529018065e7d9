"""The case studies: what is trained, declared once, and what each notebook measures.

Notebooks and the command line share them. A study has ``names(profile)`` and
``train(name, *, profile, seed, minutes)``.
"""
