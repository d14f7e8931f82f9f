"""Prints what the official SDK offers: public names by module, the parameters of its client's methods. A peer program."""

# mypy: disable-error-code="import-not-found"

import importlib
import inspect
import json

MODULES = ("kfp", "kfp.client", "kfp.compiler", "kfp.components", "kfp.dsl", "kfp.kubernetes", "kfp.local")


def public(name: str) -> list[str]:
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    return sorted(listed or (one for one in vars(module) if not one.startswith("_") or one == "__version__"))


def parameters(function: object) -> list[list[str]]:
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]  # each is a function
    return [[one.name, "" if one.default is one.empty else repr(one.default)] for one in found]


def methods(kind: type) -> dict[str, list[list[str]]]:
    return {
        name: parameters(function)
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") or name == "__init__"
    }


if __name__ == "__main__":
    from kfp import Client

    print(json.dumps({"names": {name: public(name) for name in MODULES}, "client": methods(Client)}))
