# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A pair set up and paused: the checks before the plan, and the proof after it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.canary import Canary, Route, each, prove
from .._aws.contents import count_versions
from .._aws.gateway import AwsFailure, Gateway, asking
from .._aws.simulation import simulate
from .._core.adoption import Existing, adopted, existing_notes
from .._core.constraints import check_accounts
from .._core.foreign import rules_beside, warnings_about
from .._core.model import Accounts, InvalidInput, Pair
from .._core.plan import Observed, Wish, applied, plan
from .._core.preflight import Check, Status, fact_addresses, facts_of_a_change, preflight, require, simulations
from .._core.proofs import flights_of_destinations, unproven
from .._core.replication import (
    Intent,
    check_buckets,
    enabled_again_notes,
    gap_notes,
    gaps,
    leftovers,
    notes,
    object_lock_newly,
    optional_addresses,
    pair_addresses,
    pair_wish,
    roles_kept_notes,
    statements_owed,
    unrecorded_pauses,
    without_overlap,
    without_roles_in_use,
)
from .._core.verdict import AFTER_SETUP, not_arrived, unproven_by
from .clients import Clients
from .pair_options import credentials_from
from .reconcile import NotProven, reconcile

LONGEST_RESUMPTION = timedelta(minutes=15)
"""From the plan to rules that are enabled: within this time after it every new object replicates again."""

MOST_PAGES_COUNTED = 100
"""Of a bucket that is adopted so many pages of 1,000 versions are counted; of more it says "at least"."""


