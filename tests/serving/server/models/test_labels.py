import pytest

from serving.server.calls.servable import Servable
from serving.server.errors import ServingError
from serving.server.models.labels import VersionLabels
from serving.server.models.model_config import model_config
from serving.server.models.transition import State, VersionRecord
from serving.server.models.version_table import VersionTable


def table_of(*versions):
    table = VersionTable()
    for version in versions:
        table.record("half", version, VersionRecord(State.AVAILABLE, servable=Servable("half", version, {}, {}, None)))
    table.record("half", 9, VersionRecord(State.LOADING))
    return table


def labelled(**labels):
    model = model_config("half", "/models/half")
    for label, version in labels.items():
        model.version_labels[label] = version
    return [model]


def test_labels_stand_for_available_versions():
    labels = VersionLabels(table_of(1, 2))
    labels.assign(labelled(stable=1, canary=2))
    assert (labels.version("half", "stable"), labels.version("half", "canary")) == (1, 2)
    labels.assign(labelled(stable=2))
    assert labels.version("half", "stable") == 2
    for model, label in (("half", "canary"), ("other", "stable"), ("half", "")):
        with pytest.raises(ServingError, match=f"INVALID_ARGUMENT: Unrecognized servable version label: {label}"):
            labels.version(model, label)


def test_all_labels_or_none():
    labels = VersionLabels(table_of(1, 2))
    labels.assign(labelled(stable=1))
    message = "FAILED_PRECONDITION: Request to assign label to version 9 of model half, which is not currently"
    with pytest.raises(ServingError, match=message):
        labels.assign(labelled(stable=2, canary=9))
    assert labels.version("half", "stable") == 1


def test_an_unused_label_may_wait_for_its_version_if_allowed():
    labels = VersionLabels(table_of(1), allow_unavailable=True)
    labels.assign(labelled(stable=1, canary=9))
    labels.assign(labelled(stable=1, canary=9))
    assert labels.version("half", "canary") == 9
    with pytest.raises(ServingError, match="Request to assign label to version 9"):
        labels.assign(labelled(stable=9, canary=9))
