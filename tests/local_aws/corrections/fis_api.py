# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The operations of AWS Fault Injection Service, which MiniStack does not have; experiments.py says what they do."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region

from . import experiments, operations, shapes
from .experiments import BUCKET_TYPE, DURATION, ENDED, Experiment, Members, seconds_of
from .fitting import corrects, uses

uses("core.responses", "get_account_id()", "get_region()")

Answer = tuple[int, dict[str, str], bytes]

PATHS = ("/experiments", "/experimentTemplates")
PAUSE = "aws:s3:bucket-pause-replication"
PARAMETERS = {"duration", "region", "destinationBuckets", "prefixes"}
LONGEST, SHORTEST = 12 * 3600, 60
PAGE = 100

_templates: dict[tuple[str, str, str], Members] = {}  # by account, Region and ID


class Refused(Exception):
    """An answer of FIS: its error code, the HTTP status and a message."""


@corrects("app", "_handle_post_body_shortcuts(method, path, headers, body, query_params, request_id)")
async def answer_fis(
    original: Callable[..., Awaitable[Answer | None]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    request_id: str,
) -> Answer | None:
    """FIS API: each Region has its own templates and experiments."""
    is_like_fis = path.startswith(PATHS)  # so may be the path of a bucket
    call = operations.call_of(operations.Request(method, path, headers, query_params, body)) if is_like_fis else None
    if call is None or call.service != "fis":
        return await original(method, path, headers, body, query_params, request_id)
    try:
        answered = _OPERATIONS[call.operation](asked(call.operation, path, query_params, body))
    except KeyError:
        return error("ValidationException", 400, f"The local AWS does not have {call.operation or path}.")
    except shapes.Malformed as problem:
        return error("ValidationException", 400, str(problem))
    except Refused as refused:
        return error(*refused.args)
    return 200, {"Content-Type": "application/json"}, json.dumps(answered).encode()


def error(code: str, status: int, message: str) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code}
    return status, headers, json.dumps({"message": message}).encode()


def asked(operation: str, path: str, query: dict[str, Any], body: bytes) -> Members:
    """The members of the input, of the shape that the API's description wants."""
    members: Members = json.loads(body) if body else {}
    members |= {name: values[0] for name, values in query.items()}
    if len(parts := unquote(path).strip("/").split("/")) == 2:
        members["id"] = parts[1]
    shape = shapes.model("fis").operation_model(operation).input_shape
    shapes.check(shape, {name: int(value) if name == "maxResults" else value for name, value in members.items()})
    return members


def place() -> tuple[str, str]:
    return get_account_id(), get_region()


def arn(kind: str, name: str) -> str:
    account, region = place()
    return f"arn:aws:fis:{region}:{account}:{kind}/{name}"


def absent(what: str, name: str) -> Refused:
    return Refused("ResourceNotFoundException", 404, f"The {what} {name} does not exist.")


# Templates


def create_template(wish: Members) -> Members:
    """FIS API, CreateExperimentTemplate."""
    if problem := problem_of(wish):
        raise Refused("ValidationException", 400, problem)
    name = f"EXT{secrets.token_hex(8)}"
    made = {name: value for name, value in wish.items() if name != "clientToken"}
    now = time.time()
    template = made | {"id": name, "arn": arn("experiment-template", name), "creationTime": now, "lastUpdateTime": now}
    _templates[*place(), name] = {"targets": {}, "tags": {}} | template
    return {"experimentTemplate": _templates[*place(), name]}


def problem_of(wish: Members) -> str | None:
    """FIS User Guide, fis-actions-reference: what the action needs. No other action is there."""
    targets = wish.get("targets", {})
    for name, action in wish["actions"].items():
        parameters, meant = action.get("parameters", {}), action.get("targets", {})
        seconds = seconds_of(parameters.get("duration", ""))
        wrong = {
            f"only {PAUSE} is there": action["actionId"] != PAUSE,
            "duration and region are required": not {"duration", "region"} <= parameters.keys(),
            f"it has no parameter but {', '.join(sorted(PARAMETERS))}": not parameters.keys() <= PARAMETERS,
            "the duration is from PT1M to PT12H": not SHORTEST <= seconds <= LONGEST
            or not DURATION.fullmatch(parameters.get("duration", "")),
            "its target is named Buckets": list(meant) != ["Buckets"] or meant["Buckets"] not in targets,
        }
        if problem := next((what for what, is_so in wrong.items() if is_so), None):
            return f"Action {name}: {problem}."
    return next((f"Target {name}: {what}." for name, one in targets.items() if (what := target_problem(one))), None)


