"""Whether the suite asks the real server too."""

import os

import pytest


def test_the_stock_server_is_there():
    if "TF_MODEL_SERVER" not in os.environ:
        pytest.skip("TF_MODEL_SERVER does not name a tensorflow_model_server: only the embedded server is asked")
    assert os.access(os.environ["TF_MODEL_SERVER"], os.X_OK)
