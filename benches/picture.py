"""Charts, as SVG and as tables."""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 78, 30, 34, 72
COLOURS = 4

STYLE = """
.back { fill: #ffffff } text { fill: #1f2328; font: 12px sans-serif }
.title { font-weight: bold; font-size: 13px } .faint { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
.c0 { stroke: #0550ae; fill: #0550ae } .c1 { stroke: #bc4c00; fill: #bc4c00 }
.c2 { stroke: #116329; fill: #116329 } .c3 { stroke: #8250df; fill: #8250df }
polyline { fill: none !important }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117 } text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
  .c0 { stroke: #79c0ff; fill: #79c0ff } .c1 { stroke: #ffa657; fill: #ffa657 }
  .c2 { stroke: #7ee787; fill: #7ee787 } .c3 { stroke: #d2a8ff; fill: #d2a8ff }
}
"""


@dataclass
class Chart:
    """How some costs grow with one size."""

    title: str
    of: str
    unit: str
    sizes: list
    series: dict
    # Further columns of the table, which are not drawn.
    notes: dict = field(default_factory=dict)
    # What hardly grows is drawn from zero; all else in powers of ten, as the sizes are.
    from_zero: bool = False

    def told(self):
        """For the machine-readable file."""
        series = {name: [round(value, 3) for value in values] for name, values in self.series.items()}
        return {"title": self.title, "of": self.of, "unit": self.unit, "sizes": self.sizes,
                "series": series | self.notes}

    def table(self):
        """In Markdown."""
        head = [self.of, *(f"{name}, {self.unit}" for name in self.series), *self.notes]
        lines = [head, ["---:"] * len(head)]
        columns = [*self.series.values(), *self.notes.values()]
        for place, size in enumerate(self.sizes):
            lines.append([shown(size, self.of), *(figure(column[place]) for column in columns)])
        rows = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"{self.title}:\n\n{rows}"


def figure(value):
    return f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:.2f}"


def shown(size, of):
    """A size as people write it."""
    if of != "bytes":
        return f"{size:,}"
    for unit, scale in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]:
        if size >= scale:
            return f"{size // scale} {unit}"
    return f"{size} B"


def draw(charts):
    """All charts in one picture, two a row."""
    rows = (len(charts) + 1) // 2
    width, height = 2 * WIDTH, rows * HEIGHT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
             f' height="{height}" role="img" aria-label="How cost grows"><style>{STYLE}</style>',
             f'<rect class="back" width="{width}" height="{height}"/>']
    for place, chart in enumerate(charts):
        x, y = place % 2 * WIDTH, place // 2 * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{"".join(one(chart))}</g>')
    return "\n".join([*parts, "</svg>\n"])


def one(chart):
    """The pieces of one chart."""
    span = math.log10(chart.sizes[-1] / chart.sizes[0])
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    x = lambda size: LEFT + math.log10(size / chart.sizes[0]) / span * (right - LEFT)
    marks, share = scale(chart)
    y = lambda value: bottom - share(value) * (bottom - TOP)
    yield f'<text class="title" x="{LEFT}" y="20">{escape(chart.title)}</text>'
    for mark in marks:
        at = y(mark)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        label = f"{mark:,g} {chart.unit}"
        yield f'<text class="faint" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
    for size in chart.sizes:
        yield (f'<text class="faint" x="{x(size):.1f}" y="{bottom + 17}" text-anchor="middle">'
               f'{shown(size, chart.of)}</text>')
    for number, (name, values) in enumerate(chart.series.items()):
        points = [(x(size), y(value)) for size, value in zip(chart.sizes, values)]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        colour = f"c{number % COLOURS}"
        yield f'<polyline class="line {colour}" points="{line}"/>'
        yield from (f'<circle class="{colour}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
        yield from legend(number, name, colour)


def legend(number, name, colour):
    """Which line is whose."""
    at, below = LEFT + number % 2 * 165, HEIGHT - 34 + number // 2 * 17
    yield f'<circle class="{colour}" cx="{at + 4}" cy="{below - 4}" r="4"/>'
    yield f'<text x="{at + 13}" y="{below}">{escape(name)}</text>'


def scale(chart):
    """What is marked on the upright axis, and how far up a value belongs, from 0 to 1."""
    values = [value for values in chart.series.values() for value in values]
    if chart.from_zero:
        step = 10 ** math.floor(math.log10(max(values))) / 2
        top = math.ceil(max(values) / step) * step
        # At most some six marks, however far up it goes.
        every = math.ceil(top / step / 6) * step
        marks = [every * count for count in range(int(top / every) + 1)]
        return marks, lambda value: value / top
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))
    marks = [10**power for power in range(low, high + 1)]
    return marks, lambda value: (math.log10(value) - low) / (high - low)
