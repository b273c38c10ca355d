"""One measurement: a route server in one network namespace, `rialto load` in another, a veth pair between
them. Knows servers and processes; which shapes there are is `shapes.py`'s, what it means `render.py`'s."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RIALTO = pathlib.Path(os.environ.get("RIALTO", ROOT / "target/release/rialto")).resolve()
LOAD = os.environ.get("RIALTO_LOAD", f"{RIALTO} load").split()
BLASTER = ROOT / "target/release/examples/blaster"
ADDRESS = "10.77.255.254"
# Of the server's and the clients' end of the veth pair.
MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02"]
PEERS = ["bird", "openbgpd", "gobgp", "frr"]
SERVERS = ["rialto", "blaster", *PEERS]
PACKAGES = {
    "bird": ("/usr/sbin/bird", "bird2"),
    "openbgpd": ("/usr/sbin/bgpd", "openbgpd"),
    "gobgp": ("/usr/bin/gobgpd", "gobgpd"),
    "frr": ("/usr/lib/frr/bgpd", "frr"),
}
# Stands in a shape's words for the folder of one measurement; the server is started with its file conf.
FOLDER = "{folder}"
# How much of RFC 7947 each is asked for: OpenBGPD's `rde evaluate all` stops at a path of the receiver itself,
# FRR has one best path for all.
CHECKS = {"openbgpd": "hiding-allowed", "frr": "hiding-allowed"}


# An end from outside cleans up as well.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(words, **options):
    words = [str(word) for word in words]
    return subprocess.run(words, check=True, text=True, capture_output=True, **options).stdout


def build(example="blaster"):
    if "RIALTO" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "rialto", "--example", example],
                       cwd=ROOT, check=True)


def install(servers):
    """Debian's packages of the servers that are missing."""
    missing = [PACKAGES[server][1] for server in servers if server in PEERS and not os.path.exists(PACKAGES[server][0])]
    if missing and shutil.which("apt-get"):
        print("installing", *missing, file=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
                       stdout=subprocess.DEVNULL, check=False)


def version(server):
    try:
        if server in ("rialto", "blaster"):
            text = run([RIALTO, "--version"]).strip()
            return text if server == "rialto" else "blaster (the octets alone)"
        package = PACKAGES[server][1]
        return run(["dpkg-query", "-W", "-f", f"{package} ${{Version}}", package])
    except (OSError, subprocess.CalledProcessError):
        return server


def commit():
    return run(["git", "describe", "--always", "--dirty"], cwd=ROOT).strip()


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"


class Lan:
    """Two namespaces; the clients' has all their addresses."""

    def __init__(self, clients, ipv6, congestion):
        self.server, self.clients = f"rialto-s-{os.getpid()}", f"rialto-c-{os.getpid()}"
        try:
            self._make(clients, ipv6, congestion)
        except BaseException:
            self.remove()
            raise

    def _make(self, clients, ipv6, congestion):
        ip = lambda *words: run(["ip", *words])
        ip("netns", "add", self.server)
        ip("netns", "add", self.clients)
        ip("link", "add", "rs", "netns", self.server, "address", MACS[0], "type", "veth",
           "peer", "name", "lan", "netns", self.clients, "address", MACS[1])
        ip("-n", self.server, "addr", "add", f"{ADDRESS}/16", "dev", "rs")
        ip("-n", self.server, "addr", "add", "fd77::a4d:fffe/64", "dev", "rs", "nodad")
        for namespace, device in ((self.server, "rs"), (self.clients, "lan")):
            ip("-n", namespace, "link", "set", "lo", "up")
            ip("-n", namespace, "link", "set", device, "up")
            # What TCP learnt of the way in one run would make the next one cheaper.
            settings = ["net.ipv4.tcp_no_metrics_save=1"]
            if congestion != "host":
                settings.append(f"net.ipv4.tcp_congestion_control={congestion}")
            run(["ip", "netns", "exec", namespace, "sysctl", "-qw", *settings])
        ip("-n", self.clients, "neigh", "add", ADDRESS, "lladdr", MACS[0], "dev", "lan", "nud", "permanent")
        lines, neighbours = [], []
        for client in range(clients):
            third, fourth = 1 + client // 200, 1 + client % 200
            # The kernel holds 1,024 neighbours for all namespaces together, but for permanent ones; above,
            # it drops SYNs.
            neighbours.append(f"neigh add 10.77.{third}.{fourth} lladdr {MACS[1]} dev rs nud permanent")
            lines.append(f"addr add 10.77.{third}.{fourth}/16 dev lan")
            if ipv6:
                lines.append(f"addr add fd77::a4d:{third:02x}{fourth:02x}/64 dev lan nodad")
        run(["ip", "-n", self.clients, "-batch", "-"], input="\n".join(lines) + "\n")
        run(["ip", "-n", self.server, "-batch", "-"], input="\n".join(neighbours) + "\n")

    def pids(self):
        return [int(pid) for pid in run(["ip", "netns", "pids", self.server]).split()]

    def remove(self):
        for namespace in (self.server, self.clients):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)


def command(server, folder, words, options):
    """What runs the server in the foreground; its configuration is `folder`/conf."""
    conf = folder / "conf"
    if server == "blaster":
        return [BLASTER, *words]
    text = run([*LOAD, *words, "--print-config", server])
    if server == "rialto":
        text = edited(text, options["edit"]) + options.get("rialto_config", "")
    conf.write_text(text)
    conf.chmod(0o600 if server == "openbgpd" else 0o644)
    if server == "frr":
        folder.chmod(0o777)
    return {
        "rialto": [RIALTO, "run", "--config", conf],
        "bird": ["/usr/sbin/bird", "-f", "-c", conf, "-s", "bird.ctl"],
        "openbgpd": ["/usr/sbin/bgpd", "-d", "-f", conf],
        "gobgp": ["/usr/bin/gobgpd", "-f", conf, "-t", "toml", "--pprof-disable", "-l", "warn"],
        "frr": ["/usr/lib/frr/bgpd", "-f", conf, "-Z", "-n", "-S", "-l", ADDRESS, "-P", "0",
                "--vty_socket", folder, "-i", folder / "bgpd.pid"],
    }[server]


