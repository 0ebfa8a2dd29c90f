"""Speed and memory against boto3, as ratios: ``python -m tests.benchmarks``."""
