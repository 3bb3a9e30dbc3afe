"""Where a run or a step stands: over tasks, threads, forks and, by W3C headers, processes."""
