"""Values of a statement as one Arrow row, compared with PyArrow's own arrays."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from loader.db.adbc import parameters

_TIMES = st.datetimes(
    timezones=st.just(UTC) | st.integers(-14, 14).map(lambda n: timezone(timedelta(hours=n))),
    min_value=datetime(1, 1, 2),
    max_value=datetime(9999, 12, 30),
)
_KINDS = st.one_of(
    st.none().map(lambda value: (value, pa.large_string())),
    st.text().map(lambda value: (value, pa.large_string())),
    st.booleans().map(lambda value: (value, pa.bool_())),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (value, pa.int64())),
    st.floats(allow_nan=False).map(lambda value: (value, pa.float64())),
    _TIMES.map(lambda value: (value, pa.timestamp("us", "UTC"))),
)


@given(st.lists(_KINDS, min_size=1, max_size=30))
def test_parameters_are_what_pyarrow_makes_of_them(
    pairs: list[tuple[object, pa.DataType]],
) -> None:
    row = parameters([value for value, _ in pairs])  # type: ignore[misc]
    row.validate(full=True)
    expected = [pa.array([value], kind) for value, kind in pairs]
    assert row.schema.names == [f"${n}" for n in range(1, len(pairs) + 1)]
    assert row.columns == expected
    assert [column.type for column in row.columns] == [column.type for column in expected]


def test_nan_and_negative_zero_keep_their_bits() -> None:
    row = parameters([float("nan"), -0.0])
    not_a_number, zero = (column[0].as_py() for column in row.columns)
    assert math.isnan(not_a_number)
    assert math.copysign(1.0, zero) == -1.0
