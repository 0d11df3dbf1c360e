# SPDX-License-Identifier: Apache-2.0
"""Surveys of the crash dumps of many machines, made on many machines."""

from iommuscope_fleet.fleet import FleetError, Plan, survey
from iommuscope_fleet.judge import Row, judge
from iommuscope_fleet.store import Store

__all__ = ["FleetError", "Plan", "Row", "Store", "judge", "survey"]
