"""Results as Markdown: a table for each shape, and the table of what was to be reached."""

import measure

MIB = 2**20


def number(value, digits=2, unit=1):
    return "–" if value is None else f"{value / unit:,.{digits}f}"


def ratio(row, base, field):
    """None where one of the two is missing, or does not count because something is wrong with it."""
    if not base or not row.get("ok") or not base.get("ok") or not row.get(field) or not base.get(field):
        return None
    return row[field] / base[field]


def outcome(row):
    if row.get("ok"):
        return "right" if row["check"] == "exact" else f"right ({row['check']})"
    if "failure" in row:
        return row["failure"].splitlines()[-1][:80]
    late = any("time ran out" in remark for remark in row.get("remarks", []))
    what = f"not done in {row['timeout_s']:.0f} s" if late else "wrong"
    return f"{what}: {row['wrong_prefixes']:,.0f} prefixes of {row['wrong_clients']:.0f} clients"


def shape(result):
    servers = result["servers"]
    blaster = servers.get("blaster")
    known = next((row for row in servers.values() if row.get("routes")), {})
    lines = [f"### {result['shape']}: {result['about']}", "",
             f"{number(known.get('clients'), 0)} clients, {number(known.get('prefixes'), 0)} prefixes, "
             f"{number(known.get('routes'), 0)} routes in {number(known.get('attribute_sets'), 0)} attribute sets; "
             f"`rialto load {' '.join(result['words'])}`", "",
             "| server | outcome | CPU s | ÷ blaster | with the reader's kernel | ÷ blaster | wall s | ÷ blaster | MB sent "
             "| ÷ blaster | peak MiB | settled MiB |", "| --- " * 12 + "|"]
    for row in servers.values():
        cells = [row["version"], outcome(row), number(row.get("cpu_s")), number(ratio(row, blaster, "cpu_s"), 1),
                 number(row.get("cpu_both_s")), number(ratio(row, blaster, "cpu_both_s")), number(row.get("wall_s")), number(ratio(row, blaster, "wall_s")), number(row.get("octets_in"), 0, 1e6),
                 number(ratio(row, blaster, "octets_in")), number(row.get("rss_peak"), 0, MIB),
                 number(row.get("rss_settled"), 0, MIB)]
        lines.append("| " + " | ".join(cells) + " |")
    for server, row in servers.items():
        lines += ["", *details(server, row)] if details(server, row) else []
    return lines + [""]


def details(server, row):
    """Steps of the scenarios that have several, and how long changes took."""
    lines = []
    if len(row.get("steps") or []) > 1:
        steps = (f"{step['name']}: {number(step.get('took_s'), 3)} s" + ("" if step["right"] else " WRONG")
                 for step in row["steps"])
        lines.append(f"{server}: " + "; ".join(steps) + ".")
    if row.get("join"):
        figures = row["join"]
        lines.append(f"{server}: who joins has its last prefix {figures['from_connect_s']:.3f} s after its SYN, "
                     f"{figures['from_established_s']:.3f} s after its session is up.")
    if row.get("churn"):
        figures = row["churn"]
        lines.append(f"{server}: {figures['changes']:,.0f} changes in {figures['made_in_s']:.1f} s, at most "
                     f"{figures['late_ms']:.1f} ms late; on their way at half time {figures['awaited_at_half']:.0f}, "
                     f"at the end {figures['awaited_at_end']:.0f}.")
    if row.get("turns"):
        figures = row["turns"]
        arrival = figures["arrival"]
        if arrival:
            lines.append(f"{server}: {number(arrival['vrps'], 0)} VRPs came, what follows after "
                         f"{number(arrival['took_s'], 3)} s (they were on their way after "
                         f"{number(arrival['answered_s'], 3)} s), between running changes {number(arrival['gap_ms'], 0)} ms "
                         f"at most.")
        lines.append(f"{server}: answered after {number(figures['answered_s'], 3)} s, rejected after "
                     f"{number(figures['rejected_s'], 3)} s, accepted again after {number(figures['accepted_s'], 3)} s "
                     f"(medians); between running changes {number(figures['gap_ms'], 0)} ms at most (median turn), "
                     f"{number(figures['gap_max_ms'], 0)} ms (worst turn), {number(figures['quiet_gap_ms'], 0)} ms before; "
                     f"{number(figures['needless'], 0)} prefixes sent for nothing.")
    for name, when in (("latency", ""), ("latency_joining", " while one joins")):
        spread = row.get(name)
        if not spread:
            continue
        lines.append(f"{server}: arrival{when} p50 {spread['p50']:.2f} ms, p99 {spread['p99']:.2f} ms, "
                     f"max {spread['max']:.2f} ms, {spread['count']:,.0f} arrivals.")
    return lines


def rows_to_reach(figures):
    lines = ["| figure | shape | to reach | measured | reached |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        lines.append(f"| {figure['figure']} | {figure['shape']} | {figure['to_reach']} | {figure['measured']} | "
                     f"{'–' if figure['reached'] is None else 'yes' if figure['reached'] else '**no**'} |")
    return lines


def head(date, options):
    congestion = "the host's" if options["congestion"] == "host" else options["congestion"]
    return [f"Commit {measure.commit()}, {date}, {measure.machine()}; the load generator on the same cores; "
            f"congestion control {congestion}; {options['repeat']} run(s) each, medians.", ""]
