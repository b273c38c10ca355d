"""The shapes that are measured, each as the words of `rialto load` that make it. `perf/README.md` says why
they are these."""

import statistics
import sys

import measure

# 700 clients, 572 IPv4 /24s each, disjoint, one attribute set a client; `FOUR` is four prefixes to a set.
A = ["--clients", 700, "--even", "--prefixes", 400_400, "--control-share", 0]
FOUR = ["--prefixes-per-attributes", 4]
# 300,000 IPv4 and 90,000 IPv6 prefixes, uneven clients, 140 of them with ADD-PATH.
A_PRIME = ["--clients", 700, "--prefixes", 390_000, "--family", "both", "--ipv6-share", 0.2308,
           "--paths-per-prefix", 2.5, *FOUR, "--add-path-clients", 140, "--control-share", 0]
TAGGED = ["--tagging-clients", 0.36]
MEDIUM = ["--clients", 200, "--prefixes", 50_000, "--paths-per-prefix", 1.6, *FOUR]
CHURN = ["--scenario", "churn", "--duration", 20]
# 64 changes a second run while the configuration changes, there and back, so often.
RUNNING = ["--server-config", f"{measure.FOLDER}/conf", "--rate", 64]
RELOAD = ["--scenario", "reload", *RUNNING]
IRR = ["--irr-files", f"{measure.FOLDER}/irr", "--irr-entries"]
# Every check that there is, with data that all routes pass.
CHECKED = [*IRR, 10_000, "--vrp-file", f"{measure.FOLDER}/vrps.json", "--vrps", 500_000]
PRESET = 'preset = "exchange"\ntransit_free = false\nas_set = false\ncommunities_max = "none"\n'
ALL_CHECKS = [(PRESET, 'preset = "exchange"\nblackhole = true\n\n[blackhole]\nipv4 = "propagate_unchanged"\n'
               'ipv6 = "propagate_unchanged"\n')]
NO_CHECKS = [(PRESET, 'preset = "lab"\n')]
BOTH = ["rialto", "blaster"]
ALL = measure.SERVERS


def shape(about, words, servers=("rialto",), timeout_s=180, peers_timeout_s=240, edit=()):
    return {"about": about, "words": words, "servers": list(servers), "timeout_s": timeout_s,
            "peers_timeout_s": peers_timeout_s, "edit": list(edit)}


