# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a user chooses of a scheduled drill, and what everything of it is called.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .drill_machine import events_of_a_pair
from .model import GLOBAL, KEY_ARN, Account, Address, InvalidInput, Pair, check_region

DEFAULT_NAME = "s3-dr-scheduled-drill"
DEFAULT_SCHEDULE = "cron(15 3 * * ? *)"
NAMESPACE = "S3DR"
HANDLER = "s3_dr._function.handler.handle"
WORK = "scheduled-drill/"
RUNTIMES = ("python3.12", "python3.13")
MOST_EVENTS = 25_000
"""Step Functions Developer Guide, "Quotas": so many events one execution may have; then it fails."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,30}")
"""IAM takes 64 characters for a role, of which the Region and the purpose take the rest."""
_SCHEDULE = re.compile(r"(cron|rate|at)\(.+\)")


@dataclass(frozen=True, slots=True)
class Inventory:
    """When reports of S3 Inventory are compared in place of the listings.

    Attributes:
        threshold: of buckets with more objects than that.
        max_age_hours: an older report is not compared.
        buckets: in which the reports are.
        key_arns: by which these encrypt.
    """

    threshold: int
    max_age_hours: int
    buckets: tuple[str, ...]
    key_arns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, value, least, most in (
            ("inventory.threshold", self.threshold, 0, 10**12),
            ("inventory.max_age_hours", self.max_age_hours, 1, 24 * 14),
        ):
            if not least <= value <= most:
                raise InvalidInput(f"{option} is {value}. Use {least} to {most}.")
        if not self.buckets:
            raise InvalidInput("inventory.buckets is empty. Name the buckets in which the reports of both ends are.")
        for key in self.key_arns:
            if not KEY_ARN.fullmatch(key):
                raise InvalidInput(f"inventory.kms_key_arns: '{key}' is not the ARN of a key.")

    def as_settings(self) -> dict[str, int]:
        """What the function is told."""
        return {"threshold": self.threshold, "max_age_hours": self.max_age_hours}


@dataclass(frozen=True, slots=True)
class ScheduledDrill:
    """What is to be deployed, in one Region.

    Attributes:
        code: the archive; `code_sha256` its hash in Base64, as Lambda tells it.
        reserved_concurrency: None: left as it is; 0: none is reserved.
        deadline_seconds: how long a canary is waited for.
        key_arns: the KMS keys by which the evidence bucket and the recovery bucket encrypt.
        no_proof_hours: after so many without a proof an alarm fires.

    Raises:
        InvalidInput: it cannot be right; nothing was asked of AWS.
    """

    name: str
    region: str
    evidence_bucket: str
    recovery_bucket: str
    pairs: tuple[Pair, ...]
    roles: Mapping[str, str]
    code: bytes = b""
    code_sha256: str = ""
    schedule: str = DEFAULT_SCHEDULE
    timezone: str = "UTC"
    flexible_minutes: int = 0
    enabled: bool = True
    runtime: str = RUNTIMES[0]
    memory_mb: int = 512
    timeout_seconds: int = 300
    run_timeout_seconds: int = 21600
    concurrency: int = 5
    reserved_concurrency: int | None = None
    log_days: int = 90
    tracing: bool = False
    topic_arns: tuple[str, ...] = ()
    ops_items: bool = True
    no_proof_hours: int = 26
    permissions_boundary: str | None = None
    deadline_seconds: int = 900
    key_arns: tuple[str, ...] = ()
    inventory: Inventory | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_region(self.region, f"scheduled drill '{self.name}'")
        if not 1 <= len(self.pairs) <= self.most_pairs:
            raise InvalidInput(
                f"scheduled drill '{self.name}': it has {len(self.pairs)} pairs, and one execution has events enough "
                f"for 1 to {self.most_pairs}. Declare others under another `name`, or shorten "
                "`verify.deadline_seconds`."
            )
        elsewhere = [pair.name for pair in self.pairs if pair.dr.region != self.region]
        if elsewhere:
            raise InvalidInput(
                f"scheduled drill '{self.name}' in {self.region}: the DR bucket of {', '.join(elsewhere)} is in "
                "another Region. Deploy one drill in each DR Region."
            )
        if not _SCHEDULE.fullmatch(self.schedule):
            raise InvalidInput(
                f"schedule '{self.schedule}': write cron(15 3 * * ? *), rate(1 day) or at(2027-01-31T03:15:00)."
            )
        for option, value, least, most in self._numbers():
            if not least <= value <= most:
                raise InvalidInput(f"{option} is {value}. Use {least} to {most}.")
        for topic in self.topic_arns:
            _check_topic(topic, self.region)

    @property
    def most_pairs(self) -> int:
        """So many pairs fit into one execution even if all canaries are late."""
        return MOST_EVENTS // events_of_a_pair(self.deadline_seconds)

    def _numbers(self) -> list[tuple[str, int, int, int]]:
        return [
            ("memory_mb", self.memory_mb, 256, 10240),
            ("timeout_seconds", self.timeout_seconds, 60, 900),
            ("run_timeout_seconds", self.run_timeout_seconds, 600, 86400),
            ("concurrency", self.concurrency, 1, 40),
            ("reserved_concurrency", self.reserved_concurrency or 0, 0, 1000),
            ("flexible_window_minutes", self.flexible_minutes, 0, 1440),
            ("no_proof_hours", self.no_proof_hours, 2, 168),
        ]


def check_name(name: str) -> None:
    """Refuse a name that one of the services would.

    Raises:
        InvalidInput: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"name '{name}': use 1 to 30 letters, digits and '-'.")


def _check_topic(arn: str, region: str) -> None:
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sns":
        raise InvalidInput(
            f"topic '{arn}' is not the ARN of an SNS topic. Write arn:aws:sns:{region}:111122223333:name."
        )
    if parts[3] != region:
        raise InvalidInput(
            f"topic '{arn}' is in {parts[3]}, and what it is told must not depend on another Region. "
            f"Name one in {region}."
        )


# --- names ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What everything is called."""

    name: str
    region: str
    account: Account

    def role(self, purpose: str) -> str:
        """Roles have no Region, so their names tell it."""
        return f"{self.name}-{self.region}-{purpose}"

    def role_arn(self, purpose: str) -> str:
        """Known before the role exists."""
        return f"arn:{self.account.partition}:iam::{self.account.id}:role/{self.role(purpose)}"

    def arn(self, service: str, resource: str) -> str:
        """Of a thing in the Region."""
        return f"arn:{self.account.partition}:{service}:{self.region}:{self.account.id}:{resource}"

    @property
    def function_arn(self) -> str:
        """The function's."""
        return self.arn("lambda", f"function:{self.name}")

    @property
    def machine_arn(self) -> str:
        """The state machine's."""
        return self.arn("states", f"stateMachine:{self.name}")

    @property
    def queue(self) -> str:
        """The dead-letter queue."""
        return f"{self.name}-dead-letter"

    @property
    def log_group(self) -> str:
        """The function's."""
        return f"/aws/lambda/{self.name}"

    def alarm(self, pair: str) -> str:
        """The alarm that a pair was not proven for too long."""
        return f"{self.name}/{pair}/no-proof"

    @property
    def alarms(self) -> str:
        """How the names of all alarms begin."""
        return f"{self.name}/"

    def at(self, kind: str, name: str) -> Address:
        """The address of a thing in the Region."""
        return Address(kind, name, self.region, self.account.id)

    def iam(self, kind: str, name: str) -> Address:
        """The address of a thing without Region."""
        return Address(kind, name, GLOBAL, self.account.id)
