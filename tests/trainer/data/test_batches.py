import numpy as np
import pytest
import tensorflow as tf

from trainer.data.batches import RequestBatches

REQUESTS = {"candidate_item": np.zeros([10, 2], np.int32), "user": np.arange(10)}


def users(batches: RequestBatches, epoch: int = 0, first_step: int = 0) -> list[list[int]]:
    return [batch["user"].numpy().tolist() for batch in batches.epoch(epoch, first_step)]


def test_without_a_seed_the_order_is_that_of_the_requests():
    batches = RequestBatches(REQUESTS, 4)
    assert users(batches, epoch=3) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (batches.num_requests, batches.num_steps) == (10, 3)


def test_each_epoch_holds_every_request_once_in_an_order_of_its_own():
    batches = RequestBatches(REQUESTS, 4, shuffle_seed=1)
    first, second = (np.concatenate(users(batches, epoch)).tolist() for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert np.concatenate(users(RequestBatches(REQUESTS, 4, shuffle_seed=2))).tolist() != first


@pytest.mark.parametrize("first_step", [0, 1, 2, 3])
def test_an_epoch_goes_on_at_any_step(first_step):
    again = RequestBatches(REQUESTS, 4, shuffle_seed=1)
    assert users(again, 5, first_step) == users(RequestBatches(REQUESTS, 4, shuffle_seed=1), 5)[first_step:]


def test_requests_of_a_step_are_known_without_running_through_the_epoch():
    batches = RequestBatches(REQUESTS, 4, shuffle_seed=1)
    assert [batches.indices(2, step).tolist() for step in range(3)] == users(batches, 2)


def test_in_chronological_order_each_day_is_shuffled_on_its_own():
    days = np.array([3, 1, 2, 1, 3, 2, 1, 3, 2, 1])
    batches = RequestBatches(REQUESTS | {"request_day": days}, 4, shuffle_seed=1, order="chronological")
    first, second = (np.concatenate(users(batches, epoch)) for epoch in (0, 1))
    assert days[first].tolist() == days[second].tolist() == sorted(days)
    assert first.tolist() != second.tolist()
    assert set(batches.element_spec) == set(REQUESTS)


def test_the_order_is_the_permutation_of_the_epoch():
    batches = RequestBatches(REQUESTS, 4, shuffle_seed=1)
    order = np.random.default_rng([1, 2]).permutation(10).tolist()
    assert users(batches, 2) == [order[:4], order[4:8], order[8:]]


def test_columns_may_be_views_of_records_on_the_disk(tmp_path):
    records = np.zeros(10, [("user", np.int64), ("candidate_item", np.int32, 2), ("where", bool, 2), ("label", "f4")])
    records["user"] = np.arange(10)
    records["candidate_item"] = np.arange(20).reshape(10, 2)
    records["where"] = records["candidate_item"] % 3 == 0
    records["label"] = np.arange(10) / 2
    records.tofile(tmp_path / "records")
    mapped = np.memmap(tmp_path / "records", records.dtype, "r")
    batches = RequestBatches({name: mapped[name] for name in records.dtype.names}, 4, shuffle_seed=1)
    assert batches.element_spec == {
        "user": tf.TensorSpec([None], tf.int64),
        "candidate_item": tf.TensorSpec([None, 2], tf.int32),
        "where": tf.TensorSpec([None, 2], tf.bool),
        "label": tf.TensorSpec([None], tf.float32),
    }
    dataset = batches.epoch(3, 1)
    assert dataset.element_spec == batches.element_spec
    for step, batch in enumerate(dataset, start=1):
        for name, values in batch.items():
            np.testing.assert_array_equal(values, records[name][batches.indices(3, step)], strict=True)
