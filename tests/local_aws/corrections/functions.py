# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""As whom a Lambda function acts and writes its log, and how its errors are told.

MiniStack takes any role, gives the function the key of the account, which may do everything, and names all errors
alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cloudwatch_logs, sts

from . import role
from .fitting import corrects, uses

uses("services.sts", "register_session(access_key, session)")

Credentials = dict[str, str]
Result = dict[str, Any]
RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)
"""The last line of a traceback begins with the class."""
FRAME = re.compile(r'^  File "[^"]+", line \d+, in .+\n(?:    .+\n)*', re.MULTILINE)
LAMBDA = "lambda.amazonaws.com"


@corrects("core.lambda_runtime", "execution_credentials(config)")
def act_as_execution_role(original: Callable[[dict[str, Any]], Credentials], config: dict[str, Any]) -> Credentials:
    """Lambda Developer Guide, lambda-intro-execution-role: the function's credentials are those of a session of its
    role, whose name is the function's."""
    arn, function = config["Role"], config["FunctionName"]
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{config['FunctionArn']}:{arn}".encode()).hexdigest()
    key, secret, token = f"ASIA{digest[:16].upper()}", digest[16:56], f"token-{digest}"
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{function}",
        "UserId": f"{name}:{function}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


@corrects("services.lambda_svc", "_execute_function_warm(func, event, request_id)")
def name_the_error(original: Callable[..., Result], func: dict[str, Any], event: Any, request_id: str) -> Result:
    """Lambda Developer Guide, python-exceptions: `errorType` is the name of the exception's class, and `stackTrace` the
    frames of the function's own code."""
    result = original(func, event, request_id)
    body = result.get("body")
    if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
        found = RAISED.findall(result.get("log", ""))
        if found:
            body["errorType"] = found[-1].rpartition(".")[2]
            frames: list[str] = FRAME.findall(result["log"])
            body["stackTrace"] = [frame for frame in frames if "_worker.py" not in frame]
    return result


@corrects("services.lambda_svc", "_create_function(data)")
def ask_for_a_role(original: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    """Lambda Developer Guide, lambda-intro-execution-role: Lambda must be able to assume the role."""
    if role.assume(data.get("Role", ""), LAMBDA) is None:
        text = "The role defined for the function cannot be assumed by Lambda."
        return error_response_json("InvalidParameterValueException", text, 400)
    return original(data)


@corrects("services.lambda_svc", "_emit_lambda_logs(func, request_id, log_text, error, duration_ms, log_source)")
def log_as_role(original: Callable[..., None], func: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """Lambda Developer Guide, monitoring-cloudwatchlogs: nothing is logged unless the role may; a log group that is not
    there is made if it may that."""
    config = func.get("config") or func
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    region, account = config["FunctionArn"].split(":")[3:5]
    where = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:any"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    if group not in cloudwatch_logs._log_groups:
        actions.append("logs:CreateLogGroup")
    acting = role.assume(config["Role"], LAMBDA)
    if acting and all(acting.may_do(action, where) for action in actions):
        original(func, *arguments, **options)
