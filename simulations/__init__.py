"""Does the gate keep what it promises? Thousands of holdouts made by chance, of which the truth is known.

`nox -s simulations` runs all and writes docs/simulations.md; the test suite runs a few seconds' worth of it.
"""
