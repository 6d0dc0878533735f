import gzip
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.features import EncodedFeature, FeatureSpec, HistoryFeature
from trainer.data.input import parse_requests, read_item_table, read_requests

ITEM_IDS = (b"a", b"b", b"c", b"d", b"e")
FEATURES = FeatureSpec(
    history=(HistoryFeature("grade", cardinality=3),), history_size=3, list_size=4, ground_truth_stage=2
)
USER = EncodedFeature("user", 10, 4)


def example(**values: list) -> bytes:
    feature = {}
    for name, value in values.items():
        if not value:
            feature[name] = tf.train.Feature()
        elif isinstance(value[0], bytes):
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        elif isinstance(value[0], float):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        else:
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write(path: Path, examples: list[bytes]) -> list[str]:
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for serialized in examples:
            writer.write(serialized)
    return [str(path)]


def candidates(item_ids: bytes, stages: list[int], ranks: list[int] | None = None, **other: list) -> bytes:
    values = {
        "user": [7],
        "request_day": [19_000],
        "candidate_item_id": [bytes([item_id]) for item_id in item_ids],
        "candidate_stage": stages,
        "candidate_rank": ranks or [0] * len(stages),
    }
    return example(**{**values, **other})


def read(tmp_path: Path, *examples: bytes) -> dict[str, np.ndarray]:
    requests, _ = read_requests(write(tmp_path / "requests.gz", list(examples)), FEATURES, (USER,), ITEM_IDS)
    return requests


def test_history_keeps_the_latest_events(tmp_path):
    requests = read(
        tmp_path,
        candidates(b"a", [0], history_item_id=[b"a", b"b", b"?", b"d"], history_grade=[0, 1, 2, 9]),
        candidates(b"a", [0], history_item_id=[b"e"], history_grade=[-1]),
        candidates(b"a", [0]),
    )
    assert requests["history_item"].tolist() == [[2, 0, 4], [5, 0, 0], [0, 0, 0]]
    assert requests["history_where"].tolist() == [[True, True, True], [True, False, False], [False, False, False]]
    assert requests["history_grade"].tolist() == [[1, 2, 2], [0, 0, 0], [0, 0, 0]]
    assert requests["user"].tolist() == [7, 7, 7]
    assert requests["request_day"].tolist() == [19_000] * 3
    assert {name: values.dtype for name, values in requests.items()} == {
        "user": np.int32,
        "request_day": np.int32,
        "history_item": np.int32,
        "history_where": np.bool_,
        "history_grade": np.int32,
        "candidate_item": np.int32,
        "candidate_stage": np.int32,
        "where": np.bool_,
        "labels": np.float32,
        "ground_truth": np.bool_,
    }


def test_no_history_at_all_still_has_its_size(tmp_path):
    assert read(tmp_path, candidates(b"a", [0]))["history_item"].shape == (1, 3)


def test_labels_follow_stage_and_rank(tmp_path):
    requests = read(tmp_path, candidates(b"abc", [2, 2, 1], [2, 1, 0]), candidates(b"?d", [2, 2], [1, 0]))
    np.testing.assert_allclose(requests["labels"], [[2 + 1 / 3, 2 + 1 / 2, 1, 0], [0, 2, 0, 0]])
    assert requests["candidate_item"].tolist() == [[1, 2, 3, 0], [0, 4, 0, 0]]
    assert requests["candidate_stage"].tolist() == [[2, 2, 1, 0], [2, 2, 0, 0]]
    assert requests["where"].tolist() == [[True, True, True, False], [False, True, False, False]]
    assert requests["ground_truth"].tolist() == [[True, True, False, False], [False, True, False, False]]


def test_given_labels_win(tmp_path):
    requests = read(tmp_path, candidates(b"ab", [2, 1], candidate_label=[0.5, 4.0]), candidates(b"ab", [2, 1]))
    assert requests["labels"].tolist() == [[0.5, 4.0, 0, 0], [2, 1, 0, 0]]


