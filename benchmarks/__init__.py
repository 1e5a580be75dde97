"""Benchmarks: each compares side by side with an alternative in one run, and reports ratios."""
