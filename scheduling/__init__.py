"""From forecasts to a choice: candidate starts, what each would cost, and which to recommend."""
