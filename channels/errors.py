"""Why a message did not get through.

SourceUnreachable (settings.errors)    5
└── ChannelUnreachable              there is no answer, or the server cannot take it now
ConfigurationError (settings.errors)   3
└── ChannelRefuses                  the server takes no such message, or lets nobody in by what it was shown

A fact of both is `pause`: the seconds that the server asks to wait; None: it asks for none. No words repeat an address,
nor what the server said, either of which may hold a secret.
"""

from __future__ import annotations

from shipcast.settings.errors import ConfigurationError, SourceUnreachable


class ChannelUnreachable(SourceUnreachable):
    title = "A channel cannot be reached"


class ChannelRefuses(ConfigurationError):
    title = "A channel refuses what it is sent"
