"""What can be wrong with the ledger, or with an entry that is to be made.

StorageError (settings.errors)   7
└── LedgerBroken                    an entry is not as it was written
InputRefused (settings.errors)   4
└── EntryRefused                    it clashes with what is booked, or with the calendar
"""

from __future__ import annotations

from shipcast.settings.errors import InputRefused, StorageError


class LedgerBroken(StorageError):
    """An entry was changed or removed, so that nothing is said or booked on the ground of the others.

    Its facts: `file`, `number` (of the first broken entry; None: the head), `kind`.
    """

    title = "The ledger is broken"


class EntryRefused(InputRefused):
    """Nothing was recorded.

    Its facts: `conflicts`, what stands against it; of a booking `free` too, the start and the end at which nothing
    does, where that comes soon.
    """

    title = "Nothing was recorded"
