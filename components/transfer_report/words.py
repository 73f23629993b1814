"""How the report writes numbers and names. Pure."""

import datetime
import unicodedata
from collections.abc import Sequence

UNKNOWN = "–"
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# Letters that are written from the right, and characters that turn what follows them.
_TURNING = ("R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "RLI", "LRI", "FSI")

_UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")  # categories of characters


def percent(share: float | None) -> str:
    """Returns a share in percent, with more digits where it is small."""
    if share is None:
        return UNKNOWN
    value = 100 * share
    digits = 1 if value == 0 or abs(value) >= 0.95 else 2 if abs(value) >= 0.095 else 3
    return f"{value:.{digits}f}%" if value == 0 or abs(value) >= 0.0005 else "<0.001%"


def points(difference: float | None, digits: int = 1) -> str:
    """Returns a difference of shares in points, with its sign and a true minus; one that rounds to 0 has no sign."""
    if difference is None:
        return UNKNOWN
    rounded = round(100 * difference, digits)
    return f"{rounded:+.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def interval(low: float | None, high: float | None) -> str:
    """Returns an interval of differences in points, or what is unknown of it.

    It has as many digits as it takes to see on which side of 0 it ends.
    """
    if low is None or high is None:
        return UNKNOWN
    digits = next((n for n in (1, 2, 3) if round(100 * low, n) and round(100 * high, n)), 1)
    return f"{points(low, digits)} to {points(high, digits)}"


def factor(weight: float | None) -> str:
    """Returns an importance weight as a factor, such as '12×'."""
    if weight is None:
        return UNKNOWN
    return f"{weight:,.0f}×" if weight >= 9.95 else f"{weight:.1f}×" if weight >= 0.095 or weight == 0 else "<0.1×"


def count(number: float | None) -> str:
    """Returns a number with separators of thousands."""
    return UNKNOWN if number is None else f"{round(number):,}"


def plural(number: int, noun: str) -> str:
    """Returns a number and its noun, such as '1 seed' or '3 seeds'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Returns a duration in its two largest units."""
    if seconds is None:
        return UNKNOWN
    if 0 < seconds < 0.05:
        return "<0.1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 or seconds == 0 else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def roughly(seconds: float) -> str:
    """Returns a duration that is only estimated, in one unit."""
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} s"
    hours = seconds / 3600
    return f"{60 * hours:.0f} min" if hours < 1.5 else f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"


def moment(iso: str) -> str:
    """Returns a time in ISO 8601 as '28 November 2026, 02:40 UTC'; a text that is none as it is."""
    try:
        found = datetime.datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return iso
    if found.tzinfo is not None:
        found = found.astimezone(datetime.timezone.utc)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}, {found:%H:%M} UTC"


def passes(images: int | None, pool: int | None) -> str:
    """Returns how often a training went through the images that it could draw from, such as '3.8 passes'."""
    if images is None or not pool:
        return UNKNOWN
    number = images / pool
    return "1 pass" if f"{number:.2g}" == "1" else f"{number:,.0f} passes" if number >= 9.95 else f"{number:.2g} passes"


def join(parts: Sequence[str]) -> str:
    """Returns the parts as a list in a sentence, such as 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def show(name: str) -> str:
    """Returns a name or, if nothing of it is seen, a word that stands for it, so that it can be read and chosen."""
    return name if any(unicodedata.category(each) not in _UNSEEN for each in name) else "(blank)"


def isolate(name: str) -> str:
    """Returns a name that does not turn the line it stands in, whatever its direction (Unicode's isolates)."""
    turns = any(unicodedata.bidirectional(character) in _TURNING for character in name)
    return f"\u2068{name}\u2069" if turns else name


def name_metric(metric: str) -> str:
    """Returns the name of a metric, for a reader."""
    return metric.replace("mean_per_class", "mean per-class").replace("_", " ")
