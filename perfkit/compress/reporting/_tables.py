"""Reports as text and as HTML."""

import html as _html
import math
from typing import Any, NamedTuple

_MANY = 5  # models that a terminal has no room for side by side are more than these
_WIDTH = 100  # characters
_LOW = 15.0  # dB, below what rounding alone leaves of a good model


class Table(NamedTuple):
    """Rows of cells; the first row is the head, the first column says what they are."""

    title: str
    rows: list[list[str]]


def of_report(report) -> list[Table]:
    """Return a table with a column for each model; of a single one, its layers too."""
    if len(report.models) == 1:
        (model,) = report.models
        return [_summary(report.models), *_layers(model)]
    return [_summary(report.models)]


def side_by_side(report) -> str:
    """Return the tables as text; of many models a row a model, in parts."""
    tables = of_report(report)
    if len(report.models) > _MANY:
        tables = _turned(*tables)
    return "\n\n".join(map(text, tables))


def of_model(model) -> list[Table]:
    """Return the tables of one model and of its layers."""
    return [_summary([model]), *_layers(model)]


def said(report) -> str:
    """Return in words how it was measured, and the notes of the models."""
    lines = [f"{m.name}: {note}" for m in report.models for note in m.notes]
    if report.samples:
        judged = any(model.quality is not None for model in report.models)
        what = f"{report.models[0].metric} over " if judged else ""
        of = f"; SQNR against {report.reference!r}" if report.reference else ""
        lines.append(f"Data: {what}{report.samples:,} samples{of}.")
    if any(m.sqnr is not None and m.sqnr < _LOW for m in report.models):
        lines.append(
            f"SQNR below {_LOW:g} dB: a model that learned on since is not meant to "
            "return the same numbers, look at its accuracy; of one that was only "
            "rounded it is poor."
        )
    timed = [x for m in report.models for x in (m.latency, m.lite_latency) if x]
    if timed:
        runtimes = "; ".join(dict.fromkeys(each.runtime for each in timed))
        lines.append(
            f"Times: {report.cpu}; batch 1; {runtimes}; {report.runs} runs"
            + (", in turn." if any(each.speed_up for each in timed) else ".")
        )
    if any(each.speed_up for each in timed):
        lines.append(
            "Times as fast: median and quartiles of the ratios of runs one after the "
            "other, on the same runtime; where 1 is between the quartiles or within "
            "0.02 of the median, no difference was seen."
        )
    return "\n".join(lines)


def text(table: Table) -> str:
    """Return the cells in columns."""
    widths = [max(map(len, column)) for column in zip(*table.rows, strict=True)]
    lines = [_line(row, widths) for row in table.rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, *lines] if table.title else lines)


def html(table: Table) -> str:
    """Return the cells as an HTML table; one with a title is folded up."""
    head, *rows = [[_html.escape(cell) for cell in row] for row in table.rows]
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    for first, *rest in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in rest)
        lines.append(f"<tr><th style='text-align: left'>{first}</th>{cells}</tr>")
    found = f"<table>{''.join(lines)}</table>"
    if not table.title:
        return found
    title = _html.escape(table.title)
    return f"<details><summary>{title}</summary>{found}</details>"


def paragraph(lines: str) -> str:
    """Return lines as a paragraph of HTML."""
    return "<p>" + _html.escape(lines).replace("\n", "<br>") + "</p>"


