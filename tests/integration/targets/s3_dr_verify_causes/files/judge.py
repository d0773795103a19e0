# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Compare what a verify found with what must be found: no more, no less.

stdin is `{"expected": [...], "found": [...]}`; each line of stdout is a difference. With one there is an
error.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

FIELDS = ("cause", "source", "destination", "key", "version_id", "rule", "missing", "delete_marker")


def identity(finding: dict[str, Any]) -> str:
    return json.dumps({field: finding[field] for field in FIELDS})


def main() -> int:
    given = json.load(sys.stdin)
    expected, found = given["expected"], given["found"]
    wanted, seen = (Counter(identity(one) for one in findings) for findings in (expected, found))
    problems = [f"missing: {one}" for one in (wanted - seen).elements()]
    problems += [f"not expected: {one}" for one in (seen - wanted).elements()]
    details = {identity(one): one["detail"] for one in found}
    problems += [
        f"detail of {one['key']!r}: {details[identity(one)]!r} does not say {one['detail']!r}"
        for one in expected
        if identity(one) in details and one["detail"] not in details[identity(one)]
    ]
    problems += [f"no remedy: {one['key']!r}" for one in found if not one["remedy"]]
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
