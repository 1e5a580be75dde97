"""The parts of the benchmarks of scoring services: what is asked, who answers, how it is started, driven and told."""
