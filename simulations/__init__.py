"""Do gate and rollouts keep what they promise? Holdouts and rollouts made by chance, of which the truth is known.

`nox -s simulations` runs all and writes docs/simulations.md and docs/rollout-simulations.md; the test suite runs a few
seconds' worth of it.
"""
