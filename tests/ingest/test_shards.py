"""Shards: which one a task of an array has, and that all of them together load each file once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import loader
from loader.errors import SettingsError
from loader.settings import Shard
from loader.settings.shard import read
from tests.conftest import Ran
from tests.support.sql import fetch

Mdload = Callable[..., Ran]

SLURM = {
    "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "16",
    "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_TASK_STEP": "1",
}  # fmt: skip
EVEN = SLURM | {"SLURM_ARRAY_TASK_MAX": "13", "SLURM_ARRAY_TASK_COUNT": "4"}
AWS = {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}
RUN = {"CLOUD_RUN_TASK_INDEX": "2", "CLOUD_RUN_TASK_COUNT": "3"}
KUBERNETES = {"JOB_COMPLETION_INDEX": "15"}


def without(said: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in said.items() if name not in names}


@pytest.mark.parametrize(
    ("text", "environ", "shard"),
    [
        ("3/16", {}, Shard(3, 16)),
        ("1/1", KUBERNETES, Shard(1, 1)),
        ("auto", SLURM, Shard(7, 16)),
        ("auto/16", SLURM, Shard(7, 16)),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MIN": "7", "SLURM_ARRAY_TASK_MAX": "22"}, Shard(1, 16)),
        ("auto", EVEN | {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_STEP": "4"}, Shard(3, 4)),
        ("auto", without(EVEN | {"SLURM_ARRAY_TASK_ID": "13"}, "SLURM_ARRAY_TASK_STEP"),
         Shard(4, 4)),
        ("auto", without(SLURM, "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_MAX"), Shard(7, 16)),
        ("auto", AWS, Shard(1, 10)),
        ("auto", AWS | {"AWS_BATCH_JOB_ARRAY_INDEX": "9"}, Shard(10, 10)),
        ("auto", RUN, Shard(3, 3)),
        ("auto/16", KUBERNETES, Shard(16, 16)),
        # A batch service on Kubernetes sets both, and they agree or only one is whole.
        ("auto", AWS | {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 10)),
        ("auto/10", AWS | {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 10)),
    ],
)  # fmt: skip
def test_the_shard_of_a_task(text: str, environ: Mapping[str, str], shard: Shard) -> None:
    assert read(text, environ) == shard


@pytest.mark.parametrize(
    ("text", "environ", "what"),
    [
        ("0/16", {}, "0/16 is not a shard: they are 1/16 to 16/16"),
        ("17/16", {}, "17/16 is not a shard: they are 1/16 to 16/16"),
        ("1/0", {}, "1/0 is not a shard: there is at least one"),
        ("3", {}, "'3' is not a shard"),
        ("-1/4", {}, "'-1/4' is not a shard"),
        ("auto", {}, "auto is for a task of an array: none of JOB_COMPLETION_INDEX, "
         "SLURM_ARRAY_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX, CLOUD_RUN_TASK_INDEX is set"),
        ("auto", KUBERNETES, "auto needs the number of tasks, which Kubernetes does not tell"),
        ("auto", without(RUN, "CLOUD_RUN_TASK_COUNT"),
         "auto needs the number of tasks, which Cloud Run does not tell"),
        ("auto/15", KUBERNETES, "JOB_COMPLETION_INDEX is 15, which is not one of the 15 tasks"),
        ("auto/8", RUN, "auto/8 is wrong: CLOUD_RUN_TASK_COUNT says 3"),
        # One task of an array, submitted again by itself, is an array of one.
        ("auto/16", SLURM | {"SLURM_ARRAY_TASK_MIN": "7", "SLURM_ARRAY_TASK_MAX": "7",
                             "SLURM_ARRAY_TASK_COUNT": "1"},
         "auto/16 is wrong: SLURM_ARRAY_TASK_COUNT says 1"),
        ("auto", EVEN, "auto needs even steps between the numbers of the 4 tasks"),
        ("auto", without(SLURM | {"SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_COUNT": "3",
                                  "SLURM_ARRAY_TASK_ID": "3"}, "SLURM_ARRAY_TASK_STEP"),
         "SLURM_ARRAY_TASK_ID is 3, which is not one of the 3 tasks"),
        ("auto", AWS | {"AWS_BATCH_JOB_ARRAY_SIZE": "ten"},
         "AWS_BATCH_JOB_ARRAY_SIZE is 'ten', which is not a number"),
        ("auto", AWS | RUN,
         "auto is ambiguous: AWS Batch says 1/10 and Cloud Run says 3/3"),
        ("auto", RUN | {"JOB_COMPLETION_INDEX": "1"},
         "auto is ambiguous: Cloud Run says 3/3 and JOB_COMPLETION_INDEX is 1"),
    ],
)  # fmt: skip
def test_no_shard_without_its_number_and_theirs(
    text: str, environ: Mapping[str, str], what: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read(text, environ)
    assert what in str(refused.value)
    assert refused.value.option == "--shard"


def test_a_file_stays_in_its_shard() -> None:
    """By the first eight bytes of `printf NAME | sha256sum`: whoever changes this breaks arrays of
    which some tasks run the version before."""
    names = ("dumps/AAPL.csv", "dumps/MSFT.csv", "s3://b/2024/SPY.parquet")
    assert [Shard(n, 16).has(name) for n, name in zip((11, 10, 6), names, strict=True)] == [
        True
    ] * 3
    assert [Shard(n, 3).has(name) for n, name in zip((1, 1, 3), names, strict=True)] == [True] * 3


def test_each_file_is_in_one_shard_and_shards_are_about_even() -> None:
    names = [f"dumps/2024/{n:04}.csv" for n in range(3200)]
    sizes = []
    for total in (1, 2, 7, 16):
        shards = [[n for n in names if Shard(k, total).has(n)] for k in range(1, total + 1)]
        assert sorted(name for shard in shards for name in shard) == names
        sizes = [len(shard) for shard in shards]
    assert 140 < min(sizes) <= max(sizes) < 260


def folder(tmp_path: Path, files: int) -> Path:
    """Files of one bar each."""
    for n in range(files):
        symbol = f"S{n:02}"
        (tmp_path / f"{symbol}.csv").write_text(
            f"ts,symbol,open,high,low,close\n2024-01-02T14:30:00Z,{symbol},1,99,0.5,{n + 1}\n"
        )
    return tmp_path


def test_the_tasks_of_an_array_load_each_file_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a run of its own, with its shard on record; the folder grows in between."""
    made = folder(tmp_path, 12)
    seen: list[str] = []
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_SIZE", "4")
    for index in range(4):
        monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", str(index))
        result = loader.load(made, database_url, provider="p", interval="1m", shard="auto")
        assert (result.exit_code, result.shard) == (0, f"{index + 1}/4")
        assert all(file.state == "loaded" for file in result.files)
        seen += [Path(file.path).name for file in result.files]
        if index == 1:  # sorts before all others
            (made / "A.csv").write_text((made / "S00.csv").read_text().replace("S00", "A"))
    assert set(seen) - {"A.csv"} == {f"S{n:02}.csv" for n in range(12)}
    assert len(seen) == len(set(seen))
    assert fetch(database_url, "SELECT metadata->>'shard' FROM job_runs ORDER BY id") == [
        ("1/4",), ("2/4",), ("3/4",), ("4/4",),
    ]  # fmt: skip
    whole = loader.load(made, database_url, provider="p", interval="1m")
    late = {file.state for file in whole.files if Path(file.path).name != "A.csv"}
    assert (late, whole.shard) == ({"known"}, None)