def large(count) -> str:
    """Return a count to three digits, such as 4.25 M."""
    if count is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def _summary(models) -> Table:
    rows = [["", *(model.name for model in models)]]

    def add(title, cell):
        cells = [cell(model) for model in models]
        if any(each != "-" for each in cells):
            rows.append([title, *cells])

    add("kind", lambda m: _kind(m))
    add("parameters", lambda m: f"{m.parameters:,}")
    add("MACs", lambda m: large(m.macs))
    add("zeros in kernels", lambda m: _share(m.sparsity))
    add("distinct values, most in a layer", lambda m: _count(m.distinct))
    add("weights, bytes", lambda m: _count(m.weight_bytes))
    add("weights after gzip, bytes", lambda m: _count(m.weight_gzip_bytes))
    for title, field in (("", "lite_bytes"), (" after gzip", "lite_gzip_bytes")):
        first = getattr(models[0], field)
        add(
            f".tflite{title}, bytes",
            lambda m, f=field, of=first: _size(getattr(m, f), of),
        )
    add("operators", lambda m: str(sum(m.operators.values())) if m.operators else "-")
    add("SQNR of the outputs, dB", lambda m: _decibels(m.sqnr))
    add(models[0].metric, lambda m: "-" if m.quality is None else f"{m.quality:.4g}")
    for title, field in (("Keras", "latency"), (".tflite", "lite_latency")):
        add(f"{title} median, ms", lambda m, f=field: _ms(getattr(m, f), "median_ms"))
        add(f"{title} p90, ms", lambda m, f=field: _ms(getattr(m, f), "p90_ms"))
        of = {getattr(m, field).than for m in models if getattr(m, field)} - {None}
        than = of.pop() if len(of) == 1 else None
        last = f"{title} times as fast as {than or ''}".rstrip()
        add(last, lambda m, f=field, than=than: _speed(getattr(m, f), than))
    return Table("", rows)


def _layers(model) -> list[Table]:
    titles = ["layer", "kind", "dtype", "parameters", "MACs", "zeros", "distinct"]
    rows = [[*titles, "bytes", "gzip", "SQNR, dB", "against"]]
    for row in filter(lambda row: row.counts, model.layers):
        cells = [row.path, row.kind, row.dtype or "-", _count(row.parameters)]
        cells += [large(row.macs), _share(row.sparsity), _count(row.distinct)]
        cells += [_count(row.bytes), _count(row.gzip_bytes), _decibels(row.sqnr)]
        cells.append("-" if row.against in (None, row.path) else row.against)
        rows.append(cells)
    kept = [
        column
        for column in zip(*rows, strict=True)
        if any(cell not in ("-", "0") for cell in column[1:])
    ]
    if not kept:
        return []
    return [
        Table(f"Layers of {model.name}", [list(r) for r in zip(*kept, strict=True)])
    ]


def _turned(table) -> list[Table]:
    """Rows as columns, and of these as many beside each other as there is room for."""
    names, *columns = table.rows
    parts, used = [], _WIDTH
    for column in columns:
        width = 2 + max(map(len, column))
        if used + width > _WIDTH:
            parts.append([names])
            used = max(map(len, names))
        parts[-1].append(column)
        used += width
    return [Table("", [list(row) for row in zip(*x, strict=True)]) for x in parts]


def _line(cells, widths):
    first, *rest = cells
    middle = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *middle])


def _kind(model):
    if model.integer:
        return f"{model.kind}, all integer"
    kinds = sorted(
        kind for kind in model.dtypes if not kind.startswith(("int32", "int64"))
    )
    return ", ".join([model.kind, *(kinds or model.dtypes)])


def _count(number):
    return "-" if number is None else f"{number:,}"


def _share(number):
    return "-" if number is None else f"{100 * number:.1f} %"


def _decibels(number):
    if number is None or math.isnan(number):
        return "-"
    return f"{number:.1f}"


def _ms(latency: Any, field):
    return "-" if latency is None else f"{getattr(latency, field):.4g}"


def _size(number, first):
    if number is None or not first or abs(number / first - 1.0) < 0.005:
        return _count(number)
    smaller = number < first
    ratio = first / number if smaller else number / first
    return f"{number:,} ({ratio:.2f}x {'smaller' if smaller else 'larger'})"


def _speed(latency: Any, than):
    if latency is None or latency.speed_up is None:
        return "-"
    median, low, high = latency.speed_up
    name = "" if than else f"{latency.than}: "
    return f"{name}{median:.2f} ({low:.2f} to {high:.2f})"
