import json
import math

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.errors import ServingError
from serving.server.rest.json_text import (
    encode,
    parse_object,
    shown,
    type_name,
    write_decimal,
    write_object,
    write_string,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.1), "0.1"),
        (np.float32(1), "1.0"),
        (np.float32(1 / 3), "0.333333343"),
        (np.float32(16777216), "16777216.0"),
        (np.float32(9e6), "9e+06"),
        (np.float32(3e-5), "3e-05"),
        (np.float32(-0.0), "-0.0"),
        (np.float64(0.1), "0.1"),
        (np.float64(1 / 3), "0.33333333333333331"),
        (np.float32(np.nan), "NaN"),
        (np.float64(-np.inf), "-Infinity"),
    ],
)
def test_decimals(value, text):
    assert write_decimal(value) == text


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False))
def test_a_float_reads_back(value):
    text = write_decimal(np.float32(value))
    assert np.float32(json.loads(text)) == np.float32(value)
    assert isinstance(json.loads(text), float)


@settings(deadline=None)
@given(st.floats(allow_nan=False))
def test_a_double_reads_back(value):
    assert json.loads(write_decimal(np.float64(value))) == value


@settings(deadline=None)
@given(st.binary())
def test_bytes_stay_as_they_are(value):
    written = encode(write_object({"s": write_string(value)}))
    try:
        text = value.decode()
    except UnicodeDecodeError:
        assert all(byte in written for byte in value if byte > 127)
    else:
        assert json.loads(written) == {"s": text}


def test_parses_numbers_that_are_not_finite_and_a_byte_order_mark():
    values = parse_object(b'\xef\xbb\xbf{"a": [NaN, -Infinity]}')["a"]
    assert math.isnan(values[0])
    assert values[1] == -math.inf


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b" ", "JSON Parse error: The document is empty. at offset: 1"),
        (b"{", "JSON Parse error: Missing a name for object member. at offset: 1"),
        (b'{"a"}', "JSON Parse error: Missing a colon after a name of object member. at offset: 4"),
        (b'{"a": x}', "JSON Parse error: Invalid value. at offset: 6"),
        (b'{"a": 1} 2', "JSON Parse error: The document root must not be followed by other values. at offset: 9"),
        (b'{"a": "\xff"}', "JSON Parse error: Invalid encoding in string. at offset: 7"),
        (
            b'{"a": "\\\\ud83d \\\\\\uD83D "}',
            "JSON Parse error: The surrogate pair in string is invalid. at offset: 17",
        ),
        (b'"\\udE00"', "JSON Parse error: The surrogate pair in string is invalid. at offset: 1"),
        (b"[" * 100_000, "JSON Parse error: Terminate parsing due to Handler error. at offset: 0"),
        (b'{"a": ' + b"1" * 5000 + b"}", "JSON Parse error: Terminate parsing due to Handler error. at offset: 0"),
        (b"[1]", "JSON Value: [\n    1\n] Is not object"),
    ],
)
def test_what_is_no_object(body, message):
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert (caught.value.code, caught.value.message) == (grpc.StatusCode.INVALID_ARGUMENT, message)


def test_a_pair_of_surrogates_is_a_character():
    assert parse_object(rb'{"a": "\ud83D\uDe00\ud83d\ude00"}') == {"a": "😀" * 2}


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_an_error(body):
    assert outcome(body) in (dict, grpc.StatusCode.INVALID_ARGUMENT)


def outcome(body):
    """Type of what was parsed, or the code of the refusal."""
    try:
        return type(parse_object(body))
    except ServingError as error:
        return error.code


def test_shown_values_are_cut():
    assert shown("a" * 2000) == '"' + "a" * 1023 + "..."


def test_type_names():
    assert [type_name(value) for value in (None, True, False, 1, 1.5, "a", [], {})] == [
        "Null",
        "True",
        "False",
        "Number",
        "Number",
        "String",
        "Array",
        "Object",
    ]
