"""Load against capacity, a day a point: in the terminal and as SVG."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import fmean

from orchestrator.errors import AmcError
from orchestrator.sizing import words
from orchestrator.sizing.load import Load, Series, by_day

Line = tuple[float | None, ...]
_HEIGHT, _WIDTH = 14, 100
_MARKS = "*.-"


@dataclass(frozen=True)
class Chart:
    """Lines over the same days, oldest first; None on a day without values."""

    title: str
    days: tuple[date, ...]
    lines: dict[str, Line]

    def values(self) -> list[float]:
        """All values that are there."""
        return [value for line in self.lines.values() for value in line if value is not None]


def charts(load: Load, days: int) -> list[Chart]:
    """CPUs, memory and disk of the last `days` days that have values; none for what was not measured."""
    hourly = load.hourly
    cpus = {
        "busiest hour": _daily(hourly.cpu, max, 1.0),
        "mean": _daily(hourly.cpu, fmean, 1.0),
        "capacity": _daily(hourly.cpus, max, 1.0),
    }
    memory = {
        "highest working set": _daily(hourly.memory, max, words.MIB),
        "capacity": _daily(hourly.memory_total, max, words.MIB),
    }
    disk = {
        "used": _daily(hourly.disk_used, max, words.GIB),
        "capacity": _daily(hourly.disk_size, max, words.GIB),
    }
    parts = (("CPUs", cpus), ("memory in MiB", memory), ("disk in GiB", disk))
    found = [_chart(f"{load.server}: {what}", days, lines) for what, lines in parts]
    return [chart for chart in found if chart.days]


def terminal(chart: Chart) -> str:
    """The chart in characters, without colours, as wide as the terminal up to 100."""
    import plotext  # type: ignore[import-untyped]

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(_WIDTH, _HEIGHT)
    for mark, line in zip(_MARKS, chart.lines.values(), strict=False):
        known = [(i, value) for i, value in enumerate(line) if value is not None]
        if known:
            signal = figure.signal([i for i, _ in known], [value for _, value in known], marker=mark)
            signal.lines()
            figure.draw(signal)
    ticks = sorted({round(i * (len(chart.days) - 1) / 5) for i in range(6)})
    figure.ruler("x").ticks(ticks, [f"{chart.days[i]:%m-%d}" for i in ticks])
    figure.ruler("y").lim(0, 1.1 * max(chart.values()))
    legend = ", ".join(f"{mark} {name}" for mark, name in zip(_MARKS, chart.lines, strict=False))
    drawn = plotext.uncolorize(str(figure.build()))
    return "\n".join([f"{chart.title} ({legend})", *(line.rstrip() for line in drawn.splitlines())])


def write_svg(found: list[Chart], file: Path) -> list[Path]:
    """Each chart as an SVG file: the first as `file`, the others with a number before the suffix.

    Nothing in it is fetched from elsewhere. AmcError when it can't be written.
    """
    import pygal  # type: ignore[import-untyped]
    from pygal.style import CleanStyle  # type: ignore[import-untyped]

    written = []
    for number, chart in enumerate(found, 1):
        drawn = pygal.Line(
            js=(),
            style=CleanStyle(font_family="sans-serif"),
            title=chart.title,
            show_dots=False,
            range=(0, None),
        )
        drawn.x_labels = [str(day) for day in chart.days]
        drawn.x_labels_major_count, drawn.show_minor_x_labels = 6, False
        for name, line in chart.lines.items():
            drawn.add(name, list(line))
        place = file if number == 1 else file.with_name(f"{file.stem}-{number}{file.suffix}")
        try:
            place.write_bytes(drawn.render())
        except OSError as error:
            raise AmcError(f"{place} can't be written: {error.strerror}", "name another file") from None
        written.append(place)
    return written


def _chart(title: str, days: int, lines: dict[str, dict[date, float]]) -> Chart:
    known = sorted({day for line in lines.values() for day in line})[-days:]
    drawn = {name: tuple(map(line.get, known)) for name, line in lines.items()}
    return Chart(title, tuple(known), drawn)


def _daily(series: Series, measure: Callable[[list[float]], float], unit: float) -> dict[date, float]:
    return {day: measure(values) / unit for day, values in by_day(series)}
