"""Every difference between what KFP's SDK and ours compile the corpus to, with its reason; a test shows that these are all."""

from __future__ import annotations

from sdk_corpus.fault import Fault

QUOTES = Fault(
    "Quotes and line breaks in conditions",
    kfp="written into the condition as they are: `x == 'it's'`",
    here="escaped as CEL has it",
    flows=("g59", "comparisons_quotes"),
    places=r".*\.triggerPolicy\.condition",
)
CASTS = Fault(
    "A number compared with a text",
    kfp="the cast is written inside quotes and compared as a text",
    here="the number is compared by its text",
    flows=("comparisons_number_and_text",),
    places=r".*\.triggerPolicy\.condition",
)
TRUTH = Fault(
    "A boolean compared with 0 or 1",
    kfp="1 counts as false and 0 as true; a boolean and a number that is known only at run time do not compile",
    here="0 is false, every other number true",
    flows=("comparisons_zero_and_one",),
    places=r".*\.triggerPolicy\.condition",
    beyond=("comparisons_truth_and_number",),
)
ITEMS_IN_TEXTS = Fault(
    "Items of loops, and their fields, inside a further group",
    kfp="an outer loop's item in an f-string, and "
    "a field of an item of a written list, do not compile inside an inner group, or compile to references of what is not there",
    here="handed into every group on the way",
    beyond=(
        "pairs_static_loop_in_text_of_static_loop", "pairs_static_loop_in_text_of_loop_of_fields",
        "pairs_static_loop_in_text_of_dynamic_loop", "pairs_static_loop_in_text_of_if", "pairs_static_loop_in_text_of_elif",
        "pairs_static_loop_in_text_of_else", "pairs_dynamic_loop_in_text_of_static_loop",
        "pairs_dynamic_loop_in_text_of_loop_of_fields", "pairs_dynamic_loop_in_text_of_dynamic_loop",
        "pairs_dynamic_loop_in_text_of_if", "pairs_dynamic_loop_in_text_of_elif", "pairs_dynamic_loop_in_text_of_else",
        "pairs_loop_of_fields_with_in_texts", "pairs_loop_of_fields_with_static_loop", "pairs_loop_of_fields_with_loop_of_fields",
        "pairs_loop_of_fields_with_dynamic_loop", "pairs_loop_of_fields_with_if", "pairs_loop_of_fields_with_elif",
        "pairs_loop_of_fields_with_else", "pairs_loop_of_fields_with_one_of",
    ),
)  # fmt: skip
FIELDS = Fault(
    "A loop over a written list of objects inside another group",
    kfp="the group around it gets an input that refers to the inner loop's item, which is not there",
    here="the item is known in its own loop alone",
    flows=(
        "pairs_if_with_loop_of_fields", "pairs_elif_with_loop_of_fields", "pairs_else_with_loop_of_fields",
        "pairs_exit_handler_with_loop_of_fields",
    ),
    places=r".*\.pipelinechannel--loop-item-param-\d+-subvar-n",
    invalid=True,
)  # fmt: skip
BRANCHES = Fault(
    "A value whose name is part of the name of a loop's item (`word`, `words-said-loop-item`)",
    kfp="taken for the list that is looped over, and not handed to the groups inside, whose conditions refer to it all the same",
    here="handed into every group on the way",
    flows=("pairs_dynamic_loop_with_elif", "pairs_dynamic_loop_with_else", "pairs_dynamic_loop_with_one_of"),
    places=r".*\.pipelinechannel--word",
    invalid=True,
)
SAME_LIST = Fault(
    "A loop inside of a loop over the same list",
    kfp="both items have one name, so that tasks inside take the inner item where the outer is meant",
    here="the inner item has a name of its own where both are used",
    flows=("pairs_dynamic_loop_with_dynamic_loop",),
    places=r"components\.comp-for-loop-[12]\.(dag\.tasks\.(say-2|for-loop-2)|inputDefinitions)\..*",
)
UNUSED_LISTS = Fault(
    "A loop inside of another group, over a list that no task inside uses",
    kfp="the group around is not handed the list, to which its loop refers all the same",
    here="handed into every group on the way",
    flows=("crossing_list_that_nothing_uses",),
    places=r".*\.pipelinechannel--items|components\.comp-condition-1\..*",
    invalid=True,
)
GROUP_NAMES = Fault(
    "A group inside of another, and one of the same name in a pipeline that is used beside it",
    kfp="the tasks of both are written into one component, or nothing compiles",
    here="each has a component of its own",
    beyond=("crossing_groups_of_one_name",),
)
LISTS_IN_ITEMS = Fault(
    "The items of a list inside of a written item",
    kfp="taken for texts, whatever they are",
    here="of the type that is written",
    flows=("crossing_lists_inside_of_items",),
    places=r"components\.comp-for-loop-\d+\.inputDefinitions\..*\.parameterType",
)
MODULES = Fault(
    "Modules named in the annotations of a component",
    kfp="left out of the source (`typing.List`), so that the component fails when it is imported in its container",
    here="imported in the component's source",
    flows=("signatures_every_type",),
    places=r"deploymentSpec\.executors\..*\.program\.source",
)
VOLUMES = Fault(
    "Descriptions of the inputs of `kubernetes.CreatePVC` and `DeletePVC`",
    kfp="the sentences of its documentation",
    here="sentences of our own",
    flows=("kube_volumes",),
    places=r"components\.comp-(create|delete)pvc(-\d+)?\..*\.description",
)
NAMES = Fault(
    "Names of components and executors of a nested pipeline",
    kfp="where such names are taken already, they change from one compilation to the next",
    here="the same with every compilation, so that caches hold",
)
AFTER_BRANCHES = Fault(
    "What follows dsl.If and dsl.Elif without a dsl.Else",
    kfp="stands inside of the branches, so that it is one of them",
    here="stands where it is written",
    flows=("allowed_after_branches_without_else",),
    places=r"(components\.comp-condition-branches-1|root)\.dag\.tasks\.say-3",
)
ITEMS = Fault(
    "Types of written-out items, and of what is in lists inside of them",
    kfp="that of the first item alone (`[1, 2.5]` are ints); what is in a list inside of an item is a text, and refused by an "
    "int's input when it runs",
    here="that of all items (ints among floats are floats); what is in a list inside has its own type",
    flows=("allowed_lists_in_written_items", "allowed_whole_and_real_items"),
    places=r"components\.comp-for-loop-\d+\.inputDefinitions\.parameters\.pipelinechannel--loop-item-param-\d+"
    r"(-subvar-counts-loop-item)?\.parameterType",
)
EXIT_HANDLERS = Fault(
    "dsl.ExitHandler inside of loops, branches and other exit handlers; tasks that use their exit task",
    kfp="do not compile",
    here="compile: the exit task stands in the group that its handler is in, and is a task like any other",
    beyond=("allowed_exit_handlers_inside", "allowed_after_an_exit_task"),
)
GROUPS = Fault(
    "`.after()` a dsl.If or a dsl.ParallelFor",
    kfp="takes tasks and exit handlers only",
    here="takes any group: it waits for all of it",
    beyond=("allowed_after_groups",),
)
WHOLE_NUMBERS = Fault(
    "An int for an input that is a float",
    kfp="refused, be it a constant or a channel",
    here="taken, as type checkers do",
    beyond=("allowed_whole_numbers",),
)
TEXTS = Fault(
    "dsl.OneOf and dsl.Collected in f-strings",
    kfp="refused, or a reference to the task inside of the loop",
    here="filled in as any other value",
    beyond=("allowed_collected_and_one_of_in_texts",),
)
KEYS = Fault(
    "Keys of loop items that are called as KFP's own attributes (`item.name`), and `item['key']`",
    kfp="break the item, or are an attribute's text",
    here="are the keys",
    beyond=("allowed_keys_of_items",),
)
INSIDE = Fault(
    "A pipeline that is defined inside of another's function",
    kfp="refused",
    here="is a pipeline like any other",
    beyond=("allowed_a_pipeline_made_inside",),
)
BODIES = Fault(
    "Names that a component's function takes from the file around it",
    kfp="compile; the task fails with a NameError",
    here="travel along where annotations and defaults name them; in the body they are a mistake that says so",
)
FORMS = Fault(
    "Annotations that are text (`from __future__ import annotations`), `X | None`, `Literal`, models of pydantic, `Annotated`",
    kfp="refused, but for texts that name a plain type",
    here="mean what they say; a `Literal` is in the IR, and checked",
)
CLASHES = Fault(
    "A field of a returned NamedTuple that is called as an Output parameter",
    kfp="is renamed in silence, so that its value gets lost",
    here="a mistake that says so",
)
SLICES = Fault(
    "Methods of SlicedClassificationMetrics",
    kfp="fail on what is not there",
    here="log",
)
STRINGS = Fault(
    "Texts over several lines in a component that is defined inside of a function",
    kfp="lose their indentation in the container",
    here="are as they are written",
)
