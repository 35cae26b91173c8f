"""What kiejobs costs, next to what people would use instead: `python -m benchmarks`."""
