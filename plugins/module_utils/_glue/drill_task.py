# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One task that drills the recovery of a pair: from its options to the drill, its evidence and the exit.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._aws.recovery_drill import RecoveryDrill
from .._core.declaration import pair_from
from .._core.evidence_chain import sentences
from .._core.model import InvalidInput, Pair, Refused
from .._core.recovery_drill import DrillWishes, link_of
from .._core.recovery_judgement import DrillVerdict
from .clients import Clients
from .drill_evidence import DrillEvidence, seconds_of_last_drill
from .evidence_files import NotWritten
from .interruption import Interrupted, end_when_nobody_listens, interruptible, undisturbed
from .one_at_a_time import one_at_a_time
from .pair_options import credentials_from

_SAID = 5
"""So many problems are told in the message of a failure; all of them are in the result."""
_OF_ABSENT = ("cleared", "left_behind", "notes")


def drill_argument_spec() -> dict[str, Any]:
    """The options of a drill that are not the pair's."""
    return {
        "active": {"type": "str", "choices": ["primary", "dr"], "default": "primary"},
        "rule": {"type": "str"},
        "object_sizes": {"type": "list", "elements": "int", "default": [1024, 1048576, 8388608]},
        "objects_per_class": {"type": "int", "default": 5},
        "max_transfer_bytes": {"type": "int", "default": 268435456},
        "deadline_seconds": {"type": "int", "default": 900},
        "rto_target_seconds": {"type": "int"},
        "rpo_target_seconds": {"type": "int"},
        "dr_role_arn": {"type": "str"},
        "application_role_arn": {"type": "str"},
        "fis_experiment_template_id": {"type": "str"},
        "pause_seconds": {"type": "int", "default": 60},
        "report_dir": {"type": "path"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def wishes_from(params: dict[str, Any]) -> DrillWishes:
    """What the task wants of the drill.

    Raises:
        InvalidInput: one of the options cannot be right.
    """
    if params["report_dir"] and not Path(params["report_dir"]).is_absolute():
        raise InvalidInput(
            f"report_dir is '{params['report_dir']}', and modules run in a directory of Ansible's. Write an absolute "
            "path."
        )
    return DrillWishes(
        active=params["active"],
        rule=params["rule"],
        sizes=tuple(params["object_sizes"]),
        each=params["objects_per_class"],
        max_transfer_bytes=params["max_transfer_bytes"],
        deadline_seconds=params["deadline_seconds"],
        rto_target=params["rto_target_seconds"],
        rpo_target=params["rpo_target_seconds"],
        recover_as=params["dr_role_arn"],
        application=params["application_role_arn"],
        experiment=params["fis_experiment_template_id"],
        pause_seconds=params["pause_seconds"],
    )


class DrillTask:
    """The task."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._module = module
        self._clients = Clients(module, home_region=module.params["primary"]["region"])
        self._absent = module.params["state"] == "absent"
        self._evidence: DrillEvidence | None = None

    def run(self) -> NoReturn:
        """Do what is asked, and exit."""
        try:
            pair, drill = self._begun()
        except (InvalidInput, AwsFailure, Refused) as error:
            self._module.fail_json(msg=f"{error} Nothing was changed.", changed=False)
        trouble = self._drilled(pair, drill)
        result = {**drill.result(), "api_calls": self._clients.api_calls()}
        result["changed"] = bool(drill.cleared or drill.left_behind)
        result["diff"] = {"before": "\n".join([*drill.cleared, ""]), "after": "\n".join([*drill.left_behind, ""])}
        if self._absent:
            self._exit_absent(trouble, result)
        if self._module.check_mode:
            result["steps"] = self._predicted or result["steps"]
        result["evidence"] = None
        if trouble:
            result["problems"] = [trouble, *result["problems"]]
        if self._evidence:
            result = self._written_down(self._evidence, result)
        self._exit(trouble, result)

    def _begun(self) -> tuple[Pair, RecoveryDrill]:
        params = self._module.params
        pair, wishes = pair_from(params), wishes_from(params)
        link_of(pair, wishes.active)
        if params["report_dir"] and not self._absent and not self._module.check_mode:
            self._evidence = DrillEvidence.begin(params["report_dir"], pair.name, datetime.now(UTC))
        accounts = self._clients.accounts_of(pair, credentials_from(params))
        drill = RecoveryDrill(
            Gateway(self._clients),
            self._clients,
            self._clients.acting_with,
            pair,
            accounts,
            wishes,
            shielded=undisturbed,
        )
        return pair, drill

    def _drilled(self, pair: Pair, drill: RecoveryDrill) -> str | None:
        """Why it ended early, if it did. Another drill of the pair on this machine is waited for."""
        self._predicted: list[dict[str, Any]] = []
        check_mode = self._module.check_mode
        try:
            with interruptible():
                end_when_nobody_listens()
                with nullcontext() if check_mode else one_at_a_time(f"drill-{pair.name}"):
                    if self._absent:
                        drill.clear(pretend=check_mode)
                    elif check_mode:
                        before = seconds_of_last_drill(self._module.params["report_dir"], pair.name)
                        self._predicted = drill.predict(before)
                    else:
                        drill.run()
        except Interrupted as end:
            return f"The drill was ended by {end}. Run it again."
        except (AwsFailure, Refused) as failure:
            return str(failure)
        return None

    def _exit_absent(self, trouble: str | None, result: dict[str, Any]) -> NoReturn:
        told = {name: result[name] for name in (*_OF_ABSENT, "api_calls", "changed", "diff")}
        if trouble or told["left_behind"]:
            said = " ".join([*([trouble] if trouble else []), *told["left_behind"]])
            self._module.fail_json(msg=said, **told)
        self._module.exit_json(**told)

    def _written_down(self, evidence: DrillEvidence, result: dict[str, Any]) -> dict[str, Any]:
        """The result with the place of its evidence, and with what is wrong with that of the drills before."""
        try:
            ended = evidence.finish(result)
        except NotWritten as error:
            self._module.fail_json(msg=f"The verdict is {result['verdict']}, but {error}", **result)
        links = {"broken": list(ended.broken), "unfinished": list(ended.unfinished)}
        return {**result, "evidence": str(ended.directory), "notes": [*result["notes"], *sentences(links)]}

    def _exit(self, trouble: str | None, result: dict[str, Any]) -> NoReturn:
        result["notes"] = [*result["notes"], *result["left_behind"]]
        proven = result["verdict"] == DrillVerdict.PROVEN.value
        if not trouble and (proven or self._module.check_mode):
            self._module.exit_json(**result)
        first, more = result["problems"][:_SAID], len(result["problems"][_SAID:])
        said = " ".join([*first, *([f"And {more} more; see `problems`."] if more else [])])
        self._module.fail_json(
            msg=f"pair '{result['pair']}': its recovery is not proven ({result['verdict']}). {said}", **result
        )
