"""Random pipelines with every construct of the IR, as descriptions. What is asked of a producer is added to it when a consumer
wants it, so that most of what is drawn is connected; what may be absent, null or of a wrong type at run time is drawn on purpose.
"""

from __future__ import annotations

import random
from typing import Any

from builders.descriptions import ARTIFACTS, Body, Condition, Declared, Flow, Loop, Node, Return, Source, placeholder

KEYS = {
    "text": ("Output", "Output", "Maybe"),
    "number": ("Number",),
    "flag": ("Flag",),
    "list": ("Texts", "Texts", "Structs", "Structs", "Numbers", "Mixed"),
    "lines": ("Lines",),
    "struct": ("Struct",),
    "file": ("file",),
    "files": ("files",),
}
ELEMENTS = {"Texts": "text", "Structs": "struct", "Numbers": "number", "Lines": "text"}
FIELDS = {"text": "f", "number": "n", "list": "l"}
TEXTS = ("v0", "v1")


def random_flow(rng: random.Random) -> Flow:
    """One random run of one random pipeline."""
    return _Drawing(rng).flow()


class _Drawing:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.chance = lambda share: rng.random() < share

    def flow(self) -> Flow:
        rng = self.rng
        root = Body("dag")
        root.inputs = {
            "p": Declared("text"),
            "n": Declared("number", default=rng.randint(0, 3)),
            "q": Declared("text", optional=True),
            "l": Declared("list", default=["v0", "v1"]),
            "g": Declared("file", optional=True),
        }
        flow = Flow(root, {"p": rng.choice(TEXTS)})
        given = {"n": rng.randint(0, 3), "q": rng.choice(TEXTS), "l": self.items(rng.choice(("text", "struct")))}
        flow.parameters |= {name: value for name, value in given.items() if self.chance(0.5)}
        if self.chance(0.5):
            flow.artifacts["g"] = ["file:///given"]
        self.fill(root, 0)
        for kind in ("text", "list", "list", "file", "files", "files"):
            if self.chance(0.4):
                self.offer(root, kind)
        flow.inline_bytes = rng.choice((0, 0, 0, 8, 16, 40))
        flow.step_events = rng.choice((0, 0, 0, 3, 10))
        flow.enable_cache = rng.choice((None, None, None, None, None, None, None, True, False, False))
        return flow

    # ---- tasks

    def fill(self, body: Body, depth: int) -> None:
        for number in range(self.rng.choice((1, 2, 3, 3, 4) if depth == 0 else (1, 1, 2, 2, 3))):
            body.children.append(self.node(body, f"{'abcd'[number]}{depth}", depth))

    def node(self, around: Body, key: str, depth: int) -> Node:
        rng, index = self.rng, len(around.children)
        group = (0.45, 0.3, 0.0)[min(depth, 2)]
        form = "dag" if self.chance(group) else "importer" if self.chance(0.1) else "leaf"
        node = Node(key, Body(form))
        node.on_completion = bool(index) and self.chance(0.25)
        shared = bool(index) and self.chance(0.08)
        if shared:
            node.body = rng.choice(around.children).body
        elif form == "importer":
            node.body.inputs = {
                "uri": Declared("text", optional=self.chance(0.3)),
                "i": Declared("text", optional=True),
            }
            node.body.outputs = {"artifact": "file"}
        else:
            self.declare(node, around)
        if self.chance(0.45 if node.body.form == "dag" else 0.28):
            self.loop(node, around, shared)
        self.give(node, around)
        self.address(node)
        if self.chance(0.5 if node.on_completion else 0.25):
            self.connect(node, index)
        if self.chance(0.3):
            node.condition = self.condition(node.body)
        node.retries = rng.choice((-1, -1, -1, 0, 1, 2))
        node.cache = self.chance(0.3)
        if form == "dag" and not shared:
            if depth < 2 and self.chance(0.25):
                self.branches(node.body, depth + 1)
            else:
                self.fill(node.body, depth + 1)
        elif form == "leaf" and not shared:
            node.body.outputs.setdefault("Trace", "trace")
        return node

    def address(self, node: Node) -> None:
        """An importer's constant is a URI; anything else is refused before there is a run."""
        uri = node.given.get("uri") if node.body.form == "importer" else None
        if uri is not None and uri.origin == "const" and "{{$" not in uri.value:
            node.given["uri"] = Source("const", value=f"file:///{uri.value}")

    def connect(self, node: Node, index: int) -> None:
        node.after = sorted(self.rng.sample(range(index), self.rng.randint(0, index)))

    def declare(self, node: Node, around: Body) -> None:
        """Inputs of a new component."""
        kinds = ["text", "text", "text", "number", "list", "struct", "flag", "lines", "file", "file", "files", "files"]
        index = len(around.children)
        for number in range(self.rng.choice((0, 1, 1, 2, 3))):
            kind = self.rng.choice(kinds)
            if kind in ARTIFACTS and not index and not any(one.kind == kind for one in around.inputs.values()):
                continue
            one = Declared(kind, optional=self.chance(0.4))
            if kind in ("text", "number") and self.chance(0.2):
                one.default = self.constant(kind)
            node.body.inputs[f"i{number}"] = one
        if node.on_completion and self.chance(0.6):
            node.body.inputs["status"] = Declared("status")

    def loop(self, node: Node, around: Body, shared: bool) -> None:
        """Make the task a loop; its items are a new input of its component, which other tasks that use it may not give."""
        rng, body = self.rng, node.body
        limit = rng.choice((0, 0, 0, 1, 2))
        if self.chance(0.4):
            kind = rng.choice(("text", "text", "number", "struct", "struct", "list"))
            raw = self.items(kind)
            node.loop = Loop(self.item(body, rng.choice((kind, kind, "text")), shared), raw=raw, limit=limit)
            return
        kind = rng.choice(("list", "list", "list", "lines", "files"))
        source = self.want(around, kind)
        if source is None:
            return
        over = f"over{len(body.inputs)}"
        body.inputs[over] = Declared(kind, optional=shared or self.chance(0.2))
        node.given[over] = source
        if kind == "files":
            node.loop = Loop(self.item(body, "file", shared), over=over, limit=limit)
            return
        hint = ELEMENTS.get(source.name, "text")
        item = (
            hint if source.origin == "const" or self.chance(0.85) else rng.choice(("text", "number", "struct", "list"))
        )
        node.loop = Loop(self.item(body, item, shared), over=over, limit=limit)

    def item(self, body: Body, kind: str, shared: bool) -> str:
        name = f"item{len(body.inputs)}"
        body.inputs[name] = Declared(kind, optional=shared)
        return name

    def give(self, node: Node, around: Body) -> None:
        """A source for each input, or none where that is allowed."""
        for name, one in node.body.inputs.items():
            if name in node.given or (node.loop is not None and name == node.loop.item):
                continue
            if (one.optional or one.default is not None) and self.chance(0.35):
                continue
            source = self.status(around) if one.kind == "status" else self.want(around, one.kind)
            if source is not None:
                node.given[name] = source
            else:
                one.optional = True
        self.embed(node)

    def embed(self, node: Node) -> None:
        """Turn some constants into ones that hold other inputs of the task, or names that the platform knows."""
        over = node.loop.over if node.loop is not None else ""
        names = [name for name, one in node.body.inputs.items() if one.kind not in (*ARTIFACTS, "status")]
        plain = [name for name in names if name not in node.given or node.given[name].origin != "const"]
        for name in names:
            source = node.given.get(name)
            if source is None or source.origin != "const" or name == over or not self.chance(0.5):
                continue
            inside = placeholder(self.rng.choice(plain)) if plain else "{{$.pipeline_task_name}}"
            template = self.rng.choice(
                (inside, f"<{inside}>", f"{inside}/{{{{$.pipeline_task_name}}}}", '"{}\\' + inside)
            )
            kind = node.body.inputs[name].kind
            if kind == "text":
                node.given[name] = Source("const", value=template)
            elif kind == "list":
                node.given[name] = Source("const", value=[template, "v0"])
            elif kind == "struct":
                node.given[name] = Source("const", value={"f": template, "n": 1, "l": [template]})

    def branches(self, body: Body, depth: int) -> None:
        """If, Elif and Else over one input; what they return comes out as a OneOf."""
        texts = [name for name, one in body.inputs.items() if one.kind in ("text", "number", "flag")]
        if not texts:
            body.inputs["chosen"] = Declared("text", optional=True, default=self.rng.choice((None, "v0")))
        first, second = self.condition(body), self.condition(body)
        conditions: list[Condition] = [first, ("&&", ("!", first), second), ("&&", ("!", first), ("!", second))]
        if self.chance(0.5):
            conditions = [first, ("!", first)]
        for number, condition in enumerate(conditions):
            inner = Body("dag", {name: Declared(one.kind, True, one.default) for name, one in body.inputs.items()})
            node = Node(f"{'abc'[number]}{depth}", inner, {name: Source("dag", name) for name in inner.inputs})
            node.condition = condition
            body.children.append(node)
            self.fill(inner, depth + 1)

    def condition(self, body: Body) -> Condition | None:
        found = [name for name, one in body.inputs.items() if one.kind in ("text", "number", "flag", "status")]
        if not found:
            return None
        name = self.rng.choice(found)
        match body.inputs[name].kind:
            case "number":
                made: Condition = (self.rng.choice(("==", "!=", "<", ">=")), ("int", name), self.rng.randint(0, 3))
            case "flag":
                made = ("==", ("input", name), True)
            case "status":
                made = (self.rng.choice(("==", "!=")), ("state", name), "FAILED")
            case _:
                other = self.rng.choice(found)
                if self.chance(0.06):
                    return ("==", ("int", name), 1)  # cannot be decided, but where the text is a number
                right = ("input", other) if other != name and self.chance(0.2) else self.rng.choice(TEXTS)
                made = (self.rng.choice(("==", "!=", "!=")), ("input", name), right)
        if self.chance(0.15):
            return (self.rng.choice(("&&", "||")), made, self.condition(body))
        return ("!", made) if self.chance(0.15) else made

    # ---- sources

    def status(self, around: Body) -> Source | None:
        return Source("status", task=self.rng.randrange(len(around.children))) if around.children else None

    def want(self, around: Body, kind: str) -> Source | None:
        """A source of a kind for the task that comes next; constants where there is nothing else."""
        rng = self.rng
        wanted = rng.choice(("text", "text", "text", "text", "number", "list", "struct")) if kind == "text" else kind
        if around.children and self.chance(0.65):
            task = rng.randrange(len(around.children))
            if wanted in FIELDS and self.chance(0.15) and (key := self.offer_of(around.children[task], "struct")):
                return Source("task", key, task, field=FIELDS[wanted])
            key = self.offer_of(around.children[task], wanted)
            if key is not None:
                return Source("task", key, task)
        return self.from_inputs(around, kind, wanted) or self.literal(kind)

    def from_inputs(self, around: Body, kind: str, wanted: str) -> Source | None:
        found = [Source("dag", name) for name, one in around.inputs.items() if one.kind in (kind, wanted)]
        if kind in FIELDS:
            structs = [name for name, one in around.inputs.items() if one.kind == "struct"]
            found += [Source("dag", name, field=FIELDS[kind]) for name in structs for _ in range(2)]
        if kind == "text":
            found += [Source("dag", name, field="state") for name, one in around.inputs.items() if one.kind == "status"]
        return self.rng.choice(found) if found and self.chance(0.8 if kind not in ARTIFACTS else 1.0) else None

    def literal(self, kind: str) -> Source | None:
        return None if kind in ARTIFACTS or kind == "status" else Source("const", value=self.constant(kind))

    def constant(self, kind: str) -> Any:
        match kind:
            case "number":
                return self.rng.randint(0, 3)
            case "flag":
                return self.chance(0.5)
            case "list":
                return self.items("text")
            case "struct":
                return self.struct()
            case "lines":
                return self.rng.choice(('["v0","v1"]', "[]", '["v1",2]'))
        return self.rng.choice(TEXTS)

    def struct(self) -> dict[str, Any]:
        return {"f": self.rng.choice(TEXTS), "n": self.rng.randint(0, 3), "l": self.items("text")}

    def items(self, kind: str) -> list[Any]:
        count = self.rng.choice((0, 1, 2, 2, 3, 4))
        if kind == "list":
            return [self.items("text") for _ in range(count)]
        return [self.constant(kind) for _ in range(count)]

    # ---- outputs, made when they are wanted

    def offer_of(self, node: Node, kind: str) -> str | None:
        """The name of an output of that kind, as consumers see it."""
        if node.loop is None:
            return self.offer(node.body, kind)
        inner = {"list": ("text", "number", "list", "list", "list", "struct"), "files": ("file", "file", "files")}.get(
            kind
        )
        return self.offer(node.body, self.rng.choice(inner)) if inner is not None else None

    def offer(self, body: Body, kind: str) -> str | None:
        if body.form == "importer":
            return "artifact" if kind == "file" else None
        if body.form == "leaf":
            key = self.rng.choice(KEYS[kind])
            body.outputs[key] = kind
            return key
        known = [name for name, one in body.returns.items() if one.kind == kind]
        if known and self.chance(0.5):
            return self.rng.choice(known)
        branches = any(child.condition is not None for child in body.children)
        count = len(body.children) if branches and self.chance(0.7) else self.rng.choice((1, 1, 2))
        choices: list[tuple[int, str]] = []
        for index in self.rng.sample(range(len(body.children)), min(count, len(body.children))):
            key = self.offer_of(body.children[index], kind)
            if key is not None:
                choices.append((index, key))
        joined = [body.children[index].is_joined(key) for index, key in choices]
        choices = [one for one, is_joined in zip(choices, joined, strict=True) if is_joined == joined[0]]
        if not choices:
            return None
        name = f"r{len(body.returns)}"
        body.returns[name] = Return(kind, choices)
        return name
