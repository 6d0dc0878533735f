"""What a declaration of features refuses."""

import re

import pytest

from serving import signatures
from trainer.data.features import (
    RESERVED,
    Categorical,
    FeatureSpec,
    Hashed,
    HistoryFeature,
    Numeric,
    Timestamp,
)
from trainer.data.request_batch import REQUEST_DAY, empty_batch
from trainer.global_batch import NUM_REQUESTS, PLACE


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: Categorical("user", "float"),
            "`dtype` of the categorical feature `user` must be 'string' or 'int64'. Received: dtype='float'",
        ),
        (
            lambda: Categorical("user", min_count=0),
            "`min_count` of the categorical feature `user` must be at least 1. Received: min_count=0",
        ),
        (
            lambda: Categorical("user", max_vocabulary=0),
            "`max_vocabulary` of the categorical feature `user` must be at least 1. Received: max_vocabulary=0",
        ),
        (
            lambda: Hashed("user", "float"),
            "`dtype` of the hashed feature `user` must be 'string' or 'int64'. Received: dtype='float'",
        ),
        (
            lambda: Hashed("user", num_buckets=1),
            "`num_buckets` of the hashed feature `user` must be at least 2. Received: num_buckets=1",
        ),
        (
            lambda: Numeric("age", "string"),
            "`dtype` of the numeric feature `age` must be 'int64' or 'float'. Received: dtype='string'",
        ),
        (
            lambda: Numeric("age", num_buckets=1),
            "`num_buckets` of the numeric feature `age` must be at least 2. Received: num_buckets=1",
        ),
        (
            lambda: Timestamp("at", embedding_dim=0),
            "`embedding_dim` of the timestamp feature `at` must be at least 1. Received: embedding_dim=0",
        ),
        (
            lambda: HistoryFeature("grade", 0),
            "`cardinality` of the history feature `grade` must be at least 1. Received: cardinality=0",
        ),
    ],
)
def test_what_cannot_be_encoded_is_refused(declare, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        declare()


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_of_the_request_itself_cannot_be_taken(name):
    with pytest.raises(ValueError, match=f"`name` of a feature of `request` must not be '{name}'"):
        FeatureSpec(request=(Categorical(name),))


@pytest.mark.parametrize("name", ["item", "item_id", "where", "hidden"])
def test_names_of_the_history_itself_cannot_be_taken(name):
    with pytest.raises(ValueError, match=f"`name` of a history feature must not be '{name}'"):
        FeatureSpec(history=(HistoryFeature(name, 3),))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"request": (Categorical("tab"), Numeric("tab"))}, "The features of `request` .*Received: 'tab' 2 times"),
        ({"request": (Categorical("at_hour"), Timestamp("at"))}, "Received: 'at_hour' 2 times"),
        ({"item": (Timestamp("at"), Categorical("at_weekday"))}, "The features of `item` .*'at_weekday' 2 times"),
        (
            {"item": (Categorical("item_id"),)},
            "of `item` must not be 'item_id', which an item itself has",
        ),
        ({"item": (Categorical(""),)}, "`name` of a feature of `item` must not be empty"),
        ({"history": (HistoryFeature("a", 2), HistoryFeature("a", 3))}, "The features of `history` .*'a' 2 times"),
        (
            {"request": (Categorical("history_grade"),), "history": (HistoryFeature("grade", 3),)},
            "`name` of a feature of `request` must not be 'history_grade'",
        ),
        ({"request": (Categorical("filter_tab"),)}, "`name` of a request feature must not start with 'filter_' or "),
    ],
)
def test_names_that_clash_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        FeatureSpec(**spec)


def test_a_request_and_an_item_may_have_features_of_one_name():
    assert FeatureSpec(request=(Categorical("city"),), item=(Categorical("city"),)).item[0].name == "city"


def test_all_that_a_batch_and_a_call_hold_is_reserved():
    batch = {*empty_batch(FeatureSpec(), ()), REQUEST_DAY, PLACE, NUM_REQUESTS}
    names = ("HISTORY_ITEM_ID", "CANDIDATE_ITEM_ID", "CANDIDATE_STAGE", "CANDIDATE_RANK", "EXCLUDE_ITEM_ID")
    call = {getattr(signatures, name) for name in (*names, "EXAMPLES", "K")}
    assert batch | call <= RESERVED
