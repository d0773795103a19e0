# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The few words of CloudWatch's metric math that this project's dashboard uses, for the picture of it."""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

Series: TypeAlias = "dict[float, float]"
"""Values by time."""
Value: TypeAlias = "Series | float"

_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: lambda one, two: float(one > two),
}


def evaluate(expression: str, series: Mapping[str, Series], periods: Mapping[str, float]) -> Value:
    """The value of an expression; a number stands for the same value at every time."""
    return _value(ast.parse(expression, mode="eval").body, series, periods)


def _value(node: ast.expr, series: Mapping[str, Series], periods: Mapping[str, float]) -> Value:
    def of(one: ast.expr) -> Value:
        return _value(one, series, periods)

    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return series[node.id]
    if isinstance(node, ast.BinOp):
        return _combined(_OPERATORS[type(node.op)], of(node.left), of(node.right))
    if isinstance(node, ast.Compare):
        return _combined(_OPERATORS[type(node.ops[0])], of(node.left), of(node.comparators[0]))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node.func.id, node.args, of, periods)
    raise ValueError(f"metric math: {ast.unparse(node)} is not known here")


def _called(name: str, given: list[ast.expr], of: Callable[[ast.expr], Value], periods: Mapping[str, float]) -> Value:
    if name == "PERIOD" and isinstance(given[0], ast.Name):
        return periods[given[0].id]
    if name == "SUM" and isinstance(given[0], ast.List):
        return _sum(of(one) for one in given[0].elts)
    values = [of(one) for one in given]
    if name == "TIME_SERIES":
        return values[0]
    if name == "DIFF" and isinstance(values[0], dict):
        times = sorted(values[0])
        return {later: values[0][later] - values[0][time] for time, later in itertools.pairwise(times)}
    if name == "IF" and isinstance(values[0], dict):
        return {time: _at(values[1 if yes else 2], time) for time, yes in values[0].items()}
    raise ValueError(f"metric math: {name} is not known here")


def _sum(values: Iterable[Value]) -> Series:
    total: Series = {}
    for value in values:
        for time, one in value.items() if isinstance(value, dict) else ():
            total[time] = total.get(time, 0.0) + one
    return total


def _combined(of: Callable[[float, float], float], one: Value, two: Value) -> Value:
    """Two series are combined at the times that both have."""
    if isinstance(one, dict):
        times = [time for time in one if not isinstance(two, dict) or time in two]
    elif isinstance(two, dict):
        times = list(two)
    else:
        return of(one, two)
    return {time: of(_at(one, time), _at(two, time)) for time in times}


def _at(value: Value, time: float) -> float:
    return value[time] if isinstance(value, dict) else value
