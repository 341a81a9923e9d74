"""Why input is refused.

InputRefused (settings.errors)   4
├── NothingToLoad                   the path is missing, or nothing in it is named after a table
├── FileRefused                     one file is refused whole; the other files of the call still load
└── RepositoryDamaged               git cannot read a repository's history to its end
ConfigurationError (settings.errors)   3
├── GitNotInstalled                 there is no git command
├── CredentialsRefused              a server takes the token for nobody's, or lets it not see what is asked
├── NothingThere                    a server knows nothing of the name that the settings give
├── QueryRefused                    a server cannot answer the query that the settings give
└── MappingWrong                    a mapping cannot be read, or does not fit the export
StorageError (settings.errors)   7
└── InboxUnusable                   what webhooks told cannot be read or kept
SourceUnreachable (settings.errors)    5
├── RateLimited                     a server asks to wait for longer than is sensible
└── AnswerUnusable                  a server's answer is not what its description promises
"""

from __future__ import annotations

from shipcast.settings.errors import ConfigurationError, InputRefused, SourceUnreachable, StorageError


class NothingToLoad(InputRefused):
    title = "There is nothing to load"


class FileRefused(InputRefused):
    """One file that cannot be taken; `detail` leaves the file's name out, since the load record holds it beside."""

    title = "A file was refused"


class RepositoryDamaged(InputRefused):
    """Git gave up on a repository: an object is missing or damaged."""

    title = "The repository cannot be read"


class GitNotInstalled(ConfigurationError):
    title = "Git is not installed"


class CredentialsRefused(ConfigurationError):
    title = "The credentials were refused"


class NothingThere(ConfigurationError):
    title = "A source does not have what the settings name"


class QueryRefused(ConfigurationError):
    title = "A source refuses the query that the settings give"


class MappingWrong(ConfigurationError):
    title = "A mapping does not fit"


class RateLimited(SourceUnreachable):
    title = "A source asks to be left alone for a while"


class AnswerUnusable(SourceUnreachable):
    title = "A source's answer cannot be used"


class InboxUnusable(StorageError):
    title = "The inbox of webhooks cannot be used"
