# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Operations in one account and Region: own jobs are found, made, and waited for.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._core.batch_job import OwnJobs, active_jobs, is_over, own_jobs
from .gateway import AwsFailure, asking
from .row import Client
from .sdk_errors import NO_ANSWER, THROTTLED, ClientError, error_code

_PAGE = 1000
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_SILENCE_SECONDS = 600.0
"""So long a job is waited for that AWS tells nothing of. It goes on meanwhile."""

Watch = Callable[[Mapping[str, Any]], None]
"""Is told the job, as DescribeJob tells it, each time that it was asked."""


class BatchJobs:
    """The jobs of an account in a Region."""

    def __init__(
        self,
        client: Client,
        account: str,
        region: str,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._account = account
        self._region = region
        self._sleep = sleep
        self._clock = clock

    def own(self, description: str) -> OwnJobs:
        """The jobs of this description. AWS forgets a job 90 days after its end.

        Raises:
            AwsFailure: they cannot be listed.
        """
        with asking(self._what, "s3:ListJobs"):
            return own_jobs(self._listed(), description)

    def active(self, beginning: str) -> list[str]:
        """The jobs that have not ended and whose description begins so.

        Raises:
            AwsFailure: they cannot be listed.
        """
        with asking(self._what, "s3:ListJobs"):
            return active_jobs(self._listed(), beginning)

    def _listed(self) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = self._client.list_jobs(AccountId=self._account, MaxResults=_PAGE, **after)
            yield from page.get("Jobs", [])
            if not page.get("NextToken"):
                return
            after = {"NextToken": page["NextToken"]}

    def create(self, request: Mapping[str, Any], deadline: float) -> str:
        """Make the job; while AWS takes no further one, wait, since an account may have six that are active.

        Returns:
            The job's ID.

        Raises:
            AwsFailure: AWS refuses it, or takes none until the deadline.
        """
        pause = _FIRST_PAUSE_SECONDS
        with asking(self._what, f"s3:CreateJob, and iam:PassRole on {request['RoleArn']},"):
            while True:
                try:
                    return str(self._client.create_job(**request)["JobId"])
                except ClientError as error:
                    if error_code(error) not in THROTTLED or self._clock() + pause > deadline:
                        raise
                self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def describe(self, job_id: str) -> dict[str, Any]:
        """The job as it is now.

        Raises:
            AwsFailure: it cannot be read.
        """
        with asking(f"the job {job_id} in {self._region}", "s3:DescribeJob"):
            job: dict[str, Any] = self._client.describe_job(AccountId=self._account, JobId=job_id)["Job"]
            return job

    def wait(self, job_id: str, deadline: float, watch: Watch) -> dict[str, Any]:
        """The job when there is nothing more to wait for.

        Raises:
            AwsFailure: it still goes on at the deadline, or cannot be read for long. In AWS it goes on.
        """
        pause, heard = _FIRST_PAUSE_SECONDS, self._clock()
        while True:
            try:
                job = self.describe(job_id)
            except AwsFailure as failure:
                now = self._clock() + pause
                if not _passes(failure) or now > deadline or now > heard + _LONGEST_SILENCE_SECONDS:
                    raise
            else:
                heard = self._clock()
                watch(job)
                if is_over(job):
                    return job
                if heard + pause > deadline:
                    raise AwsFailure(self._not_over(job))
            self._sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)

    def _not_over(self, job: Mapping[str, Any]) -> str:
        return (
            f"the job {job['JobId']} in {self._region} is {job['Status']} and not over after all of `wait_timeout`. "
            "It goes on in AWS: run again to wait for it."
        )

    @property
    def _what(self) -> str:
        return f"S3 Batch Operations of account {self._account} in {self._region}"


def _passes(failure: AwsFailure) -> bool:
    """Whether AWS may well answer the next time."""
    error = failure.__cause__
    return error_code(error) in THROTTLED if isinstance(error, ClientError) else isinstance(error, NO_ANSWER)
