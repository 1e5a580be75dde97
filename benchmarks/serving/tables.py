"""The results as Markdown: what is pasted into docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.serving.measures import Cell, Ratio, Results, percentile, spread

OURS, FLOOR, ECHO = "ours", "floor", "echo"
BUSY = 0.9


def markdown(results: Results) -> str:
    parts = [
        _head(results), _aims(results), *(_races(results, name) for name in _workloads(results)), _floor(results),
        _starvation(results), _ending(results), _missing(results),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: Results) -> str:
    ceiling = ", ".join(f"{load.rate:,.0f} with {clients}" for clients, load in results.ceiling.items())
    lines = [
        f"{results.machine}; one core for the servers and one for {results.generator}; {results.rounds} rounds of "
        f"{results.seconds:g} s, mixed by chance; medians, ± half the range; ratios with 95 % intervals by rounds."
    ]
    if results.processor_time:
        lines.append("Rates are requests in a second of the servers' processor time, which says what they cost.")
    if ceiling:
        lines.append(f"The generator alone, against a socket that looks at nothing: {ceiling} connections.")
    return " ".join(lines)


def _aims(results: Results) -> str:
    rows = [["aim", "found", ""]]
    for cell in results.loads:
        if not results.rates(cell, OURS):
            continue
        if cell.workload == "pipeline":
            rows += _against(results, cell, "sklearn", 50)
        rows += _against(results, cell, "onnx", 8)
        if results.rates(cell, FLOOR):
            found = results.ratio(cell, OURS, FLOOR)
            rows.append([f"70 % of the floor, {_named(cell)}", _percent(found), _verdict(found.value >= 0.7)])
        if cell.clients == 1 and cell.rows == 1:
            p99 = statistics.median(load.p99_ms for load in results.loads[cell][OURS])
            rows.append([f"p99 under 0.3 ms, {_named(cell)}", f"{p99:.2f} ms", _verdict(p99 < 0.3)])
    if results.ready.get(OURS):
        ready = statistics.median(results.ready[OURS])
        rows.append(["ready in under 0.3 s", f"{ready:.2f} s", _verdict(ready < 0.3)])
    ours = [megabytes for (_, name), megabytes in results.megabytes.items() if name == OURS]
    if ours:
        rows.append(["under 80 MB resident", f"{max(ours):.0f} MB", _verdict(max(ours) < 80)])
    return table(rows) if len(rows) > 1 else ""


def _against(results: Results, cell: Cell, runtime: str, aim: float) -> list[list[str]]:
    peer = results.fastest(cell, runtime)
    if peer is None:
        return []
    found = results.ratio(cell, OURS, peer)
    what = {"sklearn": "peer on the default path", "onnx": "ONNX peer"}[runtime]
    said = f"{times(found)} {results.titles[peer]}"
    return [[f"{aim:g} times the fastest {what}, {_named(cell)}", said, _verdict(found.value >= aim)]]


def _races(results: Results, workload: str) -> str:
    """Requests a second of everybody, and how many times as many are ours."""
    cells = [cell for cell in results.loads if cell.workload == workload]
    single = next((cell for cell in cells if (cell.rows, cell.clients) == (1, 1)), None)
    head = [workload, "ready s", "MB", *(["1 row, 1 client: p50 / p99 ms"] if single else [])]
    rows = [[*head, *(f"{_short(cell)}: requests/s" for cell in cells)]]
    for name in dict.fromkeys(name for cell in cells for name in results.loads[cell]):
        ready = f"{statistics.median(results.ready[name]):.2f}"
        row = [results.titles[name], ready, f"{results.megabytes[workload, name]:.0f}"]
        if single:
            loads = results.loads[single][name]
            p50, p99 = (statistics.median(getattr(load, each) for load in loads) for each in ("p50_ms", "p99_ms"))
            row.append(f"{p50:.3f} / {p99:.3f}")
        rows.append([*row, *(_raced(results, cell, name) for cell in cells)])
    return table(rows)


def _raced(results: Results, cell: Cell, name: str) -> str:
    loads = results.loads[cell][name]
    rates = [load.rate for load in loads]
    around = f" ± {spread(rates):.0%}" if len(rates) > 1 else ""
    said = [f"{statistics.median(rates):,.0f}{around}"]
    if name != OURS and results.rates(cell, OURS):
        said.append(f"ours {times(results.ratio(cell, OURS, name))}")
    if failed := sum(load.failed for load in loads):
        said.append(f"{failed} failed")
    if max(load.busy for load in loads) > BUSY:
        said.append("the generator's limit")
    return "; ".join(said)


def _floor(results: Results) -> str:
    """The echo's time a request and the run's, added up: what no service around this runtime can beat."""
    rows = [["", "session.run alone, µs", "bare HTTP echo, µs", "both", "floor, µs", "mlops-ci, µs"]]
    for cell in results.loads:
        if cell.clients == 1 or cell.workload not in results.run_alone or not results.rates(cell, ECHO):
            continue
        run = results.run_alone[cell.workload][cell.rows]
        echo, floor, ours = (_microseconds(results, cell, name) for name in (ECHO, FLOOR, OURS))
        if echo and floor and ours:
            said = (f"{value:.0f}" for value in (run, echo, run + echo, floor, ours))
            rows.append([_named(cell), *said])
    return f"Time of the core for one request:\n\n{table(rows)}" if len(rows) > 1 else ""


def _microseconds(results: Results, cell: Cell, name: str) -> float:
    rates = results.rates(cell, name)
    return 1e6 / statistics.median(rates) if rates else 0


def _starvation(results: Results) -> str:
    rows = [["forest of 500 trees, p50 / p99 ms"]]
    rows[0] += dict.fromkeys(what for found in results.starvation.values() for what in found)
    for name, found in results.starvation.items():
        took = [
            f"{percentile(each, 0.5):.1f} / {percentile(each, 0.99):.1f}" if each else "-" for each in found.values()
        ]
        rows.append([results.titles[name], *took])
    return table(rows) if len(rows) > 1 else ""


def _ending(results: Results) -> str:
    rows = [["SIGTERM under load", "answered after it", "lost"]]
    rows += [
        [results.titles[name], f"{counts['answered']:,}", f"{counts['lost']:,}"]
        for name, counts in results.ending.items()
    ]
    return table(rows) if len(rows) > 1 else ""


def _missing(results: Results) -> str:
    return "\n".join(f"- not compared: {title} {reason}" for title, reason in results.missing.items())


def _workloads(results: Results) -> list[str]:
    return list(dict.fromkeys(cell.workload for cell in results.loads))


def _named(cell: Cell) -> str:
    return f"{cell.workload}, {_short(cell)}"


def _short(cell: Cell) -> str:
    return f"{cell.rows} row{'s' * (cell.rows > 1)}, {cell.clients} client{'s' * (cell.clients > 1)}"


def times(found: Ratio) -> str:
    interval = f" [{_number(found.low)}, {_number(found.high)}]" if found.high > found.low else ""
    return f"{_number(found.value)} times{interval}"


def _percent(found: Ratio) -> str:
    interval = f" [{found.low:.0%}, {found.high:.0%}]" if found.high > found.low else ""
    return f"{found.value:.0%}{interval}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
