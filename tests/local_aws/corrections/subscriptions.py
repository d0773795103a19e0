# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Subscriptions of SNS topics that wait for somebody to confirm them. Who reads the mail is told here to do so.

POST /_local_aws/mail   {"to": "address"}: follow the link in each mail to that address that asks for a confirmation
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import sns

from .fitting import corrects, uses

uses(
    "services.sns",
    "_p(params, key, default)",
    "_error(code, message, status)",
    "_xml(status, root_tag, inner)",
    "_topic_by_arn_any_scope(topic_arn)",
    "_refresh_subscription_counts(topic)",
)

Answer = tuple[int, dict[str, str], bytes]
Params = dict[str, Any]
Original = Callable[[Params], Answer]

PATH = "/_local_aws/mail"
CONFIRMED_BY_MAIL = ("email", "email-json")
PENDING = "PendingConfirmation"


@corrects("services.sns", "_subscribe(params)")
def subscribe(original: Original, params: Params) -> Answer:
    """SNS API, Subscribe: who reads the mail or answers at the URL has to confirm, and until then the answer has no
    ARN unless ReturnSubscriptionArn asks for it. A queue or function of the same account is subscribed at once."""
    topic = sns._topic_by_arn_any_scope(sns._p(params, "TopicArn"))
    known = {subscription["arn"] for subscription in topic["subscriptions"]} if topic else set()
    answer = original(params)
    if answer[0] != 200 or topic is None:
        return answer
    protocol, endpoint = sns._p(params, "Protocol"), sns._p(params, "Endpoint")
    of_this = [item for item in topic["subscriptions"] if (item["protocol"], item["endpoint"]) == (protocol, endpoint)]
    (subscription,) = of_this
    if protocol in CONFIRMED_BY_MAIL and subscription["arn"] not in known:
        subscription["confirmed"] = False
        subscription["attributes"] |= {PENDING: "true", "ConfirmationWasAuthenticated": "false"}
        sns._refresh_subscription_counts(topic)
    if subscription["confirmed"]:
        return answer
    told = subscription["arn"] if sns._p(params, "ReturnSubscriptionArn") == "true" else "pending confirmation"
    inner = f"<SubscribeResult><SubscriptionArn>{told}</SubscriptionArn></SubscribeResult>"
    waiting: Answer = sns._xml(200, "SubscribeResponse", inner)
    return waiting


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    try:
        address = str(json.loads(body)["to"]) if method == "POST" else ""
    except (ValueError, TypeError, KeyError):
        address = ""
    if not address:
        return 400, {"error": 'expected a POST of {"to": address}'}
    return 200, {"confirmed": [confirm(topic, item) for topic, item in pending(address)]}


def pending(address: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The subscriptions of an address, of all accounts and Regions, that are not confirmed, each with its topic."""
    return [
        (topic, subscription)
        for topic in list(sns._topics._data.values())
        for subscription in topic["subscriptions"]
        if subscription["protocol"] in CONFIRMED_BY_MAIL
        and subscription["endpoint"] == address
        and not subscription["confirmed"]
    ]


def confirm(topic: dict[str, Any], subscription: dict[str, Any]) -> str:
    """SNS Developer Guide, sns-email-notifications: the link in the mail confirms the subscription."""
    subscription["confirmed"] = True
    subscription["attributes"][PENDING] = "false"
    sns._refresh_subscription_counts(topic)
    return str(subscription["arn"])


@corrects("services.sns", "_list_subscriptions(params)")
@corrects("services.sns", "_list_subscriptions_by_topic(params)")
def hide_pending(original: Original, params: Params) -> Answer:
    """SNS API, Subscription: a subscription that is not confirmed is listed with PendingConfirmation for its ARN."""
    status, headers, body = original(params)
    topics = [topic for topic in sns._topics.values() if f":{get_account_id()}:" in topic["arn"]]
    for subscription in (item for topic in topics for item in topic["subscriptions"] if not item["confirmed"]):
        arn = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>"
        body = body.replace(arn.encode(), f"<SubscriptionArn>{PENDING}</SubscriptionArn>".encode())
    return status, headers, body


@corrects("services.sns", "_unsubscribe(params)")
@corrects("services.sns", "_get_subscription_attributes(params)")
@corrects("services.sns", "_set_subscription_attributes(params)")
def want_an_arn(original: Original, params: Params) -> Answer:
    """SNS API, Unsubscribe and others: InvalidParameter for what is no ARN, such as PendingConfirmation."""
    arn = sns._p(params, "SubscriptionArn")
    if re.fullmatch(r"arn:[^:]+:sns:[^:]+:\d+:[^:]+:[^:]+", arn):
        return original(params)
    elements = arn.count(":") + 1
    text = f"Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not {elements}"
    answer: Answer = sns._error("InvalidParameter", text, 400)
    return answer