class Setup:
    """One run of `state: present` or `state: paused`."""

    def __init__(self, module: AnsibleAWSModule, clients: Clients, gateway: Gateway, pair: Pair) -> None:
        self.module = module
        self.clients = clients
        self.gateway = gateway
        self.pair = pair
        self.accounts: Accounts = clients.accounts_of(pair, credentials_from(module.params))
        self.paused = module.params["state"] == "paused"
        self.result: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Check, plan, change, prove."""
        check_accounts(self.pair, self.accounts)
        addresses = pair_addresses(self.pair, self.accounts)
        optional = [*optional_addresses(addresses), *fact_addresses(self.pair, self.accounts)]
        change = reconcile(self.module, self.gateway, addresses, self.goal, optional)
        self.result.update(change)
        self.result["canaries"] = self.prove() if self.is_to_be_proven() else []
        return self.result

    def goal(self, observed: Observed) -> tuple[Wish, Wish]:
        """What is wished and unwanted, when all checks have passed."""
        pair, accounts, params = self.pair, self.accounts, self.module.params
        check_buckets(pair.ends(), accounts, observed, create=params["create_buckets"])
        now = datetime.now(UTC)
        intent = Intent(self.paused, params["purge_rules"], _text(now), _text(now + LONGEST_RESUMPTION))
        wish, leftover = pair_wish(pair, accounts, observed, intent), leftovers(pair, accounts, observed)
        build, unwanted = without_overlap(wish, without_roles_in_use(leftover, observed))
        steps = plan(build, observed, unwanted)
        if steps or self.module.check_mode:
            observed = {**observed, **self.gateway.observe([], facts_of_a_change(pair, accounts))}
        checks = self.check(observed, wish)
        self.result = {
            "preflight": [check.as_result() for check in checks],
            "foreign_rules": rules_beside(pair, accounts, observed),
            "statements_to_apply": statements_owed(pair, accounts, observed),
            "gaps": gaps(pair, accounts, applied(steps, observed)),
        }
        self.warn_of(checks, observed)
        if not self.paused and params["on_failed_check"] == "fail":
            require(checks, self.result)
        self.confirm_object_lock(object_lock_newly(wish, observed))
        existing = self.existing_objects(observed)
        self.result["existing_objects"] = [one.as_result() for one in existing]
        self.result["notes"] += [
            *notes(wish, observed),
            *existing_notes(existing),
            *roles_kept_notes(leftover, observed),
            *([] if self.paused else enabled_again_notes(pair, accounts, observed)),
            *gap_notes(self.result["gaps"]),
            *(unrecorded_pauses(pair) if self.paused else []),
        ]
        return build, unwanted

    def warn_of(self, checks: list[Check], observed: Observed) -> None:
        """Say what may go wrong, and note what is not known. A pause is never kept from anybody whose objects fail."""
        self.result["notes"] = [check.message for check in checks if check.status is Status.UNKNOWN]
        if not self.module.params["purge_rules"]:
            for warning in warnings_about(self.pair, self.accounts, observed):
                warn(warning)  # AnsibleAWSModule.warn would also pass it to exit_json, which ansible-core deprecates
        advisory = self.paused or self.module.params["on_failed_check"] == "warn"
        for check in checks:
            if check.status is Status.WARNING or (advisory and check.status is Status.FAILED):
                warn(check.message)

    def check(self, observed: Observed, wish: Wish) -> list[Check]:
        """All read-only checks."""
        asked = simulations(self.pair, self.accounts, observed, wish)
        answers = {one.role: simulate(self.clients, one) for one in asked}
        simulated = {role: decisions for role, decisions in answers.items() if decisions is not None}
        return preflight(self.pair, self.accounts, observed, wish, simulated)

    def existing_objects(self, observed: Observed) -> list[Existing]:
        """What the sources hold that no new rule will replicate."""
        if self.paused:
            return []
        found = []
        for one in adopted(self.pair, self.accounts, observed):
            owner = self.accounts[one.end.bucket].id
            client = self.clients("s3", one.end.region, owner)
            try:
                with asking(f"the versions of bucket '{one.end.bucket}'", "s3:ListBucketVersions"):
                    counted = count_versions(client, one.end.bucket, owner, one.prefixes, MOST_PAGES_COUNTED)
                found.append(Existing(one.end.bucket, one.prefixes, *counted))
            except AwsFailure as failure:  # only a figure to know
                self.result["notes"].append(f"What {one.end.bucket} holds already was not counted: {failure}")
        return found

    def confirm_object_lock(self, buckets: list[str]) -> None:
        """Enabling Object Lock on a bucket that is there already needs the pair's name; check mode only says so."""
        if not buckets or self.module.params["confirm_object_lock"] == self.pair.name:
            return
        message = (
            f"pair '{self.pair.name}': Object Lock on {', '.join(buckets)} can never be disabled again, nor can "
            f"versioning be suspended there. Set `confirm_object_lock: {self.pair.name}` if that is meant."
        )
        if not self.module.check_mode:
            raise InvalidInput(message)
        warn(message)

    def is_to_be_proven(self) -> bool:
        """Only a change can break what worked, and a pause is no promise to replicate."""
        asked = self.module.params["wait"] and not self.module.check_mode
        return asked and self.result["changed"] and not self.paused

    def prove(self) -> list[dict[str, Any]]:
        """Send a canary to each destination and in each encryption; a wrong role or key shows in nothing else."""
        deadline = self.module.params["wait_timeout"]
        flights = flights_of_destinations(self.pair, self.accounts)
        routes = [Route.of(flight, self.accounts, self.clients) for flight in flights]
        canaries: list[Canary] = each(lambda route: prove(route, deadline), routes)
        results = [canary.as_result() for canary in canaries]
        self.result["notes"] += unproven(self.pair, self.accounts)
        for warning in unproven_by(results):
            warn(warning)
        problems = not_arrived([one for one in results if one["status"] in ("failed", "late", "differs")], AFTER_SETUP)
        if problems:
            message = (
                f"pair '{self.pair.name}' is set up, and yet objects do not arrive. {' '.join(problems)} Another run "
                "would change nothing and send no canary: prove it by crossregion.s3_dr.s3_dr_verify."
            )
            raise NotProven(message, {**self.result, "canaries": results})
        return results


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
