from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts

from components.strict_example_validator.executor import Executor
from sources.reading import DataError

SCHEMA = """
feature { name: "age" type: INT presence { min_fraction: 1.0 } shape { dim { size: 1 } }
  int_domain { min: 0 max: 120 } }
feature { name: "user_id" type: BYTES presence { min_fraction: 1.0 } shape { dim { size: 1 } } }
"""
GOOD = {"age": [30, 40], "user_id": ["u1", "u2"]}


@pytest.fixture
def validate(artifact, execute):
    def validate(**splits):
        statistics = artifact(standard_artifacts.ExampleStatistics, splits)
        for split, columns in splits.items():
            folder = Path(statistics.uri) / f"Split-{split}"
            folder.mkdir()
            computed = tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))
            (folder / "FeatureStats.pb").write_bytes(computed.SerializeToString())
        schema = artifact(standard_artifacts.Schema)
        (Path(schema.uri) / "schema.pbtxt").write_text(SCHEMA)
        anomalies = artifact(standard_artifacts.ExampleAnomalies)
        execute(Executor, {"statistics": statistics, "schema": schema}, {"anomalies": anomalies}, exclude_splits="[]")
        return anomalies

    return validate


def test_good_data_pass(validate):
    assert Path(validate(train=GOOD, eval=GOOD).uri, "Split-eval", "SchemaDiff.pb").exists()


def test_anomaly_names_feature_and_split_and_stays_readable(validate):
    with pytest.raises(DataError) as caught:
        validate(train=GOOD, eval={**GOOD, "age": [30, 400]})
    message, _, folder = str(caught.value).partition(" Anomalies: ")
    assert message.startswith("The data breaks its schema: feature `age` in split 'eval': ")
    assert "400" in message
    assert "train" not in message
    assert Path(folder).parent.name == "refused"
    anomalies = anomalies_pb2.Anomalies.FromString(Path(folder, "Split-eval", "SchemaDiff.pb").read_bytes())
    assert list(anomalies.anomaly_info) == ["age"]


def test_missing_and_new_features(validate):
    with pytest.raises(DataError, match=r"feature `device` in split 'train': .*; feature `user_id` in split 'train': "):
        validate(train={"age": [1, 2], "device": ["a", "b"]})
