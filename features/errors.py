"""Why a feature cannot be had.

ConfigurationError (settings.errors)   3
└── FeatureFailed                          a feature of one's own breaks off, or gives no number for each row
    └── FeatureFileFailed                  the file of it is not there, breaks off, or takes a known name
ModelError (settings.errors)           8
└── FeatureMissing                         a model looks at a feature that nothing defines
"""

from __future__ import annotations

from shipcast.settings.errors import ConfigurationError, ModelError


class FeatureFailed(ConfigurationError):
    title = "A feature of one's own does not work"


class FeatureFileFailed(FeatureFailed):
    title = "A file of features is not usable"


class FeatureMissing(ModelError):
    title = "The model needs a feature that is not defined"
