"""Which connector reads which kind of source, and the site that it asks."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from pydantic import SecretStr

from shipcast.ingest.errors import CredentialsRefused
from shipcast.ingest.remote.listing import Connector, Recall
from shipcast.ingest.remote.site import PATIENCE, Patience, Site
from shipcast.settings.addresses import is_open
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.sources import Remote

Progress = Callable[[str], None]
CONNECTORS = {
    "github": "Github",
    "gitlab": "Gitlab",
    "pagerduty": "Pagerduty",
    "prometheus": "Prometheus",
    "argocd": "Argocd",
    "jenkins": "Jenkins",
}


def connector(source: Remote, recall: Recall, progress: Progress, patience: Patience = PATIENCE) -> Connector:
    """What reads a source of that kind.

    Raises
    ------
    ConfigurationError
        The token that it needs is nowhere.
    """
    module = import_module(f"shipcast.ingest.remote.{source.kind}")
    made: Connector = getattr(module, CONNECTORS[source.kind])(source, site_of(source, progress, patience), recall)
    made.sieve.cleaned = made.site.cleaned
    return made


def token_of(source: Remote) -> SecretStr | None:
    """The source's token; None: it has none and needs none.

    Raises
    ------
    CredentialsRefused
        It needs one.
    """
    found = source.token()
    if found is None and source.needs_token:
        raise CredentialsRefused(
            f"{source.label}: the variable {source.variable} is not set, and the source needs a token.",
            next_step=f"export {source.variable}=..., or name another by token_env, or a file by token_file.",
        )
    return found


def site_of(source: Remote, progress: Progress, patience: Patience) -> Site:
    """The site of a source; how the token is shown, its connector says by `Site.carry`.

    Raises
    ------
    ConfigurationError
        Its token is missing, or others could read it on the way.
    """
    where, token = f"the token in {source.token_file or source.variable}", token_of(source)
    if token is not None and is_open(source.url) and not source.plain_http:
        raise ConfigurationError(
            f"{source.label}: its address begins with http://, so that others could read {where} on the way; nothing "
            "was sent.",
            next_step="Write https://; or, within a network that you trust, plain_http = true in its entry "
            "(--with plain_http=true).",
        )
    return Site(source.label, source.url, token, where, patience=patience, progress=progress)
