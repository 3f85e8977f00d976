"""`mdload schedule show`, checked by systemd itself."""

from __future__ import annotations

import getpass
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

CONFIG = """
[database]
url = "postgresql://nightly:${DB_PASSWORD}@db/market"
[jobs.nightly]
source = "dumps/{date}.csv"
schedule = "30 2 * * 2-6"
on_failure = "curl ${CHAT_URL}"
[jobs.by-hand]
source = "x.csv"
[jobs.feed_1m]
source = "feed/*.csv"
schedule = "${FEED_SCHEDULE:-*/15  9-17 1 * mon}"
"""
PROGRAM = str(Path(sys.executable).with_name("mdload"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of mdload.toml, with a name that every format has to quote."""
    folder = tmp_path / "my $jobs 100%"
    folder.mkdir()
    (folder / "mdload.toml").write_text(CONFIG)
    return folder


def test_lines_of_a_crontab(forked: Run, folder: Path) -> None:
    ran = forked("schedule", "show", cwd=folder)
    assert (ran.code, ran.err) == (0, "")
    comment, first, second = ran.out.splitlines()
    assert comment.startswith("# For crontab -e.")
    config = shlex.quote(f"{folder}/mdload.toml").replace("%", "\\%")
    words = f"nice -n 10 {PROGRAM} --config {config} -q run"
    assert first == f"30 2 * * 2-6 {words} nightly >/dev/null"
    assert second == f"*/15 9-17 1 * mon {words} feed_1m >/dev/null"


def test_the_line_runs_as_cron_runs_it(forked: Run, folder: Path) -> None:
    """Runs it with /bin/sh, in another folder and with almost no environment."""
    (folder / "mdload.toml").write_text('[jobs.nightly]\nsource = "x.csv"\nschedule = "@daily"\n')
    (folder / "secrets").write_text("MDLOAD_DATABASE_URL='mysql://no $such'\n")
    ran = forked("--config", folder / "mdload.toml", "schedule", "show", "nightly", "--nice", "0",
                 "--env-file", folder / "secrets", "--json")  # fmt: skip
    (job,) = ran.json()
    assert (job["job"], job["schedule"], job["line"][:7]) == ("nightly", "@daily", "@daily ")
    line = job["line"].removeprefix("@daily ").replace("\\%", "%")  # as cron does
    cron = subprocess.run(["/bin/sh", "-c", line], cwd="/", env={"PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (cron.returncode, cron.stdout) == (2, "")
    assert "MDLOAD_DATABASE_URL names a mysql:// database" in cron.stderr


def test_for_etc_cron_d(forked: Run, folder: Path) -> None:
    ran = forked("schedule", "show", "nightly", "--user", "mdload", cwd=folder)
    comment, line = ran.out.splitlines()
    assert comment.startswith("# For a file in /etc/cron.d.")
    assert line.startswith("30 2 * * 2-6 mdload nice -n 10 ")
    wrong = forked("schedule", "show", "nightly", "--user", "two words", cwd=folder)
    assert (wrong.code, wrong.out) == (2, "")
    assert "'two words' is not the name of a user" in wrong.err


def test_units(forked: Run, folder: Path) -> None:
    ran = forked("schedule", "show", "feed_1m", "--format", "systemd", "--env-file", "/etc/m.env",
                 "--nice", "5", cwd=folder)  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    written = str(folder).replace("%", "%%")
    service = f"""\
# /etc/systemd/system/mdload-feed_1m.service
[Unit]
Description=mdload job feed_1m
Wants=network-online.target
After=network-online.target postgresql.service
OnFailure=mdload-failed@%N.service

[Service]
Type=oneshot
User={getpass.getuser()}
WorkingDirectory={written}
EnvironmentFile=/etc/m.env
ExecStart={PROGRAM} --config "{written.replace("$", "$$")}/mdload.toml" run feed_1m
Nice=5

# /etc/systemd/system/mdload-feed_1m.timer
[Unit]
Description=mdload job feed_1m at */15 9-17 1 * mon

[Timer]
OnCalendar=*-*-01 09..17:00,15,30,45:00
OnCalendar=Mon *-*-* 09..17:00,15,30,45:00
# A time that passed while the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target

# /etc/systemd/system/mdload-failed@.service
"""
    assert ran.out.startswith(service)
    last = ran.out.splitlines()[-1]
    assert last == "# then: systemctl daemon-reload && systemctl enable --now mdload-feed_1m.timer"


def test_systemd_has_nothing_against_them(forked: Run, folder: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    ran = forked("schedule", "show", "--format", "systemd", cwd=folder)
    units = tmp_path / "units"
    units.mkdir()
    for part in ran.out.split("# /etc/systemd/system/")[1:]:
        name, _, text = part.partition("\n")
        (units / name).write_text(text)
    assert {path.name for path in units.iterdir()} == {
        "mdload-nightly.service", "mdload-nightly.timer", "mdload-feed_1m.service",
        "mdload-feed_1m.timer", "mdload-failed@.service",
    }  # fmt: skip
    for path in sorted(units.glob("mdload-[!f]*")) + sorted(units.glob("mdload-feed*")):
        verified = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        about = [line for line in verified.stderr.splitlines() if "mdload" in line]
        assert (verified.returncode, about) == (0, []), path.name


def test_a_unit_of_one_s_own_for_failures(forked: Run, folder: Path) -> None:
    ran = forked("schedule", "show", "--format", "systemd", "--on-failure", "mail@%n.service",
                 cwd=folder)  # fmt: skip
    assert ran.out.count("OnFailure=mail@%n.service\n") == 2
    assert "mdload-failed" not in ran.out


def test_json_has_the_units(forked: Run, folder: Path) -> None:
    ran = forked("schedule", "show", "--format", "systemd", "--json", cwd=folder)
    assert [sorted(job["units"]) for job in ran.json()] == [
        ["mdload-nightly.service", "mdload-nightly.timer"],
        ["mdload-feed_1m.service", "mdload-feed_1m.timer"],
    ]


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ("by-hand", "error: mdload.toml:8: the job by-hand has no schedule"),
        ("nihgtly", "error: there is no job 'nihgtly' in mdload.toml"),
    ],
)
def test_jobs_that_have_none(forked: Run, folder: Path, job: str, complaint: str) -> None:
    ran = forked("schedule", "show", job, cwd=folder)
    assert (ran.code, ran.out, ran.err.splitlines()[0]) == (2, "", complaint)


def test_a_wrong_expression_is_told_by_its_line(forked: Run, folder: Path) -> None:
    (folder / "mdload.toml").write_text('[jobs.a]\nsource = "x"\nschedule = "0 25 * * *"\n')
    for command in (("schedule", "show"), ("config", "check")):
        ran = forked(*command, cwd=folder)
        assert ran.code == 2
        assert ran.err.startswith(
            "error: mdload.toml:3: jobs.a.schedule: the hour has 25, and goes from 0 to 23"
        )


def test_a_folder_without_jobs(forked: Run) -> None:
    ran = forked("schedule", "show")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2, "error: no job of mdload.toml has a schedule",
    )  # fmt: skip
