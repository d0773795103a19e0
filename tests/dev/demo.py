# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""`make demo`: two pairs of buckets on a local AWS, set up, filled and verified, their alarms fired, their Region lost,
failed over and failed back, and set up again."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from typing import Any

import tree
from disaster import active_bucket, give_back, go_on, lose, wait_until_alike
from local_aws_server import local_aws, stop_local_aws
from paths import CACHE, ROOT, tool, tool_environment
from runner import Log, StageFailed
from sample_data import Bucket, put_sample_data, wait_until_replicated

FOLDER = CACHE / "demo"
EVIDENCE = FOLDER / "evidence"
DEADLINE_SECONDS = 60.0
OPERATORS = "operators@example.com"
POINTER = "/s3-dr-example-active/orders"
NAMES = ("orders", "invoices")
PAIRS = (  # source, destination, whether the rule replicates delete markers
    (Bucket("s3-dr-example-orders", "us-east-1"), Bucket("s3-dr-example-orders-dr", "us-west-2"), True),
    (Bucket("s3-dr-example-invoices", "us-east-1"), Bucket("s3-dr-example-invoices-dr", "us-west-2"), False),
)


FAREWELL = """\
Where to look
  {folder}/    1-setup.log to 6-setup-again.log: what you have just seen
  {page}    the evidence of the verify, for a browser
  examples/inventory/pairs.yml    the two pairs: copy it, and choose bucket names of your own
  docs/recovery.md    what to prepare, and what to do when a Region is lost
  README.md    what each part does, and what it costs on AWS

The same playbooks on real AWS, with the credentials that boto3 finds (AWS_PROFILE, for example)
  ansible-playbook -i your-pairs.yml playbooks/setup.yml --check --diff    shows what it would make
  ansible-playbook -i your-pairs.yml playbooks/setup.yml
  ansible-playbook -i your-pairs.yml playbooks/verify.yml
  ansible-playbook -i your-pairs.yml playbooks/alarm_drill.yml    tells whoever is subscribed, too
  ansible-playbook -i your-pairs.yml playbooks/drill.yml    rehearses the recovery, and touches nothing of yours
  ansible-playbook -i your-pairs.yml playbooks/failover.yml --check    says what it would do, with times
  ansible-playbook -i your-pairs.yml playbooks/teardown.yml    keeps all buckets and data, unless you name them"""


class DemoFailed(Exception):
    """The demo does not show what it should. The text says what, in a line."""


