# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A scheduled drill deployed, removed or started, as the task's options say.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws import executions
from .._aws.alarm_rows import alarms_named
from .._aws.gateway import Gateway, asking
from .._aws.verify_wishes import Wishes
from .._core.declaration import pair_from
from .._core.drill_wish import leftovers, possible_addresses, scheduled_drill_wish
from .._core.evidence_bucket import Keeping, evidence_bucket_wish
from .._core.model import KEY_ARN, Account, Accounts, Address, Document, End, InvalidInput
from .._core.plan import Observed, Wish
from .._core.recovery_bucket import bucket_name
from .._core.replication import bucket_address, bucket_deletion_wish, check_buckets, one_account
from .._core.scheduled_drill import Inventory, Names, ScheduledDrill
from .._function.sessions import accounts_of, ends_with_roles
from .clients import Clients
from .function_archive import archive_of
from .pair_options import complete_pair
from .reconcile import NotProven, reconcile


def keeping_from(params: dict[str, Any]) -> Keeping:
    """How long evidence is kept."""
    lock = params["evidence_lock"] or {}
    return Keeping(lock["mode"].upper() if lock else None, lock.get("days"), params["evidence_days"])


def inventory_from(params: dict[str, Any]) -> Inventory | None:
    """When reports of S3 Inventory are compared; None: never."""
    said = params["inventory"]
    if not said:
        return None
    return Inventory(said["threshold"], said["max_age_hours"], tuple(said["buckets"]), tuple(said["kms_key_arns"]))


def no_profiles(options: Mapping[str, Any]) -> None:
    """Refuse an end that is reached by a profile, which the function does not have."""
    rules = options.get("rules") or []
    ends = [options["primary"], options["dr"], *(rule["destination"] for rule in rules if rule.get("destination"))]
    for end in ends:
        if end.get("profile"):
            raise InvalidInput(
                f"pair '{options['name']}', bucket '{end['bucket']}': a function has no profiles. Name a role that it "
                "may assume as `assume_role_arn` of that end."
            )


def drill_from(
    params: dict[str, Any], account: Account, evidence_bucket: str, recovery_bucket: str, key_arns: Sequence[str]
) -> tuple[ScheduledDrill, dict[str, Accounts]]:
    """The drill that the task declares, and the accounts of each pair's buckets.

    Raises:
        InvalidInput: it cannot be right.
    """
    declared = {one["name"]: one for one in (complete_pair(one) for one in params["pairs"])}
    if len(declared) < len(params["pairs"]):
        raise InvalidInput("pairs: two of them have the same name. Give each its own.")
    for options in declared.values():
        no_profiles(options)
    pairs = {name: pair_from(dict(options)) for name, options in declared.items()}
    roles = {end["bucket"]: end["assume_role_arn"] for one in declared.values() for end in ends_with_roles(one)}
    places = {"{partition}": account.partition, "{region}": params["region"], "{account}": account.id}
    topics = [reduce(lambda arn, place: arn.replace(*place), places.items(), arn) for arn in params["topic_arns"]]
    inventory = inventory_from(params)
    settings = {
        "name": params["name"],
        "region": params["region"],
        "account": account.id,
        "partition": account.partition,
        "evidence_bucket": evidence_bucket,
        "recovery_bucket": recovery_bucket,
        "topic_arns": topics,
        "ops_items": params["ops_items"],
        "verify": params["verify"],
        "pairs": declared,
        "inventory": inventory.as_settings() if inventory else None,
    }
    Wishes.of({**params["verify"], "canary": True, "fail_on": []})
    archive = archive_of(settings)
    drill = ScheduledDrill(
        name=params["name"],
        region=params["region"],
        evidence_bucket=evidence_bucket,
        recovery_bucket=recovery_bucket,
        pairs=tuple(pairs.values()),
        roles=roles,
        code=archive.content,
        code_sha256=archive.sha256,
        schedule=params["schedule"],
        timezone=params["schedule_timezone"],
        flexible_minutes=params["flexible_window_minutes"],
        enabled=params["enabled"],
        runtime=params["runtime"],
        memory_mb=params["memory_mb"],
        timeout_seconds=params["timeout_seconds"],
        run_timeout_seconds=params["run_timeout_seconds"],
        concurrency=params["concurrency"],
        reserved_concurrency=params["reserved_concurrency"],
        log_days=params["log_days"],
        tracing=params["tracing"],
        topic_arns=tuple(topics),
        ops_items=params["ops_items"],
        no_proof_hours=params["no_proof_hours"],
        permissions_boundary=params["permissions_boundary"],
        deadline_seconds=params["verify"]["deadline_seconds"],
        key_arns=tuple(key_arns),
        inventory=inventory,
    )
    return drill, {name: accounts_of(pairs[name], declared[name], account) for name in pairs}


def key_of(bucket: str, encryption: Document | None, names: Names) -> str | None:
    """The key by which a bucket encrypts; None: S3's own, or KMS's own for S3, which needs no permission.

    Raises:
        InvalidInput: it is an alias, which no policy can name.
    """
    rules = (encryption or {}).get("Rules", [])
    key = next((rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules), None)
    if key is None or KEY_ARN.fullmatch(key):
        return key
    if "alias/" in key:
        raise InvalidInput(
            f"bucket '{bucket}': its default encryption names its key as {key}, and a policy cannot allow the use of "
            "an alias. Name the key by its ARN in the bucket's default encryption."
        )
    return names.arn("kms", f"key/{key}")


