"""Instructions of session cores and shards that are stepped under valgrind's callgrind (`perf/steps.rs`)."""

import json
import re
import shutil
import subprocess
import sys

import measure

STEPS = measure.ROOT / "target/release/examples/steps"


def build():
    if not shutil.which("valgrind"):
        sys.exit("this needs valgrind: apt-get install valgrind")
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "rialto", "--example", "steps"],
                   cwd=measure.ROOT, check=True)


def instructions(layout, words, folder):
    """What `steps` prints, and instructions under each of its two functions by layout."""
    out = folder / "callgrind"
    text = measure.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet", STEPS,
                        "--cores", layout[0], "--shards", layout[1], *words])
    listing = measure.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out])
    counted = {}
    for function in ("step_core", "step_shard"):
        found = re.search(rf"^\s*([\d,]+)[^\n]*Machine::{function}\b", listing, re.MULTILINE)
        counted[function] = int(found.group(1).replace(",", "")) if found else None
    return json.loads(text), counted
