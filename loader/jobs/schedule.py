"""Jobs as crontab lines and as systemd units, for people to install."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from loader.jobs.config.cron import Cron
from loader.lazy import dataclass


@dataclass(frozen=True)
class Surroundings:
    """The environment of the jobs.

    Attributes:
        command: of mdload up to the name of a subcommand, e.g. `/usr/bin/mdload --config FILE`;
            paths are absolute, because cron and systemd have neither the user's PATH nor folder.
        folder: to run in.
        user: who runs them; None for the owner of the crontab.
        env_file: NAME=value lines with the secrets, read before each run, or None.
        nice: niceness of the process, 0 to 19.
        on_failure: the unit that systemd starts when a job fails.
    """

    command: Sequence[str]
    folder: PurePath
    user: str | None = None
    env_file: PurePath | None = None
    nice: int = 10
    on_failure: str = "mdload-failed@%N.service"


@dataclass(frozen=True)
class Scheduled:
    """A job and its cron expression."""

    job: str
    schedule: str


def crontab_line(job: Scheduled, around: Surroundings) -> str:
    """The line of a crontab (with a user: of a file in /etc/cron.d)."""
    words = [*around.command, "run", job.job]
    line = f"nice -n {around.nice} {shlex.join(words)}"
    if around.env_file:
        file = shlex.quote(str(around.env_file))
        line = f"set -a; . {file}; set +a; {line}"
    who = f"{around.user} " if around.user else ""
    # To cron a percent sign is the end of the command. What a job prints would come as mail.
    return f"{job.schedule} {who}{line.replace('%', chr(92) + '%')} >/dev/null"


def units(job: Scheduled, around: Surroundings) -> dict[str, str]:
    """The texts of the service and of the timer, by the names of their files."""
    service = [
        "[Unit]",
        f"Description=mdload job {job.job}",
        "Wants=network-online.target",
        "After=network-online.target postgresql.service",
        f"OnFailure={around.on_failure}",
        "",
        "[Service]",
        "Type=oneshot",
        *([f"User={around.user}"] if around.user else []),
        f"WorkingDirectory={_literal(str(around.folder))}",
        *([f"EnvironmentFile={_literal(str(around.env_file))}"] if around.env_file else []),
        f"ExecStart={' '.join(map(_word, (*around.command, 'run', job.job)))}",
        f"Nice={around.nice}",
    ]
    timer = [
        "[Unit]",
        f"Description=mdload job {job.job} at {_literal(job.schedule)}",
        "",
        "[Timer]",
        *(f"OnCalendar={when}" for when in Cron.parse(job.schedule).on_calendar()),
        "# A time that passed while the machine was off is made up for.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    name = f"mdload-{job.job}"
    return {f"{name}.service": _text(service), f"{name}.timer": _text(timer)}


def failure_unit() -> dict[str, str]:
    """The unit that `OnFailure=` starts by default: it logs one line at priority `err`, for a
    monitor of the journal. People can replace it by a mail."""
    lines = [
        "[Unit]",
        "Description=Say that %i failed",
        "",
        "[Service]",
        "Type=oneshot",
        "ExecStart=/usr/bin/systemd-cat -t mdload -p err /bin/echo %i failed, see journalctl -u %i",
    ]
    return {"mdload-failed@.service": _text(lines)}


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """A word of ExecStart=."""
    text = _literal(text).replace("$", "$$")
    if text and not set(text) & set(" \t\n\"'\\;"):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"'
