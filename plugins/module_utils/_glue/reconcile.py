# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Observe, plan, carry out, observe again: the one way in which every module of this collection changes AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._core.model import Address, InvalidInput, Refused, Step
from .._core.plan import Observed, Wish, plan
from .._core.render import as_diffs, as_results

Goal = Callable[[Observed], tuple[Wish, Wish]]
"""What is wished and what is unwanted, given what AWS holds. May raise InvalidInput or Refused."""

_SETTLE_SECONDS = 120.0
"""AWS says of a queue that is deleted that it may take a minute until it is gone."""
_SETTLE_PAUSE_SECONDS = 2.0


class DidNotSettle(Exception):
    """All calls succeeded, and yet AWS does not hold what was written."""


class NotProven(Exception):
    """All is set up, and yet an object did not arrive. `result` is what the task returns with the failure."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


def reconcile(
    module: AnsibleAWSModule,
    gateway: Gateway,
    addresses: Iterable[Address],
    goal: Goal,
    optional: Iterable[Address] = (),
) -> dict[str, Any]:
    """Make AWS as wished, or in check mode say by which steps it would be.

    Args:
        optional: what the goal looks at, too, if the credentials may read it.

    Returns:
        `changed`, `steps` and `diff`, all three made from the same plan.
    """
    observed = gateway.observe(addresses, optional)
    wish, unwanted = goal(observed)
    steps = plan(wish, observed, unwanted)
    if steps and not module.check_mode:
        gateway.carry_out(steps)
        _wait_until_settled(gateway, steps, wish, unwanted)
    return {"changed": bool(steps), "steps": as_results(steps), "diff": as_diffs(steps)}


def _wait_until_settled(gateway: Gateway, steps: Iterable[Step], wish: Wish, unwanted: Wish) -> None:
    changed = {step.address for step in steps} - gateway.seen
    wish = {address: ours for address, ours in wish.items() if address in changed}
    unwanted = {address: ours for address, ours in unwanted.items() if address in changed}
    deadline = time.monotonic() + _SETTLE_SECONDS
    while remaining := plan(wish, gateway.observe(changed), unwanted):
        if time.monotonic() > deadline:
            raise DidNotSettle(
                f"AWS accepted every change but {_SETTLE_SECONDS:.0f} s later still differs in "
                f"{', '.join(str(step.address) for step in remaining)}. Look for another tool that manages the same "
                "thing, then run again."
            )
        time.sleep(_SETTLE_PAUSE_SECONDS)


def run(module: AnsibleAWSModule, gateway: Gateway | None, body: Callable[[], dict[str, Any]]) -> NoReturn:
    """Exit with what the body returns, or fail with one message that says what is done and what is not."""
    try:
        result = body()
    except (InvalidInput, Refused, AwsFailure, DidNotSettle, NotProven) as error:
        done = gateway.done if gateway else []
        seen = {"changed": bool(done), "steps": as_results(done), "diff": as_diffs(done)}
        module.fail_json(msg=f"{error} {_said(done)}", **{**seen, **getattr(error, "result", {})})
    module.exit_json(**result)


def _said(done: list[Step]) -> str:
    if not done:
        return "Nothing was changed."
    return f"Already done before that: {', '.join(f'{step.action} {step.address}' for step in done)}."
