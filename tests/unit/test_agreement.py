# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is written down in several places says the same in each."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crossregion.s3_dr.plugins.doc_fragments.pair import ModuleDocFragment
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
PACKAGE = "ansible_collections.crossregion.s3_dr.plugins.modules"
NOTHING = object()

Options = dict[str, Any]


def load(*parts: str) -> Any:
    """A YAML file of the collection; None if there is none."""
    path = ROOT.joinpath(*parts)
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def asks_aws(module: str) -> bool:
    """Whether a module takes the options of amazon.aws: any other would refuse the defaults of the group."""
    documentation = yaml.safe_load(importlib.import_module(f"{PACKAGE}.{module}").DOCUMENTATION)
    return "amazon.aws.common.modules" in documentation.get("extends_documentation_fragment", [])


def flat(options: Options, children: str, above: str = "") -> dict[str, Options]:
    """Options and suboptions by their dotted names."""
    found = {}
    for name, option in options.items():
        found[above + name] = {key: value for key, value in option.items() if key != children}
        found |= flat(option.get(children) or {}, children, f"{above}{name}.")
    return found


def role_options(role: str) -> Options:
    """The options of a role's entry point."""
    options: Options = load("roles", role, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]
    return options


def traits(option: Options) -> Options:
    """What an option accepts; what is not said is what Ansible takes it for."""
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "choices": option.get("choices"),
        "required": option.get("required", False),
        "default": option.get("default"),
    }


def declared_spec(module: str) -> Options:
    """The argument spec in a module's main, with what it calls and names put in."""
    found = importlib.import_module(f"{PACKAGE}.{module}")
    for node in ast.walk(ast.parse(Path(found.__file__ or "").read_text())):
        if isinstance(node, ast.keyword) and node.arg == "argument_spec":
            expression = compile(ast.Expression(node.value), module, "eval")
            return dict(eval(expression, vars(found)))
    raise AssertionError(f"{module} has no argument_spec")


def documented(module: str) -> Options:
    """The options in a module's documentation, with those of our own fragments."""
    documentation = yaml.safe_load(importlib.import_module(f"{PACKAGE}.{module}").DOCUMENTATION)
    options: Options = dict(documentation.get("options") or {})
    if "crossregion.s3_dr.pair" in documentation["extends_documentation_fragment"]:
        options |= yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    return options


@pytest.mark.parametrize("module", MODULES)
def test_a_module_documents_exactly_the_options_that_it_takes(module: str) -> None:
    spec = {name: traits(option) for name, option in flat(declared_spec(module), "options").items()}
    docs = {name: traits(option) for name, option in flat(documented(module), "suboptions").items()}
    assert docs == spec


def test_the_fragment_documents_exactly_the_options_of_a_pair() -> None:
    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    docs = {name: traits(option) for name, option in flat(fragment, "suboptions").items()}
    assert docs == {name: traits(option) for name, option in flat(pair_argument_spec(), "options").items()}


def pair_in_the_role() -> dict[str, Options]:
    """What the role replication_pair takes as a pair."""
    return flat(role_options("replication_pair")["replication_pair_definition"]["options"], "options")


def test_the_role_takes_exactly_the_options_of_a_pair() -> None:
    assert set(pair_in_the_role()) == set(flat(pair_argument_spec(), "options"))


@pytest.mark.parametrize("name", flat(pair_argument_spec(), "options"))
def test_the_role_says_of_an_option_of_a_pair_nothing_else_than_the_modules(name: str) -> None:
    module, role = traits(flat(pair_argument_spec(), "options")[name]), pair_in_the_role()[name]
    for trait in ("type", "elements", "choices", "default"):
        assert role.get(trait, module[trait]) == module[trait], trait
    assert role.get("required", False) == (module["required"] and name != "name")  # the host has a name


def test_every_choice_of_a_module_is_a_choice_of_the_role() -> None:
    """Else the role would accept what the module then refuses."""
    wanted = {
        name: option["choices"] for name, option in flat(pair_argument_spec(), "options").items() if "choices" in option
    }
    assert {name: pair_in_the_role()[name].get("choices") for name in wanted} == wanted


def test_the_action_group_lists_exactly_the_modules_that_take_the_options_of_aws() -> None:
    group = load("meta", "runtime.yml")["action_groups"]["s3_dr"]
    assert sorted(name for name in group if isinstance(name, str)) == [name for name in MODULES if asks_aws(name)]
    assert {"metadata": {"extend_group": ["amazon.aws.aws"]}} in group


@pytest.mark.parametrize("role", ROLES)
def test_every_default_of_a_role_is_an_option_and_every_optional_option_has_a_default(role: str) -> None:
    defaults = load("roles", role, "defaults", "main.yml") or {}
    options = role_options(role)
    assert sorted(set(defaults) - set(options)) == []
    assert sorted({name for name, option in options.items() if not option.get("required")} - set(defaults)) == []


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_a_role_are_those_that_its_options_name(role: str) -> None:
    defaults = load("roles", role, "defaults", "main.yml") or {}
    named = {name: option["default"] for name, option in role_options(role).items() if "default" in option}
    differing = {
        name: (defaults.get(name, NOTHING), value)
        for name, value in named.items()
        if defaults.get(name, NOTHING) != value and "{{" not in str(defaults.get(name))
    }
    assert differing == {}


@pytest.mark.parametrize("role", ROLES)
def test_the_options_of_a_role_begin_with_its_name(role: str) -> None:
    assert [name for name in role_options(role) if not name.startswith(f"{role}_")] == []


COMMON = {"region"}
"""An option of every module of amazon.aws, which a module without an end of its own goes by."""


@pytest.mark.parametrize("role", ROLES)
def test_the_tasks_of_a_role_pass_only_options_that_the_module_takes(role: str) -> None:
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        for task in yaml.safe_load(path.read_text()):
            for action, arguments in task.items():
                module = action.removeprefix("crossregion.s3_dr.")
                if module in MODULES:
                    assert sorted(set(arguments) - set(declared_spec(module)) - COMMON) == [], path.name