def test_a_shard_of_no_files_is_a_run_of_no_files(
    forked: Mdload, database_url: str, tmp_path: Path
) -> None:
    made = folder(tmp_path, 1)
    own = next(k for k in range(1, 9) if Shard(k, 8).has(f"{made}/S00.csv"))
    other = own % 8 + 1
    ran = forked("--database", database_url, "backfill", made, "--provider", "p", "--interval",
                 "1m", "--shard", f"{other}/8")  # fmt: skip
    assert ran.code == 0, ran.err
    assert f"shard {other}/8: has 0 of 1 file" in ran.err
    assert f"(shard {other}/8)" in ran.out
    ran = forked("--database", database_url, "backfill", made, "--provider", "p", "--interval",
                 "1m", "--shard", f"{own}/8", "--json")  # fmt: skip
    assert (ran.code, ran.json()["rows_inserted"], ran.json()["shard"]) == (0, 1, f"{own}/8")
    shown = forked("--database", database_url, "job-runs", "inspect", ran.json()["run_id"])
    assert f"{own}/8" in shown.out


def test_what_cannot_be_divided(forked: Mdload, database_url: str, tmp_path: Path) -> None:
    line = "ts,symbol,open,high,low,close\n2024-01-02T14:30:00Z,S,1,2,0.5,1\n"
    piped = forked("--database", database_url, "backfill", "-", "--shard", "1/2", "--provider", "p",
                   "--interval", "1m", stdin=line)  # fmt: skip
    assert piped.code == 2
    assert "--shard cannot divide standard input, which has no name" in piped.err
    with pytest.raises(
        SettingsError, match="--shard has no meaning for files in the order of their dates"
    ):
        loader.load(folder(tmp_path, 2), database_url, provider="p", interval="1m",
                    shard="1/2", known_at_from="mtime")  # fmt: skip
