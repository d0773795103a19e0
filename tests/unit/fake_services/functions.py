# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Lambda, CloudWatch Logs, Step Functions, EventBridge Scheduler and managed policies in memory."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from .calls import Answer, client_error, tag_list, tag_map
from .iam import FakeIam

MOST_VERSIONS = 5


@dataclass
class ManagedPolicy:
    """One managed policy: its versions by their ID, and the one that counts."""

    versions: dict[str, str]
    tags: list[dict[str, str]]
    default: str = "v1"
    made: int = 1
    roles: set[str] = field(default_factory=set)


class FakeFunctions(FakeIam):
    """What a scheduled drill is made of. A name is unique in a Region."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[tuple[str, str], Answer] = {}
        self.code: dict[tuple[str, str], bytes] = {}
        self.reserved: dict[tuple[str, str], int] = {}
        self.log_groups: dict[tuple[str, str], Answer] = {}
        self.machines: dict[tuple[str, str], Answer] = {}
        self.schedules: dict[tuple[str, str], Answer] = {}
        self.managed: dict[str, ManagedPolicy] = {}

    # --- Lambda ---

    def _function(self, params: Answer, region: str) -> Answer:
        at = params["FunctionName"], region
        if at not in self.functions:
            raise client_error("ResourceNotFoundException")
        return self.functions[at]

    def _put_code(self, name: str, region: str, content: bytes) -> None:
        self.code[name, region] = content
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        known = {b"archive": "b2YgYXJjaGl2ZQ=="}  # so that samples need no real hash
        self.functions[name, region]["CodeSha256"] = known.get(content, digest)

    def _lambda_CreateFunction(self, params: Answer, region: str) -> None:
        name = params["FunctionName"]
        if (name, region) in self.functions:
            raise client_error("ResourceConflictException", "Function already exist")
        if params["Role"].rsplit("/", 1)[1] not in self.roles:
            raise client_error("InvalidParameterValueException", "The role cannot be assumed by Lambda.")
        self.functions[name, region] = {key: one for key, one in params.items() if key not in ("Code", "FunctionName")}
        self._put_code(name, region, params["Code"]["ZipFile"])

    def _lambda_GetFunction(self, params: Answer, region: str) -> Answer:
        found = dict(self._function(params, region))
        tags = found.pop("Tags")
        configuration = {**found, "State": "Active", "LastUpdateStatus": "Successful"}
        return {"Configuration": configuration, "Tags": tags}

    def _lambda_UpdateFunctionCode(self, params: Answer, region: str) -> None:
        self._function(params, region)["Architectures"] = params["Architectures"]
        self._put_code(params["FunctionName"], region, params["ZipFile"])

    def _lambda_UpdateFunctionConfiguration(self, params: Answer, region: str) -> None:
        self._function(params, region).update({key: one for key, one in params.items() if key != "FunctionName"})

    def _lambda_TagResource(self, params: Answer, region: str) -> None:
        name = params["Resource"].rsplit(":", 1)[1]
        self._function({"FunctionName": name}, region)["Tags"] |= params["Tags"]

    def _lambda_DeleteFunction(self, params: Answer, region: str) -> None:
        self._function(params, region)
        del self.functions[params["FunctionName"], region]
        self.reserved.pop((params["FunctionName"], region), None)

    def _lambda_GetFunctionConcurrency(self, params: Answer, region: str) -> Answer:
        self._function(params, region)
        reserved = self.reserved.get((params["FunctionName"], region))
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def _lambda_PutFunctionConcurrency(self, params: Answer, region: str) -> None:
        self._function(params, region)
        self.reserved[params["FunctionName"], region] = params["ReservedConcurrentExecutions"]

    def _lambda_DeleteFunctionConcurrency(self, params: Answer, region: str) -> None:
        self._function(params, region)
        self.reserved.pop((params["FunctionName"], region), None)

    # --- CloudWatch Logs ---

    def _log_group(self, name: str, region: str) -> Answer:
        if (name, region) not in self.log_groups:
            raise client_error("ResourceNotFoundException")
        return self.log_groups[name, region]

    def _logs_DescribeLogGroups(self, params: Answer, region: str) -> Answer:
        found = [
            {"logGroupName": name, **({"retentionInDays": one["days"]} if "days" in one else {})}
            for (name, where), one in sorted(self.log_groups.items())
            if where == region and name.startswith(params["logGroupNamePrefix"])
        ]
        return {"logGroups": found}

    def _logs_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"tags": self._log_group(params["resourceArn"].split(":", 6)[6], region)["tags"]}

    def _logs_CreateLogGroup(self, params: Answer, region: str) -> None:
        self.log_groups[params["logGroupName"], region] = {"tags": params["tags"]}

    def _logs_PutRetentionPolicy(self, params: Answer, region: str) -> None:
        self._log_group(params["logGroupName"], region)["days"] = params["retentionInDays"]

    def _logs_TagResource(self, params: Answer, region: str) -> None:
        self._log_group(params["resourceArn"].split(":", 6)[6], region)["tags"] |= params["tags"]

    def _logs_DeleteLogGroup(self, params: Answer, region: str) -> None:
        self._log_group(params["logGroupName"], region)
        del self.log_groups[params["logGroupName"], region]

    # --- Step Functions ---

    def _machine(self, arn: str, region: str) -> Answer:
        name = arn.rsplit(":", 1)[1]
        if (name, region) not in self.machines:
            raise client_error("StateMachineDoesNotExist")
        return self.machines[name, region]

    def _stepfunctions_CreateStateMachine(self, params: Answer, region: str) -> None:
        json.loads(params["definition"])
        self.machines[params["name"], region] = dict(params)

    def _stepfunctions_DescribeStateMachine(self, params: Answer, region: str) -> Answer:
        found = self._machine(params["stateMachineArn"], region)
        return {**{key: one for key, one in found.items() if key != "tags"}, "status": "ACTIVE"}

    def _stepfunctions_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"tags": self._machine(params["resourceArn"], region)["tags"]}

    def _stepfunctions_UpdateStateMachine(self, params: Answer, region: str) -> None:
        found = self._machine(params["stateMachineArn"], region)
        found.update({key: one for key, one in params.items() if key != "stateMachineArn"})

    def _stepfunctions_TagResource(self, params: Answer, region: str) -> None:
        self._machine(params["resourceArn"], region)["tags"] = params["tags"]

    def _stepfunctions_DeleteStateMachine(self, params: Answer, region: str) -> None:
        self.machines.pop((params["stateMachineArn"].rsplit(":", 1)[1], region), None)

    # --- EventBridge Scheduler ---

    def _schedule(self, params: Answer, region: str) -> Answer:
        if (params["Name"], region) not in self.schedules:
            raise client_error("ResourceNotFoundException")
        return self.schedules[params["Name"], region]

    def _scheduler_CreateSchedule(self, params: Answer, region: str) -> None:
        if (params["Name"], region) in self.schedules:
            raise client_error("ConflictException")
        self.schedules[params["Name"], region] = dict(params)

    def _scheduler_GetSchedule(self, params: Answer, region: str) -> Answer:
        return self._schedule(params, region)

    def _scheduler_UpdateSchedule(self, params: Answer, region: str) -> None:
        self._schedule(params, region)
        self.schedules[params["Name"], region] = dict(params)

    def _scheduler_DeleteSchedule(self, params: Answer, region: str) -> None:
        self._schedule(params, region)
        del self.schedules[params["Name"], region]

    # --- managed policies ---

    def _managed_policy(self, params: Answer) -> ManagedPolicy:
        name = params["PolicyArn"].rsplit("/", 1)[1]
        if name not in self.managed:
            raise client_error("NoSuchEntity", "The policy cannot be found.")
        return self.managed[name]

    def _iam_CreatePolicy(self, params: Answer, region: str) -> None:
        if params["PolicyName"] in self.managed:
            raise client_error("EntityAlreadyExists")
        if len(params["PolicyDocument"]) > 6144:
            raise client_error("LimitExceeded")
        self.managed[params["PolicyName"]] = ManagedPolicy({"v1": params["PolicyDocument"]}, params["Tags"])

    def _iam_GetPolicy(self, params: Answer, region: str) -> Answer:
        found = self._managed_policy(params)
        return {"Policy": {"DefaultVersionId": found.default, "Tags": tag_list(tag_map(found.tags))}}

    def _iam_GetPolicyVersion(self, params: Answer, region: str) -> Answer:
        return {"PolicyVersion": {"Document": quote(self._managed_policy(params).versions[params["VersionId"]])}}

    def _iam_ListPolicyVersions(self, params: Answer, region: str) -> Answer:
        found = self._managed_policy(params)
        versions = [
            {"VersionId": one, "IsDefaultVersion": one == found.default, "CreateDate": datetime(2026, 1, 1, tzinfo=UTC)}
            for one in found.versions
        ]
        return {"Versions": versions, "IsTruncated": False}

    def _iam_CreatePolicyVersion(self, params: Answer, region: str) -> None:
        found = self._managed_policy(params)
        if len(found.versions) == MOST_VERSIONS:
            raise client_error("LimitExceeded")
        found.made += 1
        found.versions[f"v{found.made}"] = params["PolicyDocument"]
        found.default = f"v{found.made}"

    def _iam_DeletePolicyVersion(self, params: Answer, region: str) -> None:
        found = self._managed_policy(params)
        if params["VersionId"] == found.default:
            raise client_error("DeleteConflict")
        del found.versions[params["VersionId"]]

    def _iam_DeletePolicy(self, params: Answer, region: str) -> None:
        found = self._managed_policy(params)
        if found.roles or len(found.versions) > 1:
            raise client_error("DeleteConflict")
        del self.managed[params["PolicyArn"].rsplit("/", 1)[1]]

    def _iam_AttachRolePolicy(self, params: Answer, region: str) -> None:
        self._role(params)
        self._managed_policy(params).roles.add(params["RoleName"])

    def _iam_DetachRolePolicy(self, params: Answer, region: str) -> None:
        self._managed_policy(params).roles.discard(params["RoleName"])

    def _iam_ListAttachedRolePolicies(self, params: Answer, region: str) -> Answer:
        self._role(params)
        arns = [
            f"arn:aws:iam::{self.account}:policy/{name}"
            for name, one in self.managed.items()
            if params["RoleName"] in one.roles
        ]
        return {"AttachedPolicies": [{"PolicyArn": arn, "PolicyName": arn.rsplit("/", 1)[1]} for arn in arns]}
