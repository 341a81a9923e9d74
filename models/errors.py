"""Why a trained model cannot be kept or served.

ModelError (settings.errors)     8
├── ModelMissing                    its file, or the list of champions, is gone, or there is none to go back to
├── ModelDamaged                    its file, or the list of champions, is not what was written
├── NotServable                     what was trained cannot be kept so that it is read again safely
├── NewerModel                      a later version of Shipcast wrote it
├── OlderModel                      an earlier version wrote it, in a form that is no longer read
└── StoreUnusable                   MLflow cannot read or write its store; what is served does not depend on it
UsageError (settings.errors)     2
└── EstimatorFailed                 an estimator of one's own is none, breaks off, or gives no chances
"""

from __future__ import annotations

from shipcast.settings.errors import ModelError, UsageError


class ModelMissing(ModelError):
    title = "The model is missing"


class ModelDamaged(ModelError):
    title = "The model is damaged"


class NotServable(ModelError):
    title = "This model cannot be kept"


class NewerModel(ModelError):
    title = "A newer version wrote this model"


class OlderModel(ModelError):
    title = "An older version wrote this model"


class EstimatorFailed(UsageError):
    title = "An estimator of one's own does not work"


class StoreUnusable(ModelError):
    title = "The record of trained models is not usable"
