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
