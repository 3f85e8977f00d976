"""The digests were made with sha256sum from the canonical text beside them, never with the code."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.store.runs.fingerprint import canonical, compute_config_fingerprint


class Word(StrEnum):
    DAY = "1d"


class Level(IntEnum):
    LOW = 3


class Plain(Enum):
    PAIR = (1, 2)


GOLDEN = [
    ({}, "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    (
        {"c": "x", "b": 2.50, "a": 1},
        '{"a":1,"b":2.5,"c":"x"}',
        "61e9b6a8815ce536c6814702ea052ade4c1559d49b71150077f480e13cf48bdf",
    ),
    (
        {
            "provider": "yahoo",
            "interval": Word.DAY,
            "password": "hunter2",
            "columns": {"ts": "Date", "close": "Settle", "api_key": "k"},
            "since": date(2024, 1, 2),
            "until": datetime(2024, 6, 30, 14, 30, tzinfo=ZoneInfo("America/New_York")),
            "limits": (Decimal("0.010"), 1e2, -3),
        },
        '{"columns":{"close":"Settle","ts":"Date"},"interval":"1d","limits":[0.01,100,-3],'
        '"provider":"yahoo","since":"2024-01-02","until":"2024-06-30T18:30:00Z"}',
        "f6ff1bdcb1f190f9bcf7ef1874bbf8a43cafbb9611bfe97130f3c78c263a9be6",
    ),
    (
        {
            "symbols": {"MSFT", "AAPL"},
            "timeout": timedelta(milliseconds=1500),
            "zone": None,
            "strict": True,
            "name": 'Börse "X"',
        },
        '{"name":"Börse \\"X\\"","strict":true,"symbols":["AAPL","MSFT"],'
        '"timeout":1.5,"zone":null}',
        "84af1d962dc5785a01c865789b2ef6922a0d4caf3410e9501747d946c4533ea7",
    ),
    (
        {"url": "postgresql://loader:p@ss@db:5432/market?sslmode=require"},
        '{"url":"postgresql://db:5432/market?sslmode=require"}',
        "9870b2c6e1df0d14d0cb9768bd9fc053c27b68d70af9ec6e990c51e0b5864733",
    ),
]


@pytest.mark.parametrize(("config", "text", "digest"), GOLDEN)
def test_golden(config: dict[str, object], text: str, digest: str) -> None:
    assert canonical(config) == text
    assert compute_config_fingerprint(config) == digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1, "1"),
        (1.0, "1"),
        (Decimal("1.000"), "1"),
        (Decimal("1E+2"), "100"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (Decimal("0.10"), "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (1e23, "99999999999999991611392"),  # what the float is, to the last digit
        (Decimal("1234567890123456789012345678901.5"), "1234567890123456789012345678901.5"),
        (2**70, "1180591620717411303424"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (float("nan"), "NaN"),
        (Level.LOW, "3"),
        (Plain.PAIR, "[1,2]"),
        (datetime(2024, 1, 2, 3, 4, 5), '"2024-01-02T03:04:05"'),
        (datetime(2024, 1, 2, 3, 4, 5, 6, UTC), '"2024-01-02T03:04:05.000006Z"'),
        (datetime(2024, 1, 2, 1, tzinfo=timezone(timedelta(hours=5))), '"2024-01-01T20:00:00Z"'),
        (time(9, 30), '"09:30:00"'),
        (timedelta(days=-1), "-86400"),
        (timedelta(microseconds=1), "0.000001"),
        (timedelta.max, "86399999999999.999999"),
        (PurePosixPath("data/a b.csv"), '"data/a b.csv"'),
        (PureWindowsPath(r"data\a.csv"), '"data/a.csv"'),
        (frozenset({3, "b", "a", None}), '["a","b",3,null]'),
        ([{"b": 1, "a": [(), {}]}], '[{"a":[[],{}],"b":1}]'),
        (MappingProxyType({"é": "ü\n"}), '{"é":"ü\\n"}'),
        ({"z": 1, "Z": 2, "é": 3, "10": 4, "9": 5}, '{"10":4,"9":5,"Z":2,"z":1,"é":3}'),
    ],
)
def test_canonical_form(value: object, text: str) -> None:
    assert canonical(value) == text


def test_secrets_make_no_difference() -> None:
    config = {"provider": "polygon", "url": "https://data.example/v1?page=2"}
    secret = {
        "password": "a", "db_password": "b", "apiKey": "c", "X-Auth-Token": "d", "Secret": "e",
        "polygon_key": "f", "aws_secret_access_key": "g", "key": "h", "credentials": {"user": "i"},
        "provider": "polygon", "url": "https://me:pw@data.example/v1?page=2",
    }  # fmt: skip
    assert compute_config_fingerprint(secret) == compute_config_fingerprint(config)


def test_a_secret_in_a_text_makes_no_difference() -> None:
    def fingerprint(password: str) -> str:
        return compute_config_fingerprint(
            {"dsn": f"host=db password='a {password}' dbname=x", "s3": f"s3://b?token={password}"}
        )

    assert fingerprint("one") == fingerprint("another")


@pytest.mark.parametrize("key", ["primary_key", "key_columns", "sortKey", "keyboard", "monkey"])
def test_what_only_sounds_like_a_secret_counts(key: str) -> None:
    assert compute_config_fingerprint({key: 1}) != compute_config_fingerprint({key: 2})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"a": {"b": [1, object()]}}, r"config\.a\.b\[1\] is a object"),
        ({"a": b"x"}, r"config\.a is a bytes"),
        ({"a": {1: 2}}, r"config\.a has the key 1"),
        ([("a", 1)], "a configuration is a mapping, not list"),
    ],
)
def test_refuses_what_has_no_canonical_form(config: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        compute_config_fingerprint(config)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_equal_in_every_process(seed: str) -> None:
    program = (
        "from loader.store.runs.fingerprint import compute_config_fingerprint as f\n"
        "print(f({'symbols': {'MSFT', 'AAPL'}, 'timeout': 1.5, 'zone': None, 'strict': True,"
        " 'name': 'B\\u00f6rse \"X\"'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == GOLDEN[3][2]


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.decimals(allow_nan=False, places=6) | st.dates() | st.timedeltas()
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values), st.randoms())
def test_the_order_of_keys_does_not_count(config: dict[str, object], random: object) -> None:
    keys = list(config)
    random.shuffle(keys)  # type: ignore[attr-defined]
    shuffled = {key: config[key] for key in keys}
    assert compute_config_fingerprint(shuffled) == compute_config_fingerprint(config)


@given(st.floats(allow_nan=False, allow_infinity=False).map(float.__trunc__))
def test_equal_whole_numbers_are_one(number: int) -> None:
    assert float(number) == number
    assert canonical(number) == canonical(float(number)) == canonical(Decimal(number))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_can_be_read_back(number: float) -> None:
    assert float(canonical(number)) == number
