# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Which requests to S3 the policies refuse: of the bucket for everybody, of their own for roles and users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ministack.core import iam_actions
from ministack.core.iam_evaluator import EvalResult, PrincipalInfo
from ministack.core.responses import request_scope
from ministack.services import kms, s3

from . import keys, principals, versions
from .fitting import corrects, uses
from .principals import Resource

uses(
    "services.s3",
    "_bucket_owner_account(name)",
    "_resolve_sse_write_headers(headers, bucket_name)",
    "_qp(params, key, default)",
    "bucket_region(name)",
)
uses(
    "core.iam_actions",
    "_s3_action(method, path, query_params)",
    "_s3_source_object(headers)",
    "s3_additional_checks(method, path, headers, body, query_params)",
    "s3_service_context(iam_action, query_params, path, headers)",
    "access_denied_response(service, action, principal_arn, request_id, error_code, message, headers, resource_arn, "
    "explicit_deny, resource_policy_arn)",
)
uses("services.kms", "_resolve_key(key_id_or_arn)")

Answer = tuple[int, dict[str, str], bytes]
Check = tuple[str, str]  # action and ARN

PREFIX = "arn:aws:s3:::"
# S3 API, PutObject and CreateMultipartUpload: what these headers ask for needs a permission of its own.
HEADERS = {
    "x-amz-tagging": "s3:PutObjectTagging",
    "x-amz-acl": "s3:PutObjectAcl",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
}
# S3 API, PutBucketPolicy: the root user of the bucket's account can always do this, so that nobody locks it out.
NEVER_DENIED_TO_OWNER = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


@dataclass(frozen=True)
class Asked:
    """A request to S3."""

    method: str
    bucket: str
    key: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.key else f"/{self.bucket}"

    @property
    def arn(self) -> str:
        return PREFIX + self.path[1:] if self.bucket else "*"

    @property
    def action(self) -> str:
        return f"s3:{iam_actions._s3_action(self.method, self.path, self.query)}"

    @property
    def deletes_many(self) -> bool:
        return self.method == "POST" and not self.key and "delete" in self.query

    @property
    def starts_a_write(self) -> bool:
        """PutObject, CopyObject or CreateMultipartUpload, which say what the object will be like."""
        return self.action == "s3:PutObject" and "uploadId" not in self.query


