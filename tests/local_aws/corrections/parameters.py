# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How much a parameter of Systems Manager holds."""

from __future__ import annotations

from ministack.services import ssm

from .systems_manager import Data, Refused, operation

STANDARD = 4096


@operation("PutParameter")
def check(data: Data) -> None:
    """Systems Manager User Guide, parameter-store-advanced-parameters: 4 KB in the standard tier, which is that of a
    parameter unless told; an advanced one cannot become standard again."""
    known = ssm._parameters.get(data["Name"]) or {}
    if data.get("Tier", known.get("Tier", "Standard")) != "Standard":
        return
    if known.get("Tier") == "Advanced":
        raise Refused("ValidationException", "An advanced parameter can't be changed to a standard parameter.")
    if len(data["Value"].encode()) > STANDARD:
        text = f"Standard tier parameters support a maximum parameter value of {STANDARD} characters."
        raise Refused("ValidationException", f"{text} To create a larger parameter value, upgrade the parameter.")
