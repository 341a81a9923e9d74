"""Many requests at once: each gets a start or is deferred at a price, at the least total.

It knows nothing of calendars, forecasts or files: prices, rules, capacities and reserves come as arrays and numbers.
"""