@corrects("services.s3", "_dispatch(method, bucket, key, headers, body, query_params)")
def refuse_by_policy(
    original: Callable[..., Answer],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """IAM User Guide, reference_policies_evaluation-logic; S3 User Guide, security_iam_service-with-iam."""
    principal = principals.current()
    if principal is None:
        return original(method, bucket, key, headers, body, query_params)
    asked = Asked(method, bucket, key, headers, body, query_params)
    for action, arn in () if asked.deletes_many else checks(asked):
        if refused := refusal(principal, action, arn, asked):
            return denied(action, arn, refused)
    if principals.is_limited(principal):
        for action, use in key_uses(asked):
            if refused := key_refusal(principal, action, use):
                return denied(action, use.key, refused)
    answer = original(method, bucket, key, headers, body, query_params)
    return hide_absence(principal, asked, answer)


def checks(asked: Asked) -> Iterator[Check]:
    """S3 User Guide, using-with-s3-policy-actions: what a request must be allowed to do, and to what."""
    yield asked.action, asked.arn
    yield from iam_actions.s3_additional_checks(asked.method, asked.path, asked.headers, asked.body, asked.query)
    if asked.starts_a_write:
        yield from ((action, asked.arn) for name, action in HEADERS.items() if name in asked.headers)
        yield from copied_tags(asked)


def copied_tags(asked: Asked) -> Iterator[Check]:
    """S3 User Guide, copy-object: the tags of the source go along, unless the copy gets others."""
    source = iam_actions._s3_source_object(asked.headers)
    if source and asked.headers.get("x-amz-tagging-directive", "COPY") == "COPY":
        arn, version_id = source
        bucket, _slash, key = arn.removeprefix(PREFIX).partition("/")
        with request_scope(s3._bucket_owner_account(bucket) or "", ""):
            found = version_of(bucket, key, version_id)
            tags = found and s3._object_tags.get((bucket, key, found.get("version_id")))
        if tags:
            yield ("s3:GetObjectVersionTagging" if version_id else "s3:GetObjectTagging"), arn
            yield "s3:PutObjectTagging", asked.arn


def refusal(principal: PrincipalInfo, action: str, arn: str, asked: Asked | None = None) -> EvalResult | None:
    """Why the principal may not do this, in the context of a request, or None when it may."""
    bucket = arn.removeprefix(PREFIX).partition("/")[0]
    owner = s3._bucket_owner_account(bucket) if arn.startswith(PREFIX) else None
    policy = s3._bucket_policies.get_scoped(owner, None, bucket) if owner else None
    is_root = not principals.is_limited(principal)
    if is_root and not policy:
        return None
    if is_root and principal.account == owner and action in NEVER_DENIED_TO_OWNER:
        return None
    context = iam_actions.s3_service_context(action, asked.query, asked.path, asked.headers) if asked else {}
    return principals.refusal(principal, action, Resource(arn, policy, owner), context)


def denied(action: str, arn: str, refused: EvalResult) -> Answer:
    """S3 User Guide, troubleshoot-403-errors: AccessDenied names who may not do what, and by which kind of policy."""
    status, headers, body = iam_actions.access_denied_response(
        "s3",
        action,
        refused.principal_arn,
        "",
        message=message(action, arn, refused),
    )
    return status, headers, body


def message(action: str, arn: str, refused: EvalResult) -> str:
    whose = "a resource-based" if refused.resource_policy_arn else "an identity-based"
    why = f"with an explicit deny in {whose} policy"
    if refused.decision != "Deny":
        why = f"because no {whose.partition(' ')[2]} policy allows the {action} action"
    return f'User: {refused.principal_arn} is not authorized to perform: {action} on resource: "{arn}" {why}'


def hide_absence(principal: PrincipalInfo, asked: Asked, answer: Answer) -> Answer:
    """S3 API, GetObject and HeadObject: who may not list the bucket is not told that an object is absent."""
    is_absent = asked.method in ("GET", "HEAD") and asked.key and answer[0] == 404 and asked.bucket in s3._buckets
    if not is_absent or not principals.is_limited(principal):
        return answer
    refused = refusal(principal, "s3:ListBucket", PREFIX + asked.bucket)
    return denied("s3:ListBucket", PREFIX + asked.bucket, refused) if refused else answer


# DeleteObjects


@corrects("services.s3", "_delete_objects(bucket_name, body, headers)")
def refuse_some_deletions(
    original: Callable[..., Answer], bucket_name: str, body: bytes, headers: dict[str, str] | None = None
) -> Answer:
    """S3 API, DeleteObjects: each key is judged by itself, and those that are refused are listed among the errors."""
    principal = principals.current()
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return original(bucket_name, body, headers)
    refused = [one for one in root if is_refused(principal, bucket_name, one, headers or {})] if principal else []
    if not refused:
        return original(bucket_name, body, headers)
    for one in refused:
        root.remove(one)
    status, answered, text = original(bucket_name, ElementTree.tostring(root), headers)
    return status, answered, with_errors(text, refused)


def is_refused(principal: PrincipalInfo, bucket: str, entry: Element, headers: dict[str, str]) -> bool:
    key, version_id = child(entry, "Key"), child(entry, "VersionId")
    if not key:  # it says something else, such as Quiet
        return False
    actions = ["s3:DeleteObjectVersion" if version_id else "s3:DeleteObject"]
    if headers.get("x-amz-bypass-governance-retention", "").lower() == "true":
        actions.append("s3:BypassGovernanceRetention")
    return any(refusal(principal, action, f"{PREFIX}{bucket}/{key}") for action in actions)


def child(entry: Element, name: str) -> str:
    return next((one.text or "" for one in entry if one.tag.rpartition("}")[2] == name), "")


def with_errors(answer: bytes, refused: list[Element]) -> bytes:
    ElementTree.register_namespace("", s3.S3_NS)
    root = ElementTree.fromstring(answer)
    for entry in refused:
        error = SubElement(root, f"{{{s3.S3_NS}}}Error")
        told = {"Key": child(entry, "Key"), "VersionId": child(entry, "VersionId")}
        for name, text in (told | {"Code": "AccessDenied", "Message": "Access Denied"}).items():
            if text:
                SubElement(error, f"{{{s3.S3_NS}}}{name}").text = text
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


# KMS


def key_uses(asked: Asked) -> Iterator[tuple[str, keys.Use]]:
    """S3 User Guide, UsingKMSEncryption: kms:Decrypt to read data, kms:GenerateDataKey to write it, and to read a
    checksum (HeadObject with ChecksumMode) kms:Decrypt as well."""
    reads = asked.method == "GET" or "x-amz-checksum-mode" in asked.headers
    if asked.action in ("s3:GetObject", "s3:GetObjectVersion") and asked.key and reads:
        yield from use_of_stored(asked.bucket, asked.key, s3._qp(asked.query, "versionId"))
    if source := iam_actions._s3_source_object(asked.headers):
        bucket, _slash, key = source[0].removeprefix(PREFIX).partition("/")
        yield from use_of_stored(bucket, key, source[1])
    if asked.starts_a_write and asked.key:
        encryption, _problem = s3._resolve_sse_write_headers(asked.headers, asked.bucket)
        if key_id := (encryption or {}).get(keys.KEY):
            yield "kms:GenerateDataKey", use(asked.bucket, asked.key, key_id)


def use_of_stored(bucket: str, key: str, version_id: str) -> Iterator[tuple[str, keys.Use]]:
    with request_scope(s3._bucket_owner_account(bucket) or "", ""):
        found = version_of(bucket, key, version_id)
    if found and keys.is_kms(found) and (key_id := found["preserved_headers"].get(keys.KEY)):
        yield "kms:Decrypt", use(bucket, key, key_id)


def version_of(bucket: str, key: str, version_id: str) -> dict[str, Any] | None:
    """The version of this ID, or the current one."""
    if bucket not in s3._buckets:
        return None
    found = versions.versions_of(bucket, key)
    wanted = (one for one in found if (one["version_id"] == version_id if version_id else one["is_latest"]))
    return next(wanted, None)


def use(bucket: str, key: str, key_id: str) -> keys.Use:
    account = s3._bucket_owner_account(bucket) or ""
    with request_scope(account, ""):
        region = key_id.split(":")[3] if key_id.startswith("arn:") else s3.bucket_region(bucket) or ""
    return keys.Use(key_id, account, region, (), f"{PREFIX}{bucket}/{key}")


def key_refusal(principal: PrincipalInfo, action: str, use: keys.Use) -> EvalResult | None:
    """S3 calls KMS in the key's Region. AWS's own key for S3, which is no key of MiniStack, is nobody's to refuse."""
    account = use.key.split(":")[4] if use.key.startswith("arn:") else use.account
    conditions = {
        "kms:ViaService": f"s3.{use.region}.amazonaws.com",
        "kms:CallerAccount": principal.account,
        "kms:EncryptionContext:aws:s3:arn": use.encrypted,
    }
    with request_scope(account, use.region):
        found = kms._resolve_key(use.key)
        if found is None:
            return None
        resource = Resource(found["Arn"], found.get("Policy") or "", account, needs_policy=True)
        return principals.refusal(principal, action, resource, conditions)


# Buckets of another account


@corrects(
    "services.s3",
    "_foreign_bucket_allows(owner_account, bucket_name, key, method, query_params, caller, headers)",
)
def let_named_session_in(
    original: Callable[..., bool],
    owner_account: str,
    bucket_name: str,
    key: str,
    method: str,
    query_params: dict[str, Any],
    caller: str,
    headers: dict[str, str] | None = None,
) -> bool:
    """S3 User Guide, example-walkthroughs-managing-access-example4: a bucket's policy may name a role of another
    account instead of the account. Whether all of the request is allowed is judged later."""
    if original(owner_account, bucket_name, key, method, query_params, caller, headers):
        return True
    principal = principals.current()
    if principal is None or not principals.is_limited(principal):
        return False
    asked = Asked(method, bucket_name, key, headers or {}, b"", query_params)
    return asked.deletes_many or refusal(principal, asked.action, asked.arn) is None