def main() -> int:
    started = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    tree.main()
    try:
        with local_aws(Log(FOLDER / "local-aws.log"), "demo") as aws:
            show(f"1. A local AWS with all Regions runs at {aws['AWS_ENDPOINT_URL']}")
            os.environ.update(aws)
            demonstrate(tool_environment(**aws, ANSIBLE_FORCE_COLOR=str(int(sys.stdout.isatty()))))
    except (DemoFailed, StageFailed, TimeoutError, AssertionError) as error:
        print(f"\nmake demo: {error}. The logs are in {FOLDER}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        stop_local_aws(Log(FOLDER / "local-aws.log"), "demo")
        return 130
    farewell(time.monotonic() - started)
    return 0


def demonstrate(env: dict[str, str]) -> None:
    show("2. Two pairs of buckets in us-east-1 and us-west-2, as examples/inventory/pairs.yml declares them")
    playbook("setup", env, "1-setup.log")
    show("3. The operators confirm the mails in which AWS asks whether they want to be told of alarms")
    confirm_subscriptions(env["AWS_ENDPOINT_URL"])
    show("4. Objects are written to the buckets in us-east-1, and awaited in us-west-2")
    fill_and_compare()
    show("5. The proof: every version is compared, and a new object goes through every rule")
    playbook("verify", env, "2-verify.log", "-e", f"s3_dr_report_dir={EVIDENCE}")
    show("6. The alarms: each one fires, by a real failure on a canary, and its message is awaited")
    playbook("alarm_drill", env, "3-alarm-drill.log", "-e", f"s3_dr_report_dir={EVIDENCE}")
    show("7. The disaster: us-east-1 is lost, and with it every change of a bucket's settings and of IAM")
    lose_the_region(env)
    show("8. us-east-1 comes back")
    return_to_the_region(env)
    show("9. The same set-up once more changes nothing")
    check_unchanged(playbook("setup", env, "6-setup-again.log"))


def playbook(name: str, env: dict[str, str], log: str, *options: str) -> str:
    """Run a playbook of the checkout, shown as it goes and kept in a log; return what it printed."""
    command = [tool("ansible-playbook"), f"playbooks/{name}.yml", *options]
    print(f"$ {shlex.join(['ansible-playbook', *command[1:]])}", flush=True)
    printed = []
    with (
        (FOLDER / log).open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
            printed.append(line)
    if process.returncode != 0:
        raise DemoFailed(f"playbooks/{name}.yml ended with exit code {process.returncode}")
    return "".join(printed)


def lose_the_region(env: dict[str, str]) -> None:
    orders, copy, _delete_markers = PAIRS[0]
    lose(env["AWS_ENDPOINT_URL"], orders)
    print(
        f"{orders.region} does not answer. One order was written a moment before, and had no time to leave it. "
        "Somebody decides to go on without it.",
        flush=True,
    )
    began = time.monotonic()
    decided = {"mode": "unplanned", "reason": "us-east-1 does not answer", "accept_data_loss": list(NAMES)}
    journey("failover", env, "4-failover.log", decided)
    seconds = time.monotonic() - began
    found = active_bucket(POINTER, copy.region)
    count, has_last = go_on(found)
    print(
        f"\nAfter {seconds:.1f} s clients are sent to {found.region}. An application that asks the parameter {POINTER} "
        f"there is sent to {found.name}:\nit finds {count} orders and writes the next one. "
        f"The order of a moment before is {'there' if has_last else 'not there: that is what was lost so far'}."
    )


def return_to_the_region(env: dict[str, str]) -> None:
    orders, copy, _delete_markers = PAIRS[0]
    give_back(env["AWS_ENDPOINT_URL"], orders)
    began = time.monotonic()
    journey("failback", env, "5-failback.log", {"reason": "us-east-1 is back"})
    seconds = time.monotonic() - began
    found, alike = active_bucket(POINTER, orders.region), wait_until_alike(orders, copy)
    print(
        f"\nAfter {seconds:.1f} s clients are sent to {found.name} in {found.region} again. Both ends hold the same "
        f"{alike} versions:\nthe order of a moment before and the one that was written in {copy.region}, too. "
        "Nothing is lost."
    )


def journey(name: str, env: dict[str, str], log: str, options: dict[str, Any]) -> None:
    """Fail over or fail back, both pairs by their names."""
    variables = {f"{name}_{option}": value for option, value in {"confirm": NAMES, **options}.items()}
    playbook(name, env, log, "-e", json.dumps(variables))


def fill_and_compare() -> None:
    for source, _destination, _delete_markers in PAIRS:
        written = put_sample_data(source)
        print(f"{source.name}: {written} versions and delete markers written in {source.region}", flush=True)
    for source, destination, delete_markers in PAIRS:
        started = time.monotonic()
        alike = wait_until_replicated(source, destination, DEADLINE_SECONDS, delete_markers=delete_markers)
        markers = f"{alike['delete_markers']} delete marker" if delete_markers else "no delete markers, as declared"
        print(
            f"{destination.name}: {alike['versions']} versions with the same IDs and bytes, {markers}, "
            f"in {destination.region} after {time.monotonic() - started:.1f} s",
            flush=True,
        )


def confirm_subscriptions(endpoint: str) -> None:
    """Do what a person does on AWS, who follows the link in the mail of each Region."""
    request = urllib.request.Request(f"{endpoint}/_local_aws/mail", data=json.dumps({"to": OPERATORS}).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        for subscription in json.load(answer)["confirmed"]:
            print(f"{OPERATORS} is told by {subscription}", flush=True)


def check_unchanged(printed: str) -> None:
    changes = re.findall(r"^(\S+)\s*: ok=\d+\s+changed=([1-9]\d*)", printed, re.MULTILINE)
    if changes:
        raise DemoFailed(f"the second set-up changed {', '.join(host for host, _count in changes)}")


def show(title: str) -> None:
    print(f"\n{'=' * 100}\n{title}\n{'=' * 100}", flush=True)


def farewell(seconds: float) -> None:
    show(f"Done in {seconds:.0f} s. The local AWS is stopped")
    newest = max((EVIDENCE / "fleet").glob("*/report.html"))
    print(FAREWELL.format(folder=os.path.relpath(FOLDER), page=os.path.relpath(newest)))


if __name__ == "__main__":
    sys.exit(main())
