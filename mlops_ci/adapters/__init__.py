"""The only input and output: one file for each outside system."""
