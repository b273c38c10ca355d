"""What is to be reached, and what was: each figure is a function of the results by shape."""

import measure
import render

MIB = render.MIB


def figures(results):
    """Those whose shapes were measured; `measured` is text, `reached` None where it cannot be said."""
    out = []
    for figure, shapes, to_reach, limits, value in TABLE:
        needed = [name for name in shapes if name in results]
        if not needed or (value.__name__ in PAIRS and len(needed) < len(shapes)):
            continue
        for name in [shapes] if value.__name__ in PAIRS else [[name] for name in needed]:
            measured = value(*[results[one]["servers"] for one in name])
            measured = measured if isinstance(measured, tuple) else (measured,)
            known = [one for one in measured if one is not None]
            out.append({
                "figure": figure, "shape": name[0], "to_reach": to_reach,
                "measured": " / ".join(short(one) for one in measured), "values": measured,
                "reached": all(one <= limit for one, limit in zip(measured, limits)) if limits and known == list(measured) else None,
            })
    return out


def short(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def right(servers, server="rialto"):
    row = servers.get(server) or {}
    return row if row.get("ok") else None


def field(servers, name, unit=1, server="rialto"):
    row = right(servers, server)
    return row[name] / unit if row and row.get(name) is not None else None


def over(value, base):
    return None if value is None or not base else value / base


def cpu(servers):
    return over(field(servers, "cpu_s"), field(servers, "cpu_s", server="blaster"))


def cpu_both(servers):
    return over(field(servers, "cpu_both_s"), field(servers, "cpu_both_s", server="blaster"))


def wall(servers):
    return over(field(servers, "wall_s"), field(servers, "wall_s", server="blaster"))


def octets(servers):
    return over(field(servers, "octets_in"), field(servers, "octets_in", server="blaster"))


def memory(servers):
    return field(servers, "rss_peak", MIB), field(servers, "rss_settled", MIB)


def cpu_beside(one, other):
    return over(field(one, "cpu_s"), field(other, "cpu_s"))


def memory_of_tags(tagged, untagged):
    return over(field(tagged, "rss_peak"), field(untagged, "rss_peak"))


def best_peer(servers):
    """A peer that was not done has spent at least as much."""
    spent = [row["cpu_s"] for name, row in servers.items() if name in measure.PEERS and row.get("cpu_s")]
    return over(field(servers, "cpu_s"), min(spent, default=None))


def memory_of_bird(servers):
    return over(field(servers, "rss_settled"), field(servers, "rss_settled", server="bird"))


def octets_a_path(servers):
    row = right(servers)
    return row and (row["rss_settled"] - row["rss_start"]) / row["routes"]


def steps(servers, name, field):
    """The longest of the steps with such a word in their name."""
    row = right(servers) or {"steps": []}
    return max((step[field] for step in row["steps"] if name in step["name"]), default=None)


def join(servers):
    figures = (right(servers) or {}).get("join") or {}
    return figures.get("from_connect_s")


def join_busy(servers):
    """p99 of what arrives at the others: while nobody joins, and while one does."""
    row = right(servers) or {}
    return tuple((row.get(name) or {}).get("p99") for name in ("latency", "latency_joining"))


def joined(servers):
    return ((right(servers) or {}).get("churn") or {}).get("joined_s")


def flap(servers):
    return steps(servers, "drop", "others_right_s"), steps(servers, "return", "others_right_s")


def arrival(servers):
    latency = (right(servers) or {}).get("latency") or {}
    return latency.get("p50"), latency.get("p99")


def arrival_late(servers):
    return arrival(servers)[1]


def growth(servers):
    """Changes on their way when half were made, and at the end; 500 are those of a quarter of a second."""
    figures = (right(servers) or {}).get("churn") or {}
    return figures.get("awaited_at_half"), figures.get("awaited_at_end")


def reload(servers):
    """The slower direction."""
    figures = (right(servers) or {}).get("turns") or {}
    took = [figures.get(name) for name in ("rejected_s", "accepted_s")]
    return None if None in took else max(took)


def reload_memory(servers):
    return reload(servers), field(servers, "rss_peak", MIB)


def vrps(servers):
    """All of them, seconds; some, milliseconds; prefixes sent for nothing."""
    figures = (right(servers) or {}).get("turns") or {}
    changed = reload(servers)
    return (figures.get("arrival") or {}).get("took_s"), changed and changed * 1000, figures.get("needless")


def reload_gap(servers):
    """Of the median turn, and of the worst."""
    figures = (right(servers) or {}).get("turns") or {}
    return figures.get("gap_ms"), figures.get("gap_max_ms")


def reload_all(reloaded, converged):
    """The slower direction beside the blaster's whole table."""
    return over(reload(reloaded), field(converged, "wall_s", server="blaster"))


def slow(slowed, without):
    return over(steps(slowed, "all announce", "others_right_s"), field(without, "wall_s"))


def slow_memory(slowed, without):
    peaks = field(slowed, "rss_peak", MIB), field(without, "rss_peak", MIB)
    return None if None in peaks else max(peaks[0] - peaks[1], 0.0)


def sessions_up(servers):
    return steps(servers, "announce", "sessions_up_s")


def idle(servers):
    row = right(servers)
    step = row and row["steps"][-1]
    return step and 100 * step["server"]["cpu_settled_s"] / step["took_s"]


# Those that set one shape against another.
PAIRS = {"reload_all", "cpu_beside", "memory_of_tags", "slow", "slow_memory"}
TAGS = ["Aprime", "Aprime-untagged"]
MEDIUM = ["200x50000", "200x50000-tagged"]
TABLE = [
    ("server CPU ÷ blaster CPU", ["A"], "≤ 1.3", [1.3], cpu),
    ("server CPU ÷ blaster CPU", ["A4", "Aprime"], "≤ 1.5", [1.5], cpu),
    ("server CPU ÷ blaster CPU", MEDIUM, "≤ 3", [3], cpu),
    ("CPU with the reader's kernel time ÷ blaster's", ["A", "A4", "Aprime", *MEDIUM], "report", [], cpu_both),
    ("wall time ÷ blaster's", ["A", "Aprime"], "≤ 1.3", [1.3], wall),
    ("octets sent ÷ blaster's", ["A", "A4", "Aprime", *MEDIUM], "report", [], octets),
    ("CPU with tags ÷ without", TAGS, "≤ 1.2", [1.2], cpu_beside),
    ("peak / settled RSS, MiB", ["A"], "≤ 300 / ≤ 130", [300, 130], memory),
    ("peak RSS with tags ÷ without", TAGS, "≤ 1.2", [1.2], memory_of_tags),
    ("CPU ÷ the best peer's", MEDIUM, "≤ 0.05", [0.05], best_peer),
    ("settled RSS ÷ BIRD 2's", ["10x100000", "200x50000"], "≤ 1.0", [1.0], memory_of_bird),
    ("octets of RIB a path", ["C"], "≤ 60", [60], octets_a_path),
    ("a client joins, s", ["join"], "≤ 0.5", [0.5], join),
    ("others' arrivals p99, else / while one joins, ms", ["join-busy"], "≤ 50 / ≤ 50", [50, 50], join_busy),
    ("it has its table, s", ["join-busy"], "≤ 0.5", [0.5], joined),
    ("50 clients drop / return, s", ["flap"], "≤ 0.3 / ≤ 0.5", [0.3, 0.5], flap),
    ("arrival p50 / p99, ms", ["churn500"], "≤ 1.5 / ≤ 10", [1.5, 10], arrival),
    ("arrival p50 / p99, ms", ["churn200-A"], "≤ 5 / ≤ 50", [5, 50], arrival),
    ("arrival p99, ms", ["churn2000-A"], "≤ 250", [250], arrival_late),
    ("changes on their way at half time / at the end", ["churn2000-A"], "no growth: ≤ 500 at the end", [float("inf"), 500], growth),
    ("one never reads: the others ÷ without", ["slow-A", "A"], "≤ 1.05", [1.05], slow),
    ("one never reads: more memory, MiB", ["slow-A", "A"], "≤ 2", [2], slow_memory),
    ("all sessions up, s", ["B2000"], "≤ 2", [2], sessions_up),
    ("every path judged again, 1 % flip: all tables right, s", ["reload1-A"], "≤ 1.0", [1.0], reload),
    ("and the longest gap between running changes, ms", ["reload1-A"], "≤ 200 in the median turn", [200, float("inf")], reload_gap),
    ("every path judged again: all tables right, s", ["reload10-A", "reload100-A"], "report", [], reload),
    ("and the longest gap between running changes, ms", ["reload0-A", "reload10-A"], "report", [], reload_gap),
    ("every path rejected or accepted again ÷ blaster's table, wall time", ["reload100-A", "A"], "≤ 1.3", [1.3], reload_all),
    ("half of the IRR entries change: all right, s / peak RSS, MiB", ["reload-irr"], "≤ 1.0 / ≤ 400", [1.0, 400], reload_memory),
    ("500,000 VRPs, s / 1,000 of them, ms / prefixes sent for nothing", ["vrps"], "≤ 1 / ≤ 20 / 0", [1.0, 20, 0], vrps),
    ("CPU with every check ÷ with none", ["Aprime-checked", "Aprime-lab"], "≤ 1.3", [1.3], cpu_beside),
    ("idle, % of a core", ["idle-A"], "< 1", [1], idle),
]
