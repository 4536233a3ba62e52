"""The benchmark suite: chainrule against NumPy, PyTorch, JAX, scikit-learn and Farias et al. (2022).

    work.py         what is to be trained, the same for every contestant
    contestants/    one file per formulation
    cases.py        W1 to W5, C1 and C2: which work, which contestants, which bar
    judge.py        the proof of equal work, against the float64 reference
    worker.py       one process per contestant; rounds.py plays them in turns
    growth*.py      W6: time and memory against members, width and samples
    lab.py          W7: the whole report
    record.py, table.py, picture.py, page.py    what came of it

Run it with ``make bench``.
"""