class Task:
    """What the task does in one account and Region."""

    def __init__(self, module: AnsibleAWSModule, clients: Clients, gateway: Gateway, account: Account) -> None:
        self.module = module
        self.clients = clients
        self.gateway = gateway
        self.account = account
        params = module.params
        self.names = Names(params["name"], params["region"], account)
        self.evidence = bucket_name(params["evidence_bucket"], account.id, params["region"])
        self.recovery = bucket_name(params["recovery_bucket"], account.id, params["region"])

    def deploy(self) -> dict[str, Any]:
        """Make everything as it should be; what is no longer wished goes."""
        params, account = self.module.params, self.account
        drill_from(params, account, self.evidence, self.recovery, ())  # what cannot be right is refused before any read
        drill, accounts = drill_from(params, account, self.evidence, self.recovery, self._keys())
        keeping, wish = keeping_from(params), scheduled_drill_wish(drill, account, accounts)
        possible = possible_addresses(self.names, self._alarms())
        gone = leftovers(possible, wish, keeps_concurrency=drill.reserved_concurrency is None)
        bucket = evidence_bucket_wish(self.evidence, params["region"], account, keeping)

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            end = End(self.evidence, params["region"])
            check_buckets([end], one_account(account, end), observed, create=True)
            kept = evidence_bucket_wish(self.evidence, params["region"], account, keeping, observed)
            return {**kept, **wish}, {address: {} for address in gone if observed[address] is not None}

        result = reconcile(self.module, self.gateway, [*bucket, *wish, *gone], goal)
        return {**result, "function_arn": self.names.function_arn, "state_machine_arn": self.names.machine_arn}

    def _alarms(self) -> list[str]:
        """The drill's alarms that are there, of pairs that are no longer declared, too."""
        client = self.clients("cloudwatch", self.names.region, self.account.id)
        with asking(f"The alarms of the scheduled drill {self.names.name}", "cloudwatch:DescribeAlarms"):
            return alarms_named(client, self.names.alarms)

    def _keys(self) -> list[str]:
        """The keys by which the buckets encrypt that the function writes to."""
        ends = [End(bucket, self.names.region) for bucket in (self.evidence, self.recovery)]
        accounts = one_account(self.account, *ends)
        at = {bucket_address(end, accounts, "bucket_encryption"): end.bucket for end in ends}
        held = self.gateway.observe(at)
        found = (key_of(bucket, held[address], self.names) for address, bucket in at.items())
        return sorted({key for key in found if key})

    def take_down(self) -> dict[str, Any]:
        """Remove everything but the evidence, and that too if it is named."""
        unwanted: dict[Address, Document] = {address: {} for address in possible_addresses(self.names, self._alarms())}
        if self.module.params["delete_evidence"]:
            end = End(self.evidence, self.names.region)
            unwanted |= bucket_deletion_wish(end, one_account(self.account, end))

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            return {}, {address: ours for address, ours in unwanted.items() if observed[address] is not None}

        return reconcile(self.module, self.gateway, unwanted, goal)

    def start(self) -> dict[str, Any]:
        """Start an execution, and wait for it if that is wished."""
        params, client = self.module.params, self.clients("stepfunctions", self.names.region, self.account.id)
        if self.module.check_mode:
            return {"changed": True, "steps": [], "diff": [], "execution": None, "history": {}}
        arn = executions.start(client, self.names.machine_arn, {"only": params["only"]})
        found = executions.wait(client, arn, params["wait_seconds"] if params["wait"] else 0)
        history = executions.history(client, arn) if params["wait"] else {}
        result = {"changed": True, "steps": [], "diff": [], "execution": found, "history": history}
        if params["wait"] and found["status"] != executions.SUCCEEDED:
            raise NotProven(self._said(found), result)
        return result

    def _said(self, found: Mapping[str, Any]) -> str:
        if found["status"] == executions.RUNNING:
            seconds = self.module.params["wait_seconds"]
            return f"The scheduled drill {found['arn']} still runs after {seconds} s. Look at it later."
        bad = {pair: verdict for pair, verdict in found["verdicts"].items() if verdict != "proven"}
        which = ", ".join(f"{pair} is {verdict}" for pair, verdict in bad.items()) or found["cause"] or found["error"]
        return (
            f"The scheduled drill {found['arn']} ended as {found['status']}: {which}. Read the evidence in "
            f"s3://{self.evidence}/index.html, or fetch it with the playbook report.yml."
        )


def check_deletion(params: Mapping[str, Any], evidence_bucket: str) -> None:
    """Refuse a deletion that is not meant."""
    if not params["delete_evidence"]:
        return
    if params["state"] != "absent":
        raise InvalidInput("`delete_evidence` goes only with `state: absent`. Remove one of them.")
    if evidence_bucket not in params["confirm_deletion"]:
        raise InvalidInput(
            f"evidence bucket '{evidence_bucket}': deleting it with all evidence cannot be undone. Set "
            f"`confirm_deletion: {evidence_bucket}` if that is meant."
        )
