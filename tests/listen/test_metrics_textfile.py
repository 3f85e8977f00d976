"""The textfile: goes on from process to process, is replaced whole, and spares what is not its."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loader.errors import SettingsError
from loader.listen.metrics import check_ways, exporting
from loader.results import Counts
from loader.results.events import BarsWritten, Committed

JOB = {"job_name": "nightly", "mode": "backfill"}
RUN = {**JOB, "provider": "p"}


def read(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(path.read_text())
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in families
        for s in family.samples
    }


def value(path: Path, name: str, **labels: str) -> float | None:
    return read(path).get((name, frozenset(labels.items())))


def run(path: Path, rows: int, *, job: str = "nightly", error: Exception | None = None) -> None:
    """The work of one process."""
    with exporting(job, "p", textfile=str(path)) as listeners:
        for told in listeners:
            told(BarsWritten("a", "COPY", rows, 0.1, True))
            told(Committed("a", Counts(read=rows, inserted=rows), {}))
        if error:
            raise error


def test_counters_go_on_and_the_last_success_outlives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    run(path, 100)
    success = value(path, "store_job_last_success_timestamp_seconds", **JOB)
    with pytest.raises(OSError, match="disk"):
        run(path, 20, error=OSError("disk"))
    assert value(path, "store_job_last_success_timestamp_seconds", **JOB) == success
    assert (value(path, "store_job_last_failure_timestamp_seconds", **JOB) or 0) > (success or 0)
    assert value(path, "store_rows_total", **JOB, outcome="inserted") == 120
    assert value(path, "store_bars_written_total", method="COPY", status="success") == 120
    assert value(path, "store_bars_write_latency_seconds_count", method="COPY") == 2
    assert value(path, "store_bars_write_latency_seconds_bucket", method="COPY", le="0.25") == 2
    assert value(path, "store_job_runs_total", **RUN, status="started") == 2
    assert value(path, "store_job_runs_total", **RUN, status="success") == 1
    assert value(path, "store_job_runs_total", **RUN, status="failure") == 1
    assert value(path, "store_job_last_run_rows", **JOB, outcome="inserted") == 20


def test_a_run_is_in_the_file_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    with exporting("nightly", "p", textfile=str(path)):
        assert value(path, "store_job_runs_total", **RUN, status="started") == 1
        assert value(path, "store_job_runs_total", **RUN, status="success") == 0
        assert value(path, "store_job_last_start_timestamp_seconds", **JOB) is not None
        assert value(path, "store_job_last_end_timestamp_seconds", **JOB) is None
    assert value(path, "store_job_runs_total", **RUN, status="started") == 1
    assert value(path, "store_job_runs_total", **RUN, status="success") == 1


def test_jobs_share_the_file_even_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    with exporting("nightly", "p", textfile=str(path)) as listeners:
        run(path, 7, job="hourly")
        run(path, 3)
        for told in listeners:
            told(Committed("a", Counts(read=50, inserted=50), {}))
    assert value(path, "store_rows_total", **JOB, outcome="inserted") == 53
    hourly = {"job_name": "hourly", "mode": "backfill"}
    assert value(path, "store_rows_total", **hourly, outcome="inserted") == 7


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    code = (
        "import sys\nfrom loader.results.events import BarsWritten\n"
        "from loader.listen.metrics import exporting\n"
        "for _ in range(10):\n"
        "    with exporting('nightly', 'p', textfile=sys.argv[1]) as (told,):\n"
        "        told(BarsWritten('a', 'COPY', 5, 0.1, True))\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    assert value(path, "store_bars_written_total", method="COPY", status="success") == 150
    assert value(path, "store_job_runs_total", **RUN, status="success") == 30


def test_it_is_readable_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    run(path, 1)
    assert path.stat().st_mode & 0o777 == 0o644
    before = path.read_text()
    with path.open() as reader:  # opened before the next write, it reads the whole of the last one
        run(path, 1)
        assert reader.read() == before
    assert path.read_text() != before
    assert [p.name for p in tmp_path.iterdir()] == ["mdload.prom"]


def test_no_series_of_when_a_counter_was_made(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    run(path, 1)
    assert "_created" not in path.read_text()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "mdload.prom"
    link.symlink_to(tmp_path / "there" / "real.prom")
    run(link, 1)
    assert link.is_symlink()
    assert value(tmp_path / "there" / "real.prom", "store_job_runs_total", **RUN, status="success")


@pytest.mark.parametrize(
    "content",
    [b"root:x:0:0:root:/root:/bin/bash\n", b"node_load1 0.5\n", b"\x00\xff\xfe binary"],
)
def test_what_is_not_its_own_is_refused_and_spared(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.prom"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"mine\.prom") as refused:
        check_ways(str(path), None)
    assert refused.value.hint
    run(path, 1)
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "no" / "mdload.prom"
    with pytest.raises(SettingsError, match="does not exist"):
        check_ways(str(path), None)
    run(path, 1)
    assert "the run goes on without metrics" in caplog.text
    assert not path.parent.exists()


def test_a_file_that_turns_foreign_meanwhile_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mdload.prom"
    with exporting("nightly", "p", textfile=str(path)):
        path.write_text("somebody else's words\n")
    assert path.read_text() == "somebody else's words\n"
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "mdload.prom" in caplog.text


def test_a_name_that_node_exporter_passes_by_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path / "mdload.txt", 1)
    assert ".prom" in caplog.text


def test_job_names_are_bounded_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "mdload.prom"
    labels = (f'job_name="job {n}",mode="backfill",outcome="inserted"' for n in range(49))
    lines = (f"store_rows_total{{{each}}} 1.0\n" for each in labels)
    path.write_text("# TYPE store_rows_total counter\n" + "".join(lines))
    for job in ("the fiftieth", "one more", "and one", "job 7"):
        run(path, 1, job=job)
    names = {v for _, labels in read(path) for k, v in labels if k == "job_name"}
    assert names == {*(f"job {n}" for n in range(49)), "the fiftieth", "other"}
    for name, rows in (("other", 2), ("job 7", 2), ("the fiftieth", 1)):
        job = {"job_name": name, "mode": "backfill"}
        assert value(path, "store_rows_total", **job, outcome="inserted") == rows
