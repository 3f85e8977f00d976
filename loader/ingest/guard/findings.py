"""Findings of the guard in words: what a file looks like, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import polars as pl

from loader.bars import INTERVAL_SECONDS
from loader.check.guard.differences import Differences, Step
from loader.check.guard.factors import Factors, Stretch
from loader.check.guard.lost import Lost
from loader.check.guard.rounding import power_of_ten
from loader.check.guard.shift import Shift
from loader.results.history import Action, Finding, FindingKind
from loader.settings import RejectLimit, Settings
from loader.store.guard.sample import Group
from loader.store.guard.search import Alike
from loader.store.guard.signs import Sign
from loader.text import counted

#: Kinds that are reported, and refuse nothing.
_REPORTED: Final = ("split", "adjustment", "difference")
#: One dividend changes earlier prices by less than this factor.
_NO_DIVIDEND: Final = 1.45
#: Series and stretches that a sentence names; notes on findings of one kind.
_NAMED: Final = 3
_NOTES: Final = 5

#: The next step for the file of a finding that refuses it.
HINTS: Final[Mapping[FindingKind, str]] = {
    "shift": "see whether --timezone and --stamp are right for this file",
    "price_scale": "see whether the file has prices in another unit: --price-divisor",
    "volume_scale": "see whether the file has volumes in another unit: --volume-factor, "
    "--column volume=NAME",
    "other_series": "see whether --symbol, --provider and the name of the file are right",
    "restated": "compare the file with the store before you load it",
    "gone": "see whether the file is whole",
    "shorter": "see whether the file is whole",
    "period": "give annual and quarterly figures a vendor each: --provider NAME-annual",
}


def findings(group: Group, sign: Sign, accepted: Collection[str]) -> Iterator[Finding]:
    """A sign of one series, or of several together: more than one where two things happened."""
    match sign:
        case Factors():
            yield _finding(group, sign, sign.kind, accepted, *_of_factors(group, sign))
        case Differences():
            yield _finding(group, sign, "difference", accepted, *_of_differences(group, sign))
        case Shift():
            yield _finding(group, sign, "shift", accepted, *_of_shift(group, sign))
            if sign.scale != 1:
                yield _finding(group, sign, "price_scale", accepted, *_of_scale(group, sign))
        case Alike():
            yield _finding(group, sign, "other_series", accepted, *_of_alike(group, sign))
        case Lost():
            text = (
                f"{_share(sign.matched, sign.bars, group.changed)} of {_name(group)} lost their "
                "volumes: looks like a file without them"
            )
            yield _finding(group, sign, "volume_scale", accepted, text, {"volumes_lost": True})


def _finding(
    group: Group,
    sign: Sign,
    kind: FindingKind,
    accepted: Collection[str],
    text: str,
    evidence: dict[str, Any],
) -> Finding:
    numbers = {
        "series": group.series, "changed": group.changed, "inserted_between": group.between,
        "compared": sign.bars, "matched": sign.matched, **evidence,
    }  # fmt: skip
    # What another provider has of the same symbol may well be a correction.
    is_near = isinstance(sign, Alike) and not sign.far
    action: Action = "noted" if is_near else _action(kind, accepted)
    return Finding(kind, action, text, group.provider, group.symbol, group.interval, numbers)


def restated(changed: int, met: int, limit: RejectLimit, accepted: Collection[str]) -> Finding:
    """More changed bars than the limit allows, of those that the file meets."""
    text = (
        f"{changed:,} of {counted(met, 'stored bar')} that the file meets would change, more than "
        f"--max-restated {limit} allows"
    )
    evidence = {"changed": changed, "met": met}
    return Finding("restated", _action("restated", accepted), text, evidence=evidence)


def gone(series: pl.DataFrame, settings: Settings) -> Finding:
    """Bars that are stored within the span of the file, and absent from it."""
    lacking = series.filter(pl.col("gone") > 0).sort("gone", "symbol", descending=[True, False])
    bars, met = int(series["gone"].sum()), int(series["found"].sum())
    names = [
        f"{symbol} {interval} {number:,}"
        for symbol, interval, number in lacking.select("symbol", "interval", "gone")
        .head(_NAMED)
        .iter_rows()
    ]
    more = f" and {lacking.height - _NAMED:,} more series" if lacking.height > _NAMED else ""
    least = "" if lacking["whole"].all() else "at least "
    text = (
        f"{least}{counted(bars, 'stored bar')} within the span of the file {_are(bars)} absent "
        f"from it: {', '.join(names)}{more}"
    )
    limit = settings.max_gone
    action: Action = "noted"
    if limit is not None and limit.exceeded(bars, met + bars):
        action = _action("gone", settings.accept)
        text += f"; more than --max-gone {limit} allows"
    if not settings.delete_gone and action != "refused":
        text += " (they stay; --delete-gone deletes them)"
    evidence = {"gone": bars, "met": met, "series": lacking.height}
    return Finding("gone", action, text, evidence=evidence)


def notes(findings: Iterable[Finding]) -> Iterator[str]:
    """Sentences on findings that refuse nothing, the first few of each kind."""
    by_kind: dict[FindingKind, list[Finding]] = {}
    for each in findings:
        if each.action != "refused":
            by_kind.setdefault(each.kind, []).append(each)
    for kind, alike in by_kind.items():
        for each in alike[:_NOTES]:
            yield each.text + (f" (--accept {kind})" if each.action == "accepted" else "")
        if len(alike) > _NOTES:
            yield f"{kind}: {len(alike) - _NOTES:,} more like these; see --json"


def _action(kind: FindingKind, accepted: Collection[str]) -> Action:
    if kind in _REPORTED:
        return "noted"
    return "accepted" if kind in accepted else "refused"


def _of_factors(group: Group, sign: Factors) -> tuple[str, dict[str, Any]]:
    bars = f"{_share(sign.matched, sign.bars, group.changed)} of {_name(group)}"
    evidence: dict[str, Any] = {
        "factors": [
            {"factor": each.factor, "first": f"{each.first:%Y-%m-%dT%H:%M:%SZ}",
             "last": f"{each.last:%Y-%m-%dT%H:%M:%SZ}", "bars": each.bars}
            for each in sign.stretches
        ],
        "volume_factor": sign.volume,
    }  # fmt: skip
    if sign.kind == "volume_scale":
        how = "by their price" if sign.in_quote else f"by one factor {sign.volume:g}"
        what = "money in place of volume" if sign.in_quote else "another unit of volume"
        return f"the volumes of {bars} changed {how}: looks like {what}", evidence
    looks = {
        "split": "a split",
        "price_scale": "another unit of prices",
        "adjustment": "dividends taken out of earlier prices",
    }[sign.kind]
    if len(sign.stretches) == 1:
        factor = sign.stretches[0].factor
        if sign.kind == "price_scale" and power_of_ten(factor) is None:
            looks += ", and a split"
        if sign.kind == "adjustment" and max(factor, 1 / factor) >= _NO_DIVIDEND:
            looks = "a split, by prices alone"
        how = f"by one factor {_stretch(sign.stretches[0])}"
    else:
        named = ", ".join(_stretch(each) for each in sign.stretches[:_NAMED])
        more = " …" if len(sign.stretches) > _NAMED else ""
        how = f"by {len(sign.stretches)} factors ({named}{more})"
    return f"{bars} changed {how}: looks like {looks}", evidence


def _of_differences(group: Group, sign: Differences) -> tuple[str, dict[str, Any]]:
    bars = f"{_share(sign.matched, sign.bars, group.changed)} of {_name(group)}"
    evidence: dict[str, Any] = {
        "amounts": [
            {"amount": each.amount, "first": f"{each.first:%Y-%m-%dT%H:%M:%SZ}",
             "last": f"{each.last:%Y-%m-%dT%H:%M:%SZ}", "bars": each.bars}
            for each in sign.steps
        ],
    }  # fmt: skip
    if len(sign.steps) == 1:
        how = f"by one amount {_step(sign.steps[0])}"
    else:
        named = ", ".join(_step(each) for each in sign.steps[:_NAMED])
        more = " …" if len(sign.steps) > _NAMED else ""
        how = f"by {len(sign.steps)} amounts ({named}{more})"
    return f"{bars} changed {how}: looks like contracts of futures that were joined anew", evidence


def _of_shift(group: Group, sign: Shift) -> tuple[str, dict[str, Any]]:
    step = INTERVAL_SECONDS[group.interval]
    seconds = sign.by.total_seconds()
    way = "earlier" if seconds > 0 else "later"
    evidence = {
        "shift_seconds": seconds, "steps": round(seconds / step, 3), "price_factor": sign.scale,
    }  # fmt: skip
    times = "" if sign.scale == 1 else f"{sign.scale:g} times "
    bars = counted(group.changed + group.between, "bar")
    return (
        f"{bars} of {_name(group)} ({group.changed:,} changed, {group.between:,} inserted between) "
        f"have {times}the prices of stored bars {_length(abs(sign.by))} {way} ({sign.matched:,} of "
        f"{sign.bars:,} that were compared): looks like times that moved",
        evidence,
    )


def _of_scale(group: Group, sign: Shift) -> tuple[str, dict[str, Any]]:
    bars = counted(group.changed + group.between, "bar")
    return (
        f"the prices of {bars} of {_name(group)} are {sign.scale:g} times those of stored bars at "
        "other times: looks like another unit of prices",
        {"price_factor": sign.scale},
    )


def _of_alike(group: Group, sign: Alike) -> tuple[str, dict[str, Any]]:
    other = f"{sign.provider} {sign.symbol}" if sign.symbol else f"the provider {sign.provider}"
    evidence = {"other_provider": sign.provider, "other_symbol": sign.symbol}
    looks = "looks like bars under a wrong name" if sign.far else "by little, as corrections do"
    return (
        f"{counted(group.changed, 'bar')} of {_name(group)} changed to the prices of {other} "
        f"({sign.matched:,} of {sign.bars:,} that were compared): {looks}",
        evidence,
    )


def _name(group: Group) -> str:
    if group.symbol is not None:
        return f"{group.symbol} {group.interval}"
    return f"{group.series:,} series together {group.interval}"


def _share(matched: int, compared: int, bars: int) -> str:
    """`779 bars`, or how many of them where some do otherwise."""
    if matched == compared:
        return counted(bars, "bar")
    return f"{matched / compared:.0%} of {counted(bars, 'bar')}"


def _stretch(stretch: Stretch) -> str:
    return f"{stretch.factor:.6g} from {stretch.first:%Y-%m-%d} to {stretch.last:%Y-%m-%d}"


def _step(step: Step) -> str:
    return f"{step.amount:+.6g} from {step.first:%Y-%m-%d} to {step.last:%Y-%m-%d}"


def _length(time: timedelta) -> str:
    seconds = time.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
