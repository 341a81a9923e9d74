"""Why a home's storage cannot be used.

StorageError (settings.errors)   7
├── NothingPublished                no snapshot yet
├── NewerHome                       a later version of Shipcast wrote it: it is left as it is
└── TransformFailed                 a model or a test of the build (warehouse.transform)
"""

from __future__ import annotations

from shipcast.settings.errors import StorageError


class NothingPublished(StorageError):
    """No snapshot yet, or its file is gone."""

    title = "Nothing is published yet"


class NewerHome(StorageError):
    """The home has a format that this version does not know; nothing in it was touched."""

    title = "A newer version wrote this home"
