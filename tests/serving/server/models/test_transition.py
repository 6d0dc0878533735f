import pytest

from serving.server.errors import not_found
from serving.server.models.transition import State, VersionRecord, next_transition

UP = VersionRecord(State.AVAILABLE)
ENDED = VersionRecord(State.END)
FAILED = VersionRecord(State.END, not_found("gone"), failed_loads=1)
RETRY_AT_5 = VersionRecord(State.LOADING, failed_loads=1, retry_at_s=5.0)


@pytest.mark.parametrize(
    ("records", "aspired", "step"),
    [
        ({}, {1}, ("load", 1)),
        ({}, {1, 2}, ("load", 2)),
        ({2: UP}, {1, 2}, ("load", 1)),
        ({1: UP}, {1}, None),
        ({1: UP}, {2}, ("load", 2)),
        ({1: UP, 2: UP}, {2}, ("unload", 1)),
        ({1: UP, 2: UP}, {2, 3}, ("unload", 1)),
        ({2: UP}, {1}, ("load", 1)),
        ({1: UP, 2: UP}, set(), ("unload", 1)),
        ({1: UP, 2: FAILED}, {2}, None),
        ({1: UP, 2: FAILED}, {3}, ("load", 3)),
        ({1: ENDED}, {1}, ("load", 1)),
        ({1: UP, 2: RETRY_AT_5}, {2}, None),
        ({1: UP, 2: VersionRecord(State.LOADING, failed_loads=1, retry_at_s=4.0)}, {2}, ("load", 2)),
    ],
)
def test_next_transition(records, aspired, step):
    assert next_transition(records, aspired, now_s=4.0) == step
