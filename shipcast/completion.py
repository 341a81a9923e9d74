"""What a shell offers for completion: metrics, keys, models, and the names that the published data knows.

Whatever goes wrong offers nothing, since a shell has no place for an error.
"""

from __future__ import annotations

from typing import Any

import typer

NAMES = {
    "service": "select service from dim_services order by 1",
    "environment": "select environment from dim_environments order by 1",
    "team": "select distinct team from dim_services where team is not null order by 1",
}


def metrics(incomplete: str) -> list[str]:
    from shipcast.answers.metric_figures import METRICS

    return beginning(METRICS, incomplete)


def keys(incomplete: str) -> list[str]:
    from shipcast.answers.metrics import KEYS

    return beginning(KEYS, incomplete)


def models(incomplete: str) -> list[str]:
    from shipcast.models.candidates import CANDIDATES

    return beginning(CANDIDATES, incomplete)


def services(context: typer.Context, incomplete: str) -> list[str]:
    return beginning(known(context, "service"), incomplete)


def environments(context: typer.Context, incomplete: str) -> list[str]:
    return beginning(["production", *known(context, "environment")], incomplete)


def teams(context: typer.Context, incomplete: str) -> list[str]:
    return beginning(known(context, "team"), incomplete)


def beginning(names: Any, incomplete: str) -> list[str]:
    """The names that begin so, once each; those that would do something to a terminal are left out."""
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and name.isprintable()]


def known(context: typer.Context, kind: str) -> list[str]:
    """The names of a kind in the published data of the home that the words typed so far name."""
    from shipcast.settings import load_settings
    from shipcast.warehouse.snapshot import open_current

    home = context.params.get("home") or context.find_root().params.get("home")
    try:
        settings = load_settings({"home": home})
        connection = open_current(settings.home, settings)
        try:
            return [name for (name,) in connection.execute(NAMES[kind]).fetchall()]
        finally:
            connection.close()
    except Exception:
        return []
