"""`hwsim`, and then one more line on stderr: the peak of its resident memory [B].

The process says so itself because Linux counts the memory that its parent had at the fork as the child's peak.
"""

from __future__ import annotations

import sys

from hwsim.cli import main


def peak() -> int:
    """Most memory that this process had resident [B]."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


try:
    main(prog_name="hwsim")
finally:
    print(peak(), file=sys.stderr)
