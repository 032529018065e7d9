"""The case studies: what is trained, declared once, and what each notebook measures.

Notebooks and the command line share them. `training.records` says what
a study declares: `names`, `new`, `train`, and where it keeps records `evaluate_all` and `RECORDS`.
"""