SHAPES = {
    "A": shape("700 clients, 572 prefixes each, one policy", [*A, "--settle", 3000], ALL, peers_timeout_s=120),
    "A4": shape("A with four prefixes to an attribute set", [*A, *FOUR], BOTH),
    "Aprime": shape("A′: uneven, both families, ADD-PATH, 36 % of clients tag", [*A_PRIME, *TAGGED], BOTH, 400),
    "Aprime-untagged": shape("A′ without tags", A_PRIME, BOTH, 400),
    "B2000": shape("2,000 clients, 100 prefixes each",
                   ["--clients", 2000, "--even", "--prefixes", 200_000, "--control-share", 0, *FOUR], BOTH),
    "B5000": shape("5,000 clients, 20 prefixes each",
                   ["--clients", 5000, "--even", "--prefixes", 100_000, "--control-share", 0, *FOUR], BOTH, 400),
    "C": shape("50 clients, each with the same 1,000,000 prefixes",
               ["--clients", 50, "--full-tables", "--prefixes", 1_000_000, "--control-share", 0, *FOUR,
                "--settle", 3000], BOTH, 900),
    "200x50000": shape("200 clients, 50,000 prefixes", [*MEDIUM, "--control-share", 0, "--settle", 3000], ALL),
    "200x50000-tagged": shape("the same, 36 % of attribute sets with control communities",
                              [*MEDIUM, "--control-share", 0.36, "--no-prepends", "--settle", 3000], ALL),
    "10x100000": shape("10 clients, 100,000 prefixes",
                       ["--clients", 10, "--prefixes", 100_000, "--paths-per-prefix", 1.6, *FOUR,
                        "--control-share", 0, "--settle", 3000], ["rialto", "blaster", "bird", "openbgpd"]),
    "join": shape("A, one client joins", [*A, "--scenario", "join"]),
    "join-busy": shape("A, 200 changes a second, one client joins in the middle",
                       [*A, "--scenario", "join-busy", "--rate", 200, "--duration", 4]),
    "flap": shape("A, 50 clients drop and return", [*A, "--scenario", "flap", "--affected", 50]),
    "churn500": shape("200 clients, 20,000 prefixes, 500 changes a second",
                      ["--clients", 200, "--prefixes", 20_000, "--control-share", 0, *CHURN, "--rate", 500]),
    "churn200-A": shape("A, 200 changes a second", [*A, *CHURN, "--rate", 200]),
    "churn2000-A": shape("A, 2,000 changes a second", [*A, *CHURN, "--rate", 2000]),
    "slow-A": shape("A, one client never reads",
                    [*A, "--scenario", "slow", "--affected", 1, "--rate", 10, "--duration", 1]),
    "reload0-A": shape("A, every path is judged again, none is rejected",
                       [*A, *RELOAD, "--rejected-share", 0, "--rounds", 3]),
    "reload1-A": shape("A, every path is judged again, 1 % of the prefixes flip",
                       [*A, *RELOAD, "--rejected-share", 0.01, "--rounds", 3]),
    "reload10-A": shape("A, every path is judged again, 10 % of the prefixes flip",
                        [*A, *RELOAD, "--rejected-share", 0.1, "--rounds", 3]),
    "reload100-A": shape("A, every path is rejected, and accepted again",
                         [*A, *RELOAD, "--rejected-share", 1, "--rounds", 2], timeout_s=400),
    "reload-irr": shape("320 clients, 183,040 prefixes, 3.2 million IRR entries of which half change",
                        ["--clients", 320, "--even", "--prefixes", 183_040, "--control-share", 0, *IRR, 10_000, *RELOAD,
                         "--rejected-share", 0.01, "--rounds", 3]),
    "vrps": shape("200 clients, 50,000 prefixes; 500,000 VRPs come, then 1,000 change",
                  [*MEDIUM, "--control-share", 0, "--scenario", "vrps", "--rtr-cache", "10.77.1.1:3323", "--vrps", 500_000,
                   "--changed-vrps", 1_000, "--rejected-share", 0.01, "--rate", 64, "--rounds", 3]),
    "Aprime-lab": shape("A′ with the preset lab: no checks", [*A_PRIME, *TAGGED], timeout_s=400, edit=NO_CHECKS),
    "Aprime-checked": shape("A′ with every check: IRR, ROV, ASPA, blackhole routes",
                            [*A_PRIME, *TAGGED, *CHECKED], timeout_s=400, edit=ALL_CHECKS),
    "idle-A": shape("A, no changes", [*A, "--scenario", "idle", "--duration", 60]),
}


def lan(shape, congestion):
    """The namespaces for a shape."""
    words = [str(word) for word in shape["words"]]
    ipv6 = "--family" in words and words[words.index("--family") + 1] != "ipv4"
    return measure.Lan(int(words[words.index("--clients") + 1]), ipv6, congestion)


def run(name, shape, servers, repeat, options, timeout_s=None):
    """One result: the median of each figure of each server, and the runs it comes from."""
    words = [str(word) for word in shape["words"]]
    namespaces = lan(shape, options["congestion"])
    runs = {server: [] for server in servers}
    try:
        for number in range(repeat):
            for server in servers:
                print(f"== {name}: {server}" + (f", run {number + 1}" if repeat > 1 else ""), file=sys.stderr)
                limit = shape["peers_timeout_s" if server in measure.PEERS else "timeout_s"]
                row = measure.measure(namespaces, server, shape, timeout_s or limit, options)
                row["timeout_s"] = timeout_s or limit
                runs[server].append(row)
    finally:
        namespaces.remove()
    return {"shape": name, "about": shape["about"], "words": words, "congestion": options["congestion"],
            "servers": {server: {**middle(rows), "version": measure.version(server), "runs": rows}
                        for server, rows in runs.items()}}


def middle(values):
    """The same value with each number the median of its runs; truth is what holds in all of them."""
    values = [value for value in values if value is not None]
    first = values[0] if values else None
    if isinstance(first, bool):
        return all(values)
    if isinstance(first, (int, float)):
        return statistics.median(values)
    if isinstance(first, dict):
        keys = dict.fromkeys(key for value in values for key in value)
        return {key: middle([value.get(key) for value in values]) for key in keys}
    if isinstance(first, list) and all(len(value) == len(first) for value in values):
        return [middle(list(each)) for each in zip(*values)]
    return first
