"""What `make test` asks of the libraries before anything imports them; to be imported first.

Every worker has a core of its own: matrices on several threads waited longer than they worked, and took twice the time.
"""

import gc
import os
import sys

from shipcast.__main__ import GARBAGE, ONE_THREAD

os.environ.update(ONE_THREAD, OMP_NUM_THREADS="1")
gc.set_threshold(GARBAGE)  # as a command does
# Hundreds of processes start: each would compile us anew, and each worker the assertions of every test.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
