"""What others send by themselves: kept at once, and turned into rows by the next run."""
