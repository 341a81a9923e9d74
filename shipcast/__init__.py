"""Shipcast: the shipping forecast for software."""
