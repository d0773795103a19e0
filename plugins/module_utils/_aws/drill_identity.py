# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""As whom a drill recovers: a role that is assumed at STS of the recovery Region.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .._core.plan import Wish, plan
from .canary import Side
from .gateway import AwsFailure, Gateway, explain_connection
from .row import Client
from .sdk_errors import DENIED, NO_ANSWER, ClientError, error_code

SESSION = "s3-dr-drill"
_PAUSE_SECONDS = 2.0
_EVENTUAL_SECONDS = 120.0
"""IAM documents no time in which a new role is known everywhere; this is what is given to it."""

Keys = Mapping[str, str]
"""The credentials that STS gives: `AccessKeyId`, `SecretAccessKey`, `SessionToken`."""
ClientWith = Callable[[str, str, Keys], Client]
"""(service, Region, credentials) -> a client that acts with these alone."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to act as a role at one side: STS of its Region, and what makes a client of what STS gives."""

    sts: Client
    client_with: ClientWith

    def keys(self, role: str) -> Keys:
        """Credentials of the role."""
        keys: Keys = self.sts.assume_role(RoleArn=role, RoleSessionName=SESSION)["Credentials"]
        return keys

    def at(self, side: Side, role: str) -> Side:
        """The same side, used as the role."""
        return Side(side.end, side.owner, self.client_with("s3", side.end.region, self.keys(role)))


def make_role(gateway: Gateway, wish: Wish) -> None:
    """Make the role and its policy."""
    gateway.carry_out(plan(wish, gateway.observe(wish)))


def wait_for_permissions(
    sign_in: SignIn,
    side: Side,
    role: str,
    look: Callable[[Side], object],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    """Until the role can be assumed and may do what `look` does: AWS needs a while to know a new one everywhere.

    Raises:
        AwsFailure: it is refused all the time.
    """
    started = clock()
    while True:
        try:
            look(sign_in.at(side, role))
        except ClientError as error:
            if error_code(error) not in DENIED or clock() - started >= _EVENTUAL_SECONDS:
                raise AwsFailure(
                    f"the role {role} cannot be used in {side.end.region}: AWS refused {error.operation_name} "
                    f"({error_code(error)}: {error.response['Error'].get('Message', '')}). Let it be assumed by these "
                    "credentials, and let it list, read, write and delete the drill's keys, and use the bucket's key."
                ) from error
        except NO_ANSWER as error:
            raise AwsFailure(f"the role {role} in {side.end.region}: {explain_connection(error)}") from error
        else:
            return
        sleep(_PAUSE_SECONDS)
