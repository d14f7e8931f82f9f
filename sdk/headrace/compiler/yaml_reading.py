"""The documents in a text of YAML or JSON. PyYAML is imported only where the text is not JSON.

Called by whoever reads packages and components (`package`, `headrace.components`, `headrace.comparing`), each of which words its
own mistake.
"""

from __future__ import annotations

import json
from typing import Any


class NotYaml(ValueError):  # noqa: N818  # never shown by itself
    """The text is neither; the message is the reader's, on one line."""


def documents_in(text: str) -> list[Any]:
    """The documents of TEXT that hold anything."""
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except ValueError:
            pass  # YAML may begin so too
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [document for document in yaml.load_all(text, loader) if document is not None]
    except yaml.YAMLError as error:
        raise NotYaml(" ".join(str(error).split())) from None
