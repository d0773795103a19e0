# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""CloudWatch's dashboards in memory: they belong to the account and to no Region."""

from __future__ import annotations

import json
import re

from .calls import Answer, Service, client_error

DASHBOARD_PAGE = 2
"""So few that tests see more than one page."""


class FakeDashboards(Service):
    """The dashboards of the account."""

    def __init__(self) -> None:
        super().__init__()
        self.dashboards: dict[str, str] = {}
        self.dashboard_warnings: list[dict[str, str]] = []

    def _cloudwatch_PutDashboard(self, params: Answer, region: str) -> Answer:
        body = json.loads(params["DashboardBody"])
        wrong = [number for number, widget in enumerate(body["widgets"]) if "type" not in widget]
        if wrong or not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", params["DashboardName"]):
            error = client_error("InvalidParameterInput", "The dashboard body is invalid", "PutDashboard")
            error.response["dashboardValidationMessages"] = [
                {"DataPath": f"/widgets/{number}", "Message": "Should have a type"} for number in wrong
            ]
            raise error
        self.dashboards[params["DashboardName"]] = params["DashboardBody"]
        return {"DashboardValidationMessages": self.dashboard_warnings}

    def _cloudwatch_GetDashboard(self, params: Answer, region: str) -> Answer:
        if params["DashboardName"] not in self.dashboards:
            raise client_error("ResourceNotFound", f"Dashboard {params['DashboardName']} does not exist")
        return {"DashboardName": params["DashboardName"], "DashboardBody": self.dashboards[params["DashboardName"]]}

    def _cloudwatch_ListDashboards(self, params: Answer, region: str) -> Answer:
        found = [name for name in sorted(self.dashboards) if name.startswith(params.get("DashboardNamePrefix", ""))]
        first = int(params.get("NextToken", 0))
        more = {"NextToken": str(first + DASHBOARD_PAGE)} if first + DASHBOARD_PAGE < len(found) else {}
        return {"DashboardEntries": [{"DashboardName": name} for name in found[first : first + DASHBOARD_PAGE]], **more}

    def _cloudwatch_DeleteDashboards(self, params: Answer, region: str) -> None:
        for name in params["DashboardNames"]:
            if self.dashboards.pop(name, None) is None:
                raise client_error("ResourceNotFound", f"Dashboard {name} does not exist")
