"""Index configurations that are refused."""

import pytest

from trainer.config.index import IndexConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "hnsw"}, r"`kind` must be one of \('exact', 'ivf', 'scann'\). Received: kind='hnsw'"),
        ({"num_leaves": 0}, "`num_leaves` must be positive. Received: num_leaves=0"),
        ({"num_probed_leaves": 0}, "`num_probed_leaves` must be positive. Received: num_probed_leaves=0"),
        ({"num_projected_dims": -1}, "`num_projected_dims` must be positive. Received: num_projected_dims=-1"),
        ({"rerank_factor": 0}, "`rerank_factor` must be positive. Received: rerank_factor=0"),
        ({"filters": ("tag", "tag")}, r"`filters` must be distinct. Received: filters=\('tag', 'tag'\)"),
    ],
)
def test_it_names_the_field(fields, message):
    with pytest.raises(ValueError, match=message):
        IndexConfig(**fields)
