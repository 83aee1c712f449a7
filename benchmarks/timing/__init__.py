"""What `benchmarks.speed` is made of: cases, workers, counts and tables."""
