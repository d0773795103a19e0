# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What Systems Manager holds of a pair: a parameter with its state, an OpsItem while it is not proven, and a runbook.

The parameter is in each Region of the pair, so that the loss of one leaves the other. It says what the last verify
said; a run that only declares the pair, and a verify that is older or looked at less, leave that as it is.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import Verdict
from .evidence_words import count, mapping, mappings, number, printable, text, texts, verdict_in
from .merging import is_ours, owner_tags
from .model import (
    PAIR_NAME,
    UNSEEN,
    Account,
    Address,
    Document,
    InvalidInput,
    Refused,
    check_pair_name,
    check_region,
    is_seen,
)
from .plan import Observed, Wish

SCHEMA = "crossregion.s3_dr/status/1"
PATH = "/s3-dr"
DECLARED = "declared"
"""The state of a pair of which no verify has said anything yet. All others are verdicts."""

_MOST_BYTES = 4096
"""Systems Manager User Guide, "Managing parameter tiers": the value of a standard parameter."""
_LONGEST_SENTENCE = 400
_PATH = re.compile(r"(/[A-Za-z0-9_.-]+){1,14}")
_RESERVED = re.compile(r"/?(aws|ssm)", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the state of a pair is told: below which path, in which Regions, and in which one by an OpsItem.

    `ops_item` False: none is wished in that Region, and one that was opened before is resolved.

    Raises:
        InvalidInput: Systems Manager does not take it.
    """

    pair: str
    regions: tuple[str, ...]
    path: str = PATH
    ops_item_region: str | None = None
    ops_item: bool = True

    def __post_init__(self) -> None:
        check_pair_name(self.pair)
        check_path(self.path)
        if not self.regions:
            raise InvalidInput(f"pair '{self.pair}': `regions` is empty. Name both Regions of the pair.")
        for region in self.regions:
            check_region(region, f"pair '{self.pair}'")
        if self.ops_item_region is not None and self.ops_item_region not in self.regions:
            raise InvalidInput(
                f"pair '{self.pair}': `ops_item_region` is {self.ops_item_region}, which is none of its `regions` "
                f"{', '.join(self.regions)}. Choose one of them."
            )

    @property
    def parameter(self) -> str:
        """The name of the parameter, the same in each Region."""
        return f"{self.path}/{self.pair}"


def check_path(path: str) -> None:
    """Refuse what Parameter Store takes for no path.

    Raises:
        InvalidInput: it is none.
    """
    if not _PATH.fullmatch(path) or _RESERVED.match(path):
        raise InvalidInput(
            f"path '{path}': choose one to fourteen parts of letters, digits, '_', '.' and '-', each after a '/', of "
            "which the first does not begin with aws or ssm, such as /s3-dr."
        )


def packed(value: Any) -> str:
    """How a value is spelt in a parameter or document: an object with its keys in their order, a text as it is."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


# --- the parameter -------------------------------------------------------------------------------------------


def addresses(place: Place, account: Account, region: str) -> list[Address]:
    """What is read in the Region."""
    item = [_item_address(place, account)] if region == place.ops_item_region else []
    return [_parameter_address(place, account, region), *item]


def item_addresses(place: Place, account: Account, region: str) -> list[Address]:
    """The OpsItem, if it is to be in the Region."""
    return [address for address in addresses(place, account, region) if address.kind == "ops_item"]


def _parameter_address(place: Place, account: Account, region: str) -> Address:
    return Address("ssm_parameter", place.parameter, region, account.id)


def state_wish(
    place: Place, account: Account, region: str, result: Mapping[str, Any] | None, observed: Observed
) -> tuple[Wish, Wish]:
    """What is wished and unwanted in a Region.

    Args:
        result: what a verify of the pair returned. None: the pair is only declared.
        observed: what the Region holds.
    """
    address = _parameter_address(place, account, region)
    _check_is_state(address, observed.get(address))
    there = told_of(place, account, region, observed)
    unwanted: dict[Address, Document] = {}
    if not place.ops_item:
        unwanted = {item: {} for item in item_addresses(place, account, region) if is_seen(observed.get(item))}
    if there and why_it_stays(result, there):
        return {address: _parameter(there)}, unwanted
    wish: dict[Address, Document] = {address: _parameter(_value(place.pair, result, there))}
    if place.ops_item and result is not None and region == place.ops_item_region:
        item = ops_item(place, result, there)
        if item:
            wish[_item_address(place, account)] = item
        elif not texts(result, "prefixes"):
            unwanted[_item_address(place, account)] = {}
    return wish, unwanted


def removal_wish(place: Place, account: Account, region: str, observed: Observed) -> Wish:
    """What goes in a Region: the parameter, and the OpsItem is resolved, if the credentials may look for it.

    Raises:
        Refused: the parameter is another one of this collection's, such as the pointer to the active end.
    """
    parameter = _parameter_address(place, account, region)
    _check_is_state(parameter, observed.get(parameter))
    return {address: {} for address in addresses(place, account, region) if is_seen(observed.get(address))}


def _check_is_state(address: Address, document: Document | None) -> None:
    """Raise Refused when the parameter says something else in this collection's words, which a client may follow."""
    value = (document or {}).get("Value")
    schema = text(value, "schema") if isinstance(value, Mapping) else ""
    if is_ours(document) and schema not in ("", SCHEMA):
        raise Refused(
            f"{address}: it holds {schema} and is no state of a pair. Choose another `path`, one that no other role of "
            "this collection has."
        )


def item_note(place: Place, account: Account, region: str, observed: Observed) -> str | None:
    """One sentence or two if an OpsItem was not looked for."""
    for item in item_addresses(place, account, region):
        found = observed.get(item)
        if found is not None and not is_seen(found):
            return (
                f"{region}: whether an OpsItem '{item.name}' is open was not looked at: {found[UNSEEN]}. If there is "
                "one, resolve it."
            )
    return None


def told_of(place: Place, account: Account, region: str, held: Observed) -> dict[str, Any]:
    """What the parameter in a Region says of the pair, by what the Region holds or should hold; empty if nothing."""
    document = held.get(_parameter_address(place, account, region))
    return dict(_told(place.pair, (document or {}).get("Value")) or {})


def _told(pair: str, value: Any) -> Mapping[str, Any] | None:
    """What a parameter says of the pair; None if it is no state of it."""
    if isinstance(value, Mapping) and (value.get("schema"), value.get("pair")) == (SCHEMA, pair):
        return value
    return None


def why_it_stays(result: Mapping[str, Any] | None, there: Mapping[str, Any]) -> str:
    """Why what the parameter says is not replaced by a result; empty if it is."""
    if result is None:
        return "only a verify changes what a verify said"
    if verdict_in(result) is Verdict.PROVEN and texts(result, "prefixes"):
        return "this verify looked at some prefixes only, which proves nothing of the others"
    before, now = text(there, "verified_at"), verified_at(result) or ""
    if _MOMENT.fullmatch(before) and _MOMENT.fullmatch(now) and before > now:
        return f"it tells of a later verify, of {before}"
    return ""


def _parameter(value: Mapping[str, Any]) -> Document:
    return {"Type": "String", "Value": dict(value), "Tags": owner_tags()}


def _value(pair: str, result: Mapping[str, Any] | None, there: Mapping[str, Any] | None) -> dict[str, Any]:
    """The state of the pair as one object, cut to what a parameter holds."""
    partly_proven = result is not None and verdict_in(result) is Verdict.PROVEN and texts(result, "prefixes")
    if result is None or partly_proven:
        return {"schema": SCHEMA, "pair": pair, "state": DECLARED}
    recovery, problems = mapping(result, "recovery"), _problems(result)
    value = {
        "schema": SCHEMA,
        "pair": pair,
        "state": verdict_in(result).value,
        "verified_at": verified_at(result),
        "recovery_point": _moment(recovery, "recovery_point"),
        "rpo_seconds": _whole(recovery, "rpo_seconds"),
        "rpo_target_seconds": _whole(recovery, "rpo_target_seconds"),
        "last_proven": last_proven(result, there),
        "summary": _sentence(next(iter(texts(result, "summary")), "")),
        "evidence": _sentence(text(result, "evidence")) or None,
        "problems_total": len(problems),
    }
    kept = _as_fit(problems, lambda some: len(packed({**value, "problems": some}).encode()) <= _MOST_BYTES)
    return {**value, "problems": kept}


def last_proven(result: Mapping[str, Any], there: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The last verify that proved the whole pair: this one, or the one that the parameter tells of."""
    if verdict_in(result) is Verdict.PROVEN:
        return {
            "verified_at": verified_at(result),
            "recovery_point": _moment(mapping(result, "recovery"), "recovery_point"),
        }
    before = mapping(there or {}, "last_proven")
    return {name: _moment(before, name) for name in ("verified_at", "recovery_point")} if before else None


def verified_at(result: Mapping[str, Any]) -> str | None:
    """When the verify looked, by AWS's clock; None if it never came so far."""
    began = sorted(filter(None, (_moment(one, "began") for one in mappings(result, "comparisons"))))
    return _moment(mapping(result, "recovery"), "measured_at") or next(iter(began), None)


def _moment(found: Mapping[str, Any], name: str) -> str | None:
    said = text(found, name)
    return said if _MOMENT.fullmatch(said) else None


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    return None if number(found, name) is None else count(found, name)


def _problems(result: Mapping[str, Any]) -> list[str]:
    """One sentence each; of a verify that broke off, its message."""
    if verdict_in(result) is Verdict.PROVEN:
        return []
    said = texts(result, "problems") or [text(result, "msg") or "The verify broke off without a word."]
    return [_sentence(one) for one in said]


def _sentence(said: str) -> str:
    """What Parameter Store takes: it refuses a value with two opening brackets side by side."""
    apart = re.sub(r"\{(?=\{)", "{ ", printable(said))
    return apart if len(apart) <= _LONGEST_SENTENCE else f"{apart[: _LONGEST_SENTENCE - 1]}…"


def _as_fit(sentences: Sequence[str], fits: Callable[[list[str]], bool]) -> list[str]:
    """As many of them as fit, from the first on."""
    kept: list[str] = []
    for sentence in sentences:
        if not fits([*kept, sentence]):
            break
        kept.append(sentence)
    return kept


# --- the OpsItem ---------------------------------------------------------------------------------------------

SOURCE = "crossregion.s3_dr"
CATEGORY = "Recovery"
CAUSES_URL = "https://github.com/crossregion/s3_dr/blob/main/roles/verify/README.md"
_LONGEST_DESCRIPTION = 2048
_SEVERITIES = {Verdict.BROKEN: "1", Verdict.AT_RISK: "2", Verdict.UNKNOWN: "3"}
_MEANINGS = {
    Verdict.BROKEN: "The pair does not replicate, or the copy is wrong.",
    Verdict.AT_RISK: "Something that was written is not in the copy, or its loss would not be noticed.",
    Verdict.UNKNOWN: "Something could not be looked at, so nothing is proven.",
}


def title(pair: str) -> str:
    """The title of the pair's OpsItem, by which it is found again."""
    return f"S3 replication pair {pair} is not proven"


def _item_address(place: Place, account: Account) -> Address:
    return Address("ops_item", title(place.pair), place.ops_item_region or "", account.id)


def ops_item(place: Place, result: Mapping[str, Any], there: Mapping[str, Any] | None) -> Document | None:
    """What a person should see of a pair that is not proven: what is wrong, what to do, where to look."""
    verdict = verdict_in(result)
    if verdict is Verdict.PROVEN:
        return None
    head = [f"The last verify of the S3 replication pair '{place.pair}' says {verdict.value}: {_MEANINGS[verdict]}"]
    head += _times(result, last_proven(result, there))
    tail = [
        f"What the causes mean: {CAUSES_URL}",
        f"State of the pair: parameter {place.parameter} in {', '.join(place.regions)}.",
        "Correct that and run crossregion.s3_dr.verify. It resolves this item when the pair is proven.",
    ]
    if evidence := _sentence(text(result, "evidence")):
        tail.insert(0, f"Evidence: {evidence}")

    def described(problems: list[str]) -> str:
        more = len(all_problems) - len(problems)
        left = [f"- and {more} more."] if more else []
        return "\n".join([*head, *(f"- {problem}" for problem in problems), *left, *tail])

    all_problems = _problems(result)
    kept = _as_fit(all_problems, lambda some: len(described(some)) <= _LONGEST_DESCRIPTION)
    return {
        "Title": title(place.pair),
        "Source": SOURCE,
        "Description": described(kept)[:_LONGEST_DESCRIPTION],
        "Severity": _SEVERITIES[verdict],
        "Category": CATEGORY,
    }


def _times(result: Mapping[str, Any], proven: Mapping[str, Any] | None) -> list[str]:
    said = {
        "Verified at": verified_at(result),
        "Recovery point": _moment(mapping(result, "recovery"), "recovery_point"),
        "Last proven at": text(proven or {}, "verified_at") or "never, as far as the parameter tells",
    }
    return [f"{what}: {when}." for what, when in said.items() if when]


# --- the runbook ---------------------------------------------------------------------------------------------

RUNBOOK = "s3-dr-verify"
"""Of the default path, see `runbook_name`."""
_PATH_TAG = "s3-dr-path"
FUNCTION = "s3-dr-scheduled-drill"
_LONGEST_STEP_SECONDS = 300
"""Systems Manager User Guide, "aws:invokeLambdaFunction": a step runs so long at most."""
_DOCUMENT_NAME = re.compile(r"(?!aws|amazon|amzn)[A-Za-z0-9_.-]{3,128}", re.IGNORECASE)
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Runbook:
    """The Automation runbook that verifies a pair by the function of the scheduled drill.

    It is that of the pairs below one `path`, so that no inventory takes away another's.

    Raises:
        InvalidInput: Systems Manager or Lambda does not take it.
    """

    regions: tuple[str, ...]
    name: str = RUNBOOK
    function: str = FUNCTION
    path: str = PATH

    def __post_init__(self) -> None:
        check_path(self.path)
        if not self.regions:
            raise InvalidInput(f"runbook '{self.name}': `regions` is empty. Name the Regions of the pairs.")
        for region in self.regions:
            check_region(region, f"runbook '{self.name}'")
        if not _DOCUMENT_NAME.fullmatch(self.name):
            raise InvalidInput(
                f"runbook '{self.name}': choose a name of 3 to 128 letters, digits, '_', '.' and '-' that does not "
                "begin with aws, amazon or amzn. Without one it is made from `path`."
            )
        if not _FUNCTION_NAME.fullmatch(self.function):
            raise InvalidInput(
                f"runbook '{self.name}': `function_name` is '{self.function}'. Give a function's name, of up to 64 "
                "letters, digits, '_' and '-'."
            )


def runbook_name(path: str) -> str:
    """The name of a path's runbook when the user names none: `s3-dr-verify` of `/s3-dr`."""
    return f"{path.removeprefix('/').replace('/', '-')}-verify"


def runbook_wish(runbook: Runbook, account: Account, region: str) -> Wish:
    """The runbook in a Region."""
    content = _content(runbook)
    return {
        runbook_address(runbook, account, region): {
            "DocumentType": "Automation",
            "Content": content,
            "Tags": owner_tags(**{_PATH_TAG: runbook.path}),
        }
    }


def check_runbook(runbook: Runbook, held: Document | None) -> None:
    """Refuse a runbook that is used for the pairs below another path.

    Args:
        held: the document of that name in the Region.

    Raises:
        Refused: it is.
    """
    if path := _other_path(runbook, held):
        raise Refused(
            f"runbook '{runbook.name}': one of this name verifies the pairs below {path}, not {runbook.path}. "
            "Choose another `name`, or leave it out."
        )


def _other_path(runbook: Runbook, held: Document | None) -> str | None:
    path = (held or {}).get("Tags", {}).get(_PATH_TAG)
    return None if path in (None, runbook.path) else str(path)


def runbook_removal_wish(
    runbook: Runbook,
    account: Account,
    region: str,
    states: Iterable[Any],
    leaving: Iterable[str],
    held: Document | None,
) -> Wish:
    """The runbook in a Region, if it goes: as long as the Region tells of pairs that stay, it is needed.

    Args:
        held: the document of that name in the Region, which may be that of another path.
        states: the values of the parameters of the pairs in the Region.
        leaving: the pairs that go in the same run.
    """
    going = set(leaving)
    names = {text(value, "pair") for value in states if isinstance(value, Mapping) and value.get("schema") == SCHEMA}
    stays = names - going or _other_path(runbook, held)
    return {} if stays else {runbook_address(runbook, account, region): {}}


def runbook_address(runbook: Runbook, account: Account, region: str) -> Address:
    """The address of the runbook in a Region."""
    return Address("ssm_document", runbook.name, region, account.id)


def _content(runbook: Runbook) -> Document:
    """The pair's name goes into the payload as a value of an object."""
    return {
        "schemaVersion": "0.3",
        "description": (
            "Verifies an S3 replication pair by the function of the scheduled drill of crossregion.s3_dr. The output "
            "says what was proven. Nothing but the function's own canary objects is written."
        ),
        "assumeRole": "{{ AutomationAssumeRole }}",
        "parameters": _runbook_parameters(runbook),
        "mainSteps": [
            {
                "name": "Verify",
                "action": "aws:invokeLambdaFunction",
                "description": "Invokes the function and waits for what it says of the pair.",
                "maxAttempts": 1,
                "timeoutSeconds": _LONGEST_STEP_SECONDS,
                "onFailure": "Abort",
                "isEnd": True,
                "inputs": {
                    "FunctionName": "{{ FunctionName }}",
                    "InvocationType": "RequestResponse",
                    "InputPayload": {"action": "verify", "pair": "{{ Pair }}"},
                },
            }
        ],
        "outputs": ["Verify.StatusCode", "Verify.Payload"],
    }


def _runbook_parameters(runbook: Runbook) -> Document:
    """Only what can be the name of a pair or function is taken, since it goes into the payload."""
    return {
        "Pair": {
            "type": "String",
            "description": "(Required) The pair's name.",
            "allowedPattern": f"^{PAIR_NAME.pattern}$",
        },
        "FunctionName": {
            "type": "String",
            "description": "(Optional) The function that verifies.",
            "default": runbook.function,
            "allowedPattern": f"^{_FUNCTION_NAME.pattern}$",
        },
        "AutomationAssumeRole": {
            "type": "String",
            "description": (
                "(Optional) The ARN of the role that Automation assumes, which may invoke the function. Without it, "
                "the function is invoked with the permissions of who starts the runbook."
            ),
            "default": "",
            "allowedPattern": "^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$",
        },
    }
