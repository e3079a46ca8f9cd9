"""Runner of all benchmarks: `make bench`, `python -m benchmarks.run [--quick]`.

A part that fails is told at the end and leaves its figures of before; the others still run.
"""

from __future__ import annotations

import sys
import traceback

from benchmarks import desk, growth, imports, ingress, publish, results, scale, throughput

PARTS = {
    "ingress": ingress.measure,
    "desk": desk.measure,
    "publish": publish.measure,
    "throughput": throughput.measure,
    "growth": growth.measure,
    "imports": imports.measure,
}


def main() -> int:
    """Run part after part and write the results; return the exit code."""
    options = results.read_options(__doc__)
    failed = []
    for name, measure in PARTS.items():
        try:
            results.write(options, name, measure(options))
        except Exception:
            # The outermost loop: half an hour of figures must not be lost to one part.
            traceback.print_exc()
            failed.append(name)
    scale.write(options.output)
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
