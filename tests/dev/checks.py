# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Run the named checks, or all of them: `checks.py [STAGE ...] [-- ARGUMENT ...]`.

Arguments go to the tool behind the stage. The last line counts what passed and what failed.
"""

from __future__ import annotations

import sys

import tree
from paths import LOGS
from runner import run_stages, summary
from stages import STAGES


def main(words: list[str]) -> int:
    split = words.index("--") if "--" in words else len(words)
    names, arguments = words[:split], words[split + 1 :]
    if unknown := [name for name in names if name not in STAGES]:
        sys.exit(f"no such check: {', '.join(unknown)}; there are: {', '.join(STAGES)}")
    tree.main()
    results = run_stages({name: STAGES[name] for name in names or STAGES}, LOGS, arguments)
    print(summary(results), flush=True)
    return 1 if any(result.failure for result in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
