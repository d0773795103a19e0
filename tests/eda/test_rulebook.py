# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The rulebook as users run it, by ansible-rulebook itself: an object fails, and its pair is verified, no other one.

`ANSIBLE_RULEBOOK` is the program, `JAVA_HOME` its Java, and `AWS_ENDPOINT_URL` the local AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import time

import boto3
import pytest

TRUST = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACCOUNT = os.environ["AWS_ACCESS_KEY_ID"]
REGIONS = ("us-east-1", "us-west-2")
QUEUE = "s3-dr-events"
DEADLINE_SECONDS = 120.0


def client(service, region=REGIONS[0]):
    return boto3.client(service, region_name=region)


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_pair(name):
    """A pair whose role may do nothing, so that each object fails."""
    for region, bucket in zip(REGIONS, (name, f"{name}-dr"), strict=True):
        s3 = client("s3", region)
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(TRUST))["Role"]["Arn"]
    rule = {
        "ID": "dr",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{name}-dr", "Metrics": {"Status": "Enabled"}},
    }
    client("s3").put_bucket_replication(Bucket=name, ReplicationConfiguration={"Role": role, "Rules": [rule]})


def make_queue(region):
    """A queue that S3 may send to, as the role `events` makes one."""
    sqs, arn = client("sqs", region), f"arn:aws:sqs:{region}:{ACCOUNT}:{QUEUE}"
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    sender = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
    policy = document(sender | {"Action": "sqs:SendMessage", "Resource": arn})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def notify(bucket, pair, queue_arn):
    told = {"Id": f"s3-dr/{pair}/replication", "QueueArn": queue_arn, "Events": ["s3:Replication:*"]}
    notifications = {"QueueConfigurations": [told]}
    client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notifications)


def declared(name):
    ends = zip(("primary", "dr"), (name, f"{name}-dr"), REGIONS, strict=True)
    pair = {end: {"bucket": bucket, "region": region} for end, bucket, region in ends}
    return {"s3_dr_pair": {"name": name.removeprefix("eda-"), **pair}}


@pytest.fixture
def inventory(tmp_path):
    hosts = {"host-of-orders": declared("eda-orders"), "invoices": declared("eda-invoices")}
    settings = {"verify_canary": False, "verify_deadline_seconds": 5}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"s3_dr_pairs": {"vars": settings, "hosts": hosts}}))
    return inventory


@pytest.fixture
def rulebook(tmp_path, inventory):
    """The rulebook, running: what it has said so far, in a file."""
    queues = [{"name": QUEUE, "region": region} for region in REGIONS]
    quickly = {"s3_dr_event_batch_seconds": 1, "s3_dr_event_wait_seconds": 1}
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"s3_dr_event_queues": queues} | quickly))
    command = [os.environ["ANSIBLE_RULEBOOK"], "--rulebook", "crossregion.s3_dr.verify_on_failure"]
    options = ["--inventory", str(inventory), "--vars", str(variables), "--verbose"]
    output = tmp_path / "output"
    with output.open("w") as stream:
        process = subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            env=os.environ | {"PWD": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield output
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        print(output.read_text())


def wait_until_said(output, *words):
    """Wait for a line of ansible-rulebook or of the playbook: all there is until then."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not all(word in (said := output.read_text()) for word in words):
        assert time.monotonic() < deadline, f"it never said {words}"
        time.sleep(0.1)
    return said


@pytest.fixture
def queues():
    return [make_queue(region) for region in REGIONS]


def test_failure_verifies_its_pair(queues, rulebook, tmp_path):
    """Whoever may write objects chooses their keys, and Ansible renders the templates in a playbook's variables."""
    for pair in ("orders", "invoices"):
        make_pair(f"eda-{pair}")
        notify(f"eda-{pair}", pair, queues[0][1])
    client("sqs", REGIONS[1]).send_message(QueueUrl=queues[1][0], MessageBody="no event at all")
    started = time.monotonic()
    for key in (f"{{{{ lookup('ansible.builtin.pipe', 'touch {tmp_path}/executed') }}}}", "2026/order 1.txt"):
        client("s3").put_object(Bucket="eda-orders", Key=key, Body=b"an order")

    said = wait_until_said(rulebook, "PLAY RECAP", "no event at all")
    print(f"{time.monotonic() - started:.1f} s from the failing objects to the end of the verify")

    assert "eda-orders: 2026/order 1.txt: OperationFailedReplication SrcHeadObjectNotPermitted: The replication" in said
    assert "orders: broken." in said
    (evidence,) = tmp_path.glob("s3-dr-evidence/pairs/*/*/evidence.json")
    assert evidence.parts[-3] == "orders"
    assert not (tmp_path / "executed").exists()


def test_pair_that_the_inventory_does_not_know_is_said(inventory):
    event = json.dumps({"s3_dr_failure": {"pair": "gone"}})
    command = ["ansible-playbook", "-i", str(inventory), "-e", event, "crossregion.s3_dr.verify_on_failure"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Objects of the pair gone failed to replicate, and this inventory has no such pair" in done.stdout
