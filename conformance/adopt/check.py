"""Adopts drizzlepac's mosaics into a new catalog of their exposures; says what does not come out as it should.

python -m conformance.adopt.check EXPOSURES PRODUCTS
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def check_adoption(exposures: Path, mosaics: Path) -> list[str]:
    """Adopt all mosaics of a folder, unproven and then trusted; a line for each fault."""
    names = sorted(path.name.rsplit("_", 1)[0] for path in mosaics.glob("hst_*_dr?.fits"))
    faults = []
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch, "mvm.db")
        _run(catalog, "init", "--method", "hap", "--products", str(Path(scratch, "products")))
        _run(catalog, "ingest", str(exposures))
        for words, proof, reasons in (((), "unproven", {"pixels-unproven"}), (("--trust",), "trusted", set())):
            report = _run(catalog, "adopt", str(mosaics), "--json", *words)
            adopted = sorted(one["layer"] for one in report["adopted"] if one["proof"] == proof)
            if adopted != names:
                faults.append(f"{proof}: adopted {', '.join(adopted)} of {', '.join(names)}; left {report['left']}")
            stale = {layer["layer"]: layer["reasons"] for layer in _run(catalog, "status", "--json")["stale_layers"]}
            for name in names:
                found = {reason["code"] for reason in stale.get(name, ())}
                if found != reasons:
                    faults.append(f"{proof}: {name} is stale for {found or 'nothing'}; expected {reasons or 'nothing'}")
    return faults


def _run(catalog: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "mvmdb", "--db", str(catalog), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout) if "--json" in words else None


if __name__ == "__main__":
    found = check_adoption(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(found) or "all adopted as they should be")
    sys.exit(bool(found))
