"""Sources that are asked over HTTP: one connector each, one polite client, one way in."""
