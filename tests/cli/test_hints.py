"""The next step that an error names is one that helps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ran, environment
from tests.support.granted import granted
from tests.support.sql import fetch

Mdload = Callable[..., Ran]
HEAD = "ts,symbol,open,high,low,close\n"
ROWS = "2024-01-02T00:00:00Z,AAA,1,2,0.5,1.5\n"


@pytest.mark.parametrize(
    ("encoding", "text", "first", "among"),
    [
        (
            "gb18030",
            "日期,代码,开盘价,最高,最低,收盘\n2024-01-02,平安银行,1,2,1,1\n",
            "GB18030",
            "",
        ),
        ("shift_jis", "日付,銘柄,始値\n2024-01-02,トヨタ,1\n", "", "SHIFT_JIS (Japanese)"),
        ("euc_kr", "날짜,종목,시가\n2024-01-02,삼성전자,1\n", "", "EUC-KR (Korean)"),
        ("cp1251", "Дата,Тикер,Открытие\n2024-01-02,Газпром,1\n", "WINDOWS-1251", ""),
        ("cp1252", "Date,Clôture,Société\n2024-01-02,1,Été\n", "WINDOWS-1252", ""),
    ],
)
def test_text_in_another_encoding(
    forked: Mdload, tmp_path: Path, encoding: str, text: str, first: str, among: str
) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    ran = forked("inspect", "a.csv")
    assert ran.code == 3
    said = " ".join(ran.err.split())
    assert "a.csv is not UTF-8: byte " in said
    assert f"iconv -f {first}" in said
    assert among in said


@pytest.mark.parametrize(("encoding", "name"), [("utf-16-le", "LE"), ("utf-16-be", "BE")])
def test_utf_16_without_its_mark(forked: Mdload, tmp_path: Path, encoding: str, name: str) -> None:
    (tmp_path / "a.csv").write_bytes((HEAD + ROWS).encode(encoding))
    ran = forked("inspect", "a.csv")
    assert ran.code == 3
    assert f"a.csv is text in UTF-16{name} without the mark that says so" in ran.err
    assert f"hint: convert it: iconv -f UTF-16{name} -t UTF-8 'a.csv'" in ran.err


def test_a_schema_that_the_role_may_not_use(forked: Mdload, database_url: str) -> None:
    with granted(database_url) as url:
        for command in (("coverage",), ("job-runs", "list")):
            ran = forked(*command, env={"MDLOAD_DATABASE_URL": url("stranger")})
            assert ran.code == 5
            assert "the role 'stranger' may not use the schema 'public'" in ran.err
            assert 'hint: GRANT USAGE ON SCHEMA public TO "stranger"' in ran.err
            assert "migrate" not in ran.err


@pytest.mark.parametrize(
    ("url", "shown", "meant"),
    [
        ("postgresql://me@h/db?sslmod=require", "sslmod", "sslmode"),
        ("host=h passwrd=secret-word", "passwrd", "password"),
        ("postgresql://me@h/db?zz=secret-word", "", ""),
    ],
)
def test_a_misspelt_parameter_of_a_url(forked: Mdload, url: str, shown: str, meant: str) -> None:
    ran = forked("--database", url, "coverage")
    assert ran.code == 2
    assert "secret-word" not in ran.err
    if shown:
        assert f"--database has a parameter {shown!r}, which PostgreSQL does not know" in ran.err
        assert f"hint: is it {meant}?" in ran.err
    else:
        assert "is not a PostgreSQL URL" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("files", [8, 12, 20, 24, 32, 64])
def test_few_file_descriptors(database_url: str, home: Path, tmp_path: Path, files: int) -> None:
    import resource

    for number in range(6):
        (tmp_path / f"{number}.csv").write_text(HEAD + ROWS.replace("AAA", f"A{number}"))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    ran = subprocess.run(
        [sys.executable, "-m", "loader", "backfill", tmp_path, "--provider=p", "--interval=1m",
         "--workers=6"],
        env=environment(home, {"MDLOAD_DATABASE_URL": database_url})
        | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2])])},
        preexec_fn=limited, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    stored = fetch(database_url, "SELECT count(*) FROM bars_ohlcv")[0][0]
    assert "Traceback" not in ran.stderr
    assert "panic" not in ran.stderr
    if files < 24:
        assert (ran.returncode, stored) == (2, 0)
        assert f"this process may have {files} files open, and mdload needs 24" in ran.stderr
    elif ran.returncode:
        assert "ulimit -n 1024" in ran.stderr
    else:
        assert stored == 6