def edited(text, edits):
    for before, after in edits:
        if before not in text:
            raise ValueError(f"the configuration has no {before!r}")
        text = text.replace(before, after)
    return text


def status(pids, name):
    """A field of /proc/PID/status in octets, summed."""
    total = 0
    for pid in pids:
        try:
            for line in open(f"/proc/{pid}/status"):
                if line.startswith(name + ":"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def cpu_s(pids):
    """CPU time of all threads that are, to the nanosecond."""
    total = 0
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                total += int(open(f"/proc/{pid}/task/{thread}/schedstat").read().split()[0])
        except (OSError, IndexError):
            pass
    return total / 1e9


def socket_count(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def watch(load, pids, deadline):
    """Samples of the server until the load's end; none once the clients begin to go."""
    samples, most = [], 0
    while load.poll() is None and time.monotonic() < deadline:
        sample = {"at": time.monotonic(), "cpu_s": cpu_s(pids), "rss": status(pids, "VmRSS")}
        count = socket_count(load.pid)
        most = max(most, count)
        if count >= most:
            samples.append(sample)
        time.sleep(0.1)
    if load.poll() is None:
        load.kill()
    return samples


def wait_for_listener(lan, server):
    for _ in range(1800):
        if server.poll() is not None:
            return False
        if run(["ip", "netns", "exec", lan.server, "ss", "-Hltn", "sport = :179"]).strip():
            return True
        time.sleep(0.1)
    return False


def measure(lan, server, shape, timeout_s, options):
    """The row of one server: what `rialto load` says of it, and what /proc says."""
    words = ["--target", f"{ADDRESS}:179", "--source-net", "10.77.0.0/16", *shape["words"]]
    with tempfile.TemporaryDirectory(prefix="rialto-perf-") as folder:
        folder = pathlib.Path(folder)
        words = [str(word).replace(FOLDER, str(folder)) for word in words]
        folder.chmod(0o755)
        log = open(folder / "log", "w")
        words_of_server = command(server, folder, words, {**options, "edit": shape["edit"]})
        process = subprocess.Popen(["ip", "netns", "exec", lan.server, *map(str, words_of_server)],
                                   cwd=folder, stdout=log, stderr=log)
        try:
            if not wait_for_listener(lan, process):
                return {"server": server, "ok": False, "failure": "did not start: " + tail(folder / "log")}
            # Some refuse who comes sooner, and would be charged for the wait until they come again.
            if server in PEERS:
                time.sleep(2)
            with recorded(lan, options.get("profile")):
                return {"server": server, **loaded(lan, server, shape, words, timeout_s)}
        finally:
            stop(lan, process)


@contextlib.contextmanager
def recorded(lan, profile):
    """Records the server with perf, where a file and a rate are given."""
    if not profile:
        yield
        return
    file, hertz = profile
    pids = ",".join(map(str, lan.pids()))
    perf = subprocess.Popen(["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", str(hertz), "-p", pids, "-o", file],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    try:
        yield
    finally:
        perf.send_signal(signal.SIGINT)
        perf.wait(30)


def loaded(lan, server, shape, words, timeout_s):
    pids = lan.pids()
    start = {"cpu_s": cpu_s(pids), "rss": status(pids, "VmRSS")}
    words = [*LOAD, *words, "--check", CHECKS.get(server, "exact"), "--server-pid", ",".join(map(str, pids)),
             "--timeout", timeout_s, "--connect-timeout", 60, "--json"]
    if server in PEERS:
        words += ["--patience", 60]
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        load = subprocess.Popen(["ip", "netns", "exec", lan.clients, *map(str, words)], stdout=out, stderr=err)
        # The plan of a large shape takes a while before the clock of the load begins.
        samples = watch(load, pids, began + timeout_s + 180)
        load.wait()
        out.seek(0)
        err.seek(0)
        text, error = out.read(), err.read()
    try:
        report = json.loads(text)
    except ValueError:
        return {"ok": False, "failure": "no result: " + error.strip()[-200:]}
    for long in ("mismatches", "drops"):
        report[f"{long}_count"] = len(report.get(long, []))
        report[long] = report.get(long, [])[:2]
    usage = report.get("server_usage") or {}
    last = samples[-1] if samples else start
    step = (report["steps"] or [{}])[0]
    reader_s = step.get("generator_kernel_s") if len(report["steps"]) == 1 else None
    cpu = last["cpu_s"] - start["cpu_s"]
    return {
        **report,
        "cpu_s": cpu,
        # The kernel charges TCP's work to whoever happens to run; with the reader's part nearly all is there. Its
        # kernel time is sampled, to some per cent.
        "cpu_both_s": None if reader_s is None else cpu + reader_s,
        "cpu_ticks_s": usage.get("cpu_s"),
        "wall_s": step.get("took_s"),
        "rss_start": start["rss"],
        "rss_peak": usage.get("memory_peak"),
        "rss_settled": last["rss"],
    }


def tail(file):
    return file.read_text(errors="replace").strip()[-300:]


def stop(lan, process):
    process.terminate()
    try:
        process.wait(6)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # Whatever else the server has started lives in its namespace.
    for pid in lan.pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