def target_problem(target: Members) -> str | None:
    wrong = {
        f"only {BUCKET_TYPE} is there": target["resourceType"] != BUCKET_TYPE,
        "only the selection mode ALL is there": target["selectionMode"] != "ALL",
        "give either resourceArns or resourceTags": bool(target.get("resourceArns"))
        == bool(target.get("resourceTags")),
    }
    return next((what for what, is_so in wrong.items() if is_so), None)


def template_of(name: str) -> Members:
    if (found := _templates.get((*place(), name))) is None:
        raise absent("experiment template", name)
    return found


def get_template(wish: Members) -> Members:
    return {"experimentTemplate": template_of(wish["id"])}


def delete_template(wish: Members) -> Members:
    found = template_of(wish["id"])
    del _templates[*place(), wish["id"]]
    return {"experimentTemplate": found}


def list_templates(wish: Members) -> Members:
    mine = [one for address, one in _templates.items() if address[:2] == place()]
    return page("experimentTemplates", [summary(one) for one in mine], wish)


def summary(template: Members) -> Members:
    names = ("id", "arn", "description", "creationTime", "lastUpdateTime", "tags")
    return {name: template[name] for name in names}


# Experiments


def start(wish: Members) -> Members:
    """FIS API, StartExperiment: the same token means the same experiment."""
    template = template_of(wish["experimentTemplateId"])
    token = wish["clientToken"]
    mine = (one for one in experiments.experiments.values() if (one.account, one.region) == place())
    found = next((one for one in mine if one.token == token), None)
    if found is None:
        name = f"EXP{secrets.token_hex(8)}"
        found = Experiment(name, *place(), dict(template), token, wish.get("tags", {}))
        experiments.experiments[name] = found
    return {"experiment": described(found)}


def find(name: str) -> Experiment:
    found = experiments.experiments.get(name)
    if found is None or (found.account, found.region) != place():
        raise absent("experiment", name)
    return found


def get_experiment(wish: Members) -> Members:
    return {"experiment": described(find(wish["id"]))}


def stop(wish: Members) -> Members:
    """FIS API, StopExperiment. What it does to one that has ended is not documented; here nothing."""
    found = find(wish["id"])
    if found.status not in ENDED:
        found.become("stopping")
    return {"experiment": described(found)}


def list_experiments(wish: Members) -> Members:
    """FIS API, ListExperiments: of one template, if it is named; here the newest first."""
    template = wish.get("experimentTemplateId")
    mine = [one for one in experiments.experiments.values() if (one.account, one.region) == place()]
    wanted = [described(one) for one in reversed(mine) if template in (None, one.template["id"])]
    names = ("id", "arn", "experimentTemplateId", "state", "creationTime", "tags")
    return page("experiments", [{name: one[name] for name in names} for one in wanted], wish)


def page(name: str, rows: list[Members], wish: Members) -> Members:
    """The token is the place at which the next page starts."""
    begin, size = int(wish.get("nextToken") or 0), min(int(wish.get("maxResults") or PAGE), PAGE)
    more = {"nextToken": str(begin + size)} if len(rows) > begin + size else {}
    return {name: rows[begin : begin + size]} | more


def described(experiment: Experiment) -> Members:
    state = {"status": experiment.status, "reason": experiment.reason}
    times = {"startTime": experiment.started, "endTime": experiment.ended}
    known = {name: value for name, value in times.items() if value is not None}
    copied = ("roleArn", "targets", "stopConditions")
    return (
        {name: experiment.template[name] for name in copied}
        | {
            "id": experiment.id,
            "arn": arn("experiment", experiment.id),
            "experimentTemplateId": experiment.template["id"],
            "state": state,
            "actions": {name: one | {"state": state} for name, one in experiment.template["actions"].items()},
            "creationTime": experiment.created,
            "tags": experiment.tags,
        }
        | known
    )


_OPERATIONS: dict[str, Callable[[Members], Members]] = {
    "CreateExperimentTemplate": create_template,
    "GetExperimentTemplate": get_template,
    "DeleteExperimentTemplate": delete_template,
    "ListExperimentTemplates": list_templates,
    "StartExperiment": start,
    "GetExperiment": get_experiment,
    "StopExperiment": stop,
    "ListExperiments": list_experiments,
}
