"""Sync windows as a server of Argo CD gives them, with the applications of their project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """An application, by what a window chooses it, and what it deploys where, by the names they have here.

    Parameters
    ----------
    namespace, server, cluster
        Where it deploys to: a namespace, and a cluster's address or its name; empty where it does not say.
    """

    name: str
    namespace: str
    server: str
    cluster: str
    service: str
    environment: str


@dataclass(frozen=True)
class SyncWindow:
    """A window of a project.

    Parameters
    ----------
    number
        Its place among the project's windows, from 0, as `argocd proj windows list` shows it.
    given
        By the keys of the API.
    applications
        All of the project that are known to deploy a service, whether or not the window is about them.
    """

    project: str
    number: int
    given: Mapping[str, Any]
    applications: tuple[Target, ...]
