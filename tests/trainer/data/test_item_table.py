import dataclasses

import numpy as np
import pytest

from trainer.data.features import EncodedFeature
from trainer.data.item_table import ItemTable

FEATURES = (EncodedFeature("category", 3, 4),)


def test_a_table_cannot_be_changed():
    encoded = np.array([[0], [1], [2]])
    table = ItemTable([b"a", b"b"], encoded, FEATURES)
    encoded[1] = 0
    assert table.num_items == 2
    assert table.item_ids == (b"a", b"b")
    assert table.encoded.dtype == np.int32
    assert table.encoded.tolist() == [[0], [1], [2]]
    with pytest.raises(ValueError, match="read-only"):
        table.encoded[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.item_ids = ()


@pytest.mark.parametrize(
    ("item_ids", "encoded", "message"),
    [
        ([], [[0]], "`item_ids` must hold at least one item. Received: none"),
        ([b"a", b"a"], [[0]] * 3, "`item_ids` must be distinct. Received: 2 ids, 1 of them distinct"),
        ([b"a"], [[0]], r"shape \[num_items \+ 1, num_features\] = \[2, 1\]. Received: \[1, 1\]"),
        ([b"a"], [[0], [3]], r"must hold ids in \[0, 3\) for `category`. Received: 0 to 3"),
        ([b"a"], [[-1], [0]], r"must hold ids in \[0, 3\) for `category`. Received: -1 to 0"),
    ],
)
def test_bad_tables(item_ids, encoded, message):
    with pytest.raises(ValueError, match=message):
        ItemTable(item_ids, np.array(encoded), FEATURES)
