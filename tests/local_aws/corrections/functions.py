# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""As whom a Lambda function acts, and how its errors are named.

MiniStack gives it the key of the account, which may do everything, and names all errors alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from ministack.services import sts

from .fitting import corrects, uses

uses("services.sts", "register_session(access_key, session)")

Credentials = dict[str, str]
Result = dict[str, Any]
RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)
"""The last line of a traceback begins with the class."""


@corrects("core.lambda_runtime", "execution_credentials(config)")
def act_as_execution_role(original: Callable[[dict[str, Any]], Credentials], config: dict[str, Any]) -> Credentials:
    """Lambda Developer Guide, lambda-intro-execution-role: the function's credentials are those of a session of its
    role, whose name is the function's."""
    role, function = config["Role"], config["FunctionName"]
    account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{config['FunctionArn']}:{role}".encode()).hexdigest()
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
    """Lambda Developer Guide, python-exceptions: `errorType` is the name of the exception's class."""
    result = original(func, event, request_id)
    body = result.get("body")
    if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
        found = RAISED.findall(result.get("log", ""))
        if found:
            body["errorType"] = found[-1].rpartition(".")[2]
    return result
