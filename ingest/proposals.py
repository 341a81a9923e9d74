"""What the services of a source may be called here, where their names are none that is deployed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from shipcast.ingest.headers import LIKENESS, LONGEST_COMPARED, clipped, letters

SHOWN = 6


def proposals(
    label: str, found: Iterable[str], deployed: Collection[str], before: str, behind: str = ""
) -> Iterator[str]:
    """A warning that names the services that are not deployed, and the entry that would name them; none, where all are.

    Nothing is said before anything is deployed, since any name may be right then.

    Parameters
    ----------
    found
        Services by the names that the source gives them.
    before, behind
        Where the names are to be written, and what stands around the pairs there.
    """
    unknown = sorted(set(found) - set(deployed)) if deployed else []
    if not unknown:
        return
    pairs = [(name, likeliest(name, deployed)) for name in unknown[:SHOWN]]
    said = ", ".join(clipped(name) for name, _ in pairs)
    more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
    entry = ", ".join(f"{json.dumps(clipped(name))} = {json.dumps(near)}" for name, near in pairs)
    yield (
        f"{label}: no deployment is of {said}{more}. If they are services under other names, say so in {before}{entry}"
        f'{behind} ("" leaves one out).'
    )


def likeliest(name: str, deployed: Iterable[str]) -> str:
    """The deployed service that a name most likely means; `...` where none comes near.

    >>> deployed = ["checkout", "pay", "payments"]
    >>> [likeliest(name, deployed) for name in ("Payments (prod)", "chekout", "Mail")]
    ['payments', 'checkout', '...']
    """
    spelt = {letters(service): service for service in deployed}
    given = letters(name[:LONGEST_COMPARED])
    within = [each for each in spelt if each and each in given]
    close = get_close_matches(given, spelt, n=1, cutoff=LIKENESS)
    for match in [max(within, key=len)] if within else close:
        return spelt[match]
    return "..."
