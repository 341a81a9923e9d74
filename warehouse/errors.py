"""Why a home's storage cannot be used.

StorageError (settings.errors)   7
├── NothingPublished                no snapshot yet
├── NewerHome                       a later version of Shipcast wrote it: it is left as it is
├── DamagedFile                     bytes of it have changed or are missing
├── OutOfSpace                      the disk is full, or a quota is used up
├── TooLittleMemory                 the memory allowed does not do
├── BackupRefused                   a backup cannot be made or restored as asked
└── TransformFailed                 a model or a test of the build (warehouse.transform)
"""

from __future__ import annotations

from shipcast.settings.errors import StorageError


class NothingPublished(StorageError):
    """No snapshot yet."""

    title = "Nothing is published yet"


class NewerHome(StorageError):
    """The home has a format that this version does not know; nothing in it was touched."""

    title = "A newer version wrote this home"


class DamagedFile(StorageError):
    title = "A file is damaged"


class OutOfSpace(StorageError):
    title = "No space is left"


class TooLittleMemory(StorageError):
    title = "The memory does not do"


class BackupRefused(StorageError):
    title = "That is no backup to make or restore"