def test_long_lists_keep_their_best_in_the_order_of_the_log(tmp_path):
    requests = read(tmp_path, candidates(b"a?bcde", [0, 2, 1, 2, 0, 1], [1, 1, 1, 1, 2, 2]))
    assert requests["candidate_item"].tolist() == [[1, 2, 3, 5]]
    assert requests["ground_truth"].tolist() == [[False, False, True, False]]


def test_requests_without_candidates_are_empty_lists(tmp_path):
    requests = read(tmp_path, example(user=[1], request_day=[19_000]))
    assert requests["candidate_item"].tolist() == [[0, 0, 0, 0]]
    assert not requests["where"].any()


@pytest.mark.parametrize(
    ("serialized", "name"),
    [
        (candidates(b"ab", [0, 1], [1]), "candidate_rank"),
        (candidates(b"ab", [0]), "candidate_stage"),
        (candidates(b"ab", [0, 1], candidate_label=[1.0]), "candidate_label"),
        (candidates(b"a", [0], history_item_id=[b"a"], history_grade=[1, 2]), "history_grade"),
    ],
)
def test_lists_that_do_not_fit_are_named(tmp_path, serialized, name):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"`{name}` must have one value for each of"):
        read(tmp_path, serialized)


def test_items_that_the_catalogue_lacks_are_counted_before_any_cut(tmp_path):
    examples = [
        candidates(b"a?bcde", [0, 2, 1, 2, 0, 1], history_item_id=[b"?", b"a", b"b", b"!"], history_grade=[0] * 4),
        candidates(b"?b", [0, 1]),
    ]
    _, misses = read_requests(write(tmp_path / "requests.gz", examples), FEATURES, (USER,), ITEM_IDS)
    assert misses == CatalogueMisses(8, 2, 4, 2)
    assert str(misses) == "2 of 8 candidates and 2 of 4 history items are not in the catalogue"
    assert misses + misses == CatalogueMisses(16, 4, 8, 4)


@pytest.mark.parametrize(
    ("misses", "any_missed"),
    [((5, 0, 3, 0), False), ((5, 1, 3, 0), True), ((5, 0, 3, 1), True)],
)
def test_misses_are_true_if_any_item_is_missed(misses, any_missed):
    assert bool(CatalogueMisses(*misses)) == any_missed


def test_files_are_read_in_turns_and_each_time_in_the_same_order(tmp_path):
    files = []
    for number, users in enumerate([range(1500), range(1500, 1503), range(1503, 3000)]):
        files += write(tmp_path / f"{number}.gz", [candidates(b"a", [0], user=[user]) for user in users])
    expected = [*range(1024), *range(1500, 1503), *range(1503, 2527), *range(1024, 1500), *range(2527, 3000)]
    for _ in range(2):
        requests, misses = read_requests(files, FEATURES, (USER,), ITEM_IDS)
        assert requests["user"].tolist() == expected
    assert misses.num_candidates == 3000
    sizes = [part.num_bytes for part in parse_requests(files, FEATURES, (USER,), ITEM_IDS)]
    assert sum(sizes) == sum(len(gzip.decompress(Path(file).read_bytes())) for file in files)


def test_no_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"The requests must be at least one. Received: none in"):
        read(tmp_path)


def test_item_table_is_ordered_by_item_id(tmp_path):
    category, length = EncodedFeature("category", 4, 2), EncodedFeature("length", 3, 2)
    files = write(
        tmp_path / "items.gz",
        [example(item_id=[b"b"], category=[0], length=[2]), example(item_id=[b"a"], category=[1], length=[0])],
    )
    table = read_item_table(files, (category, length))
    assert table.item_ids == (b"a", b"b")
    assert table.encoded.tolist() == [[3, 2], [1, 0], [0, 2]]


def test_bad_catalogues_are_refused(tmp_path):
    twice = write(tmp_path / "twice.gz", [example(item_id=[b"a"]), example(item_id=[b"a"])])
    with pytest.raises(ValueError, match=r"An item is in the catalogue once. Received `item_id` 'a' twice"):
        read_item_table(twice, ())
    with pytest.raises(ValueError, match=r"The catalogue must hold at least one item"):
        read_item_table(write(tmp_path / "none.gz", []), ())
