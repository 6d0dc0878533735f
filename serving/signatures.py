"""Names of the models, signatures and tensors of a release, shared by exporter, server and client."""

RETRIEVAL = "retrieval"
CASCADE = "cascade"

RETRIEVE = "retrieve"
RETRIEVE_EXAMPLES = "retrieve_examples"
SCORE = "score"
SCORE_EXAMPLES = "score_examples"
RECOMMEND = "recommend"
RECOMMEND_EXAMPLES = "recommend_examples"

EXAMPLES = "examples"
K = "k"
REQUEST_ID = "request_id"
USER_ID = "user_id"
REQUEST_TIME_MS = "request_time_ms"
EXCLUDE_ITEM_ID = "exclude_item_id"
HISTORY_ITEM_ID = "history_item_id"
CANDIDATE_ITEM_ID = "candidate_item_id"
CANDIDATE_STAGE = "candidate_stage"
CANDIDATE_RANK = "candidate_rank"

NUM_PROBED_LEAVES = "num_probed_leaves"
FILTER_PREFIX = "filter_"

ITEM_ID = "item_id"
SCORES = "score"

LOWEST_SCORE = -3.4028234663852886e38
"""Lowest float32: score of padding and of items that the catalogue lacks."""


def filter_input(feature: str) -> str:
    """Returns the name of the input that filters by an item feature."""
    return FILTER_PREFIX + feature
