"""How many examples the laws that are dear to run are tried on."""

import os

TIMES = float(os.environ.get("SHIPCAST_EXAMPLES", "1"))


def examples(number):
    """So many, or as many times that as SHIPCAST_EXAMPLES says."""
    return max(1, round(number * TIMES))
