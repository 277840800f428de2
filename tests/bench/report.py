"""The measurements as text, Markdown and JSON."""

import statistics

HEADS = ["row", "what", "Gantry", "against", "takes", "figure", "least – most", "goal", "met", "growth"]


def amount(case, samples):
    if not any(samples):
        return ""
    value = statistics.median(samples)
    if "MiB" in case.figure.text(0):
        return f"{value / 2**20:.1f} MiB"
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def goal_text(case):
    if case.goal is None:
        return ""
    return ("≤ " if case.figure.at_most else "≥ ") + case.figure.text(case.goal).lstrip("+")


def growth_of(case, cases):
    """On the largest of a series: how much more it takes than the smallest."""
    series = [one for one in cases if one.row == case.row and one.series == case.series and one.our_samples]
    smallest, largest = min(series, key=lambda one: one.size), max(series, key=lambda one: one.size)
    if not case.series or case is not largest or smallest is largest:
        return ""
    growth = statistics.median(largest.our_samples) / statistics.median(smallest.our_samples)
    return f"{growth:.1f} × for {largest.size / smallest.size:.0f} ×"


def lines_of(cases):
    for case in cases:
        if not case.our_samples:
            word, why = ("failed", case.failure.splitlines()[0]) if case.failure else ("skipped", case.skipped)
            yield [case.row, case.what, "", case.against, "", word, why, goal_text(case), "", ""]
            continue
        figures = case.figures()
        span = f"{case.figure.text(min(figures))} – {case.figure.text(max(figures))}" if len(figures) > 1 else ""
        met = {None: "", True: "yes", False: "no"}[case.is_met()]
        yield [case.row, case.what, amount(case, case.our_samples), case.against, amount(case, case.their_samples),
               case.figure.text(case.median()), span, goal_text(case), met, growth_of(case, cases)]


def text_table(cases):
    lines = [HEADS, *lines_of(cases)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown_table(cases):
    rows = ["| " + " | ".join(line) + " |" for line in lines_of(cases)]
    return "\n".join(["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS), *rows])


def facts_text(facts, pairs):
    return ", ".join(f"{name} {value}" for name, value in facts.items()) + f"; {pairs} pairs of each."


def as_json(cases, facts, pairs):
    return {
        "machine": facts,
        "pairs": pairs,
        "rows": [
            {
                "row": case.row, "what": case.what, "against": case.against, "size": case.size or None,
                "ours": case.our_samples, "theirs": case.their_samples, "figures": case.figures(),
                "median": case.median() if case.our_samples else None, "text": case.figure.text(case.median())
                if case.our_samples else None, "goal": goal_text(case) or None, "met": case.is_met(),
                "skipped": case.skipped or None, "failure": case.failure or None,
            }
            for case in cases
        ],
    }


BEGIN, END = "<!-- measured: written by `./dev bench --write` -->\n", "<!-- end of what was measured -->\n"


def write_into(path, cases, facts, pairs):
    """Replaces what stands between the two marks."""
    with open(path, encoding="utf-8") as file:
        before, found, rest = file.read().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{path} has no place for the table")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{facts_text(facts, pairs)}\n\n{markdown_table(cases)}\n\n{END}{after}")
