from pathlib import Path

import pytest
from tfx.types.standard_artifacts import ModelBlessing

from components.blessing import NotBlessedError, check_blessing, write_blessing

FILES = {"blessed_file": "BLESSED", "not_blessed_file": "NOT_BLESSED"}


def test_blessed_passes(artifact):
    blessing = artifact(ModelBlessing)
    write_blessing(blessing, [], **FILES)
    check_blessing(blessing)
    assert [file.name for file in Path(blessing.uri).iterdir()] == ["BLESSED"]


def test_refused_stops_with_the_reasons(artifact):
    blessing = artifact(ModelBlessing)
    write_blessing(blessing, ["recall is low", "items are missing"], **FILES)
    assert [file.name for file in Path(blessing.uri).iterdir()] == ["NOT_BLESSED"]
    with pytest.raises(NotBlessedError, match=r"was not blessed: recall is low; items are missing"):
        check_blessing(blessing)


def test_nothing_said_is_not_blessed(artifact):
    with pytest.raises(NotBlessedError):
        check_blessing(artifact(ModelBlessing))
