"""Why a feature cannot be had.

ConfigurationError (settings.errors)   3
└── FeatureFileFailed                      a file of one's own features is not there, breaks off, or takes a known name
ModelError (settings.errors)           8
└── FeatureMissing                         a model looks at a feature that nothing defines
"""

from __future__ import annotations

from shipcast.settings.errors import ConfigurationError, ModelError


class FeatureFileFailed(ConfigurationError):
    title = "A file of features is not usable"


class FeatureMissing(ModelError):
    title = "The model needs a feature that is not defined"
