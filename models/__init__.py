"""Three forecasts of one shape: fit, draws, describe. Draws carry the uncertainty, and are the same at every run."""
