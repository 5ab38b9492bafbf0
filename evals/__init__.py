"""Is it good? Cases, evaluators and benchmarks."""
