"""Train three kinds of classifier on the iris measurements, keep the best, and evaluate it where it is good enough.

The data are the 150 flowers that scikit-learn ships, so nothing is downloaded. All tasks share one list of packages, so that one
environment serves them all. Every random choice hangs on `seed`: the same parameters give the same numbers.

Run it: `make run`, or `headrace run examples/iris/pipeline.py`.
"""

from typing import Dict, List, NamedTuple

from headrace import dsl
from headrace.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

PACKAGES = [
    "scikit-learn==1.7.2",
    "numpy==2.3.5",
    "scipy==1.16.3",
    "joblib==1.5.2",
    "threadpoolctl==3.6.0",
]

CANDIDATES = [
    {"kind": "logistic-regression", "settings": {"C": 1.0, "max_iter": 500}},
    {"kind": "decision-tree", "settings": {"max_depth": 3}},
    {"kind": "nearest-neighbours", "settings": {"n_neighbors": 7, "weights": "distance"}},
    {"kind": "support-vectors", "settings": {"C": 2.0, "kernel": "rbf"}},
]


@dsl.component(base_image="python:3.11", packages_to_install=PACKAGES)
def split_flowers(test_share: float, seed: int, training: Output[Dataset], test: Output[Dataset]) -> int:
    """Write the iris set as two CSV files, with the same share of each species in both; return the number of flowers."""
    import csv

    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    iris = load_iris()
    species = [str(iris.target_names[label]) for label in iris.target]
    parts = train_test_split(iris.data, species, test_size=test_share, random_state=seed, stratify=species)
    training_rows, test_rows, training_species, test_species = parts
    halves = ((training, training_rows, training_species), (test, test_rows, test_species))
    for dataset, rows, labels in halves:
        with open(dataset.path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*iris.feature_names, "species"])
            writer.writerows([*(f"{value:.1f}" for value in row), label] for row, label in zip(rows, labels))
        dataset.metadata["rows"] = len(rows)
        dataset.metadata["columns"] = list(iris.feature_names)
        print(f"{len(rows)} flowers in {dataset.name}")
    return len(species)


@dsl.component(base_image="python:3.11", packages_to_install=PACKAGES)
def train_model(
    kind: str, settings: Dict, seed: int, training: Input[Dataset], model: Output[Model], metrics: Output[Metrics]
) -> NamedTuple("Trained", [("name", str), ("accuracy", float)]):
    """Fit one classifier; its accuracy is the mean of a stratified five-fold cross-validation on the training flowers."""
    import csv
    from typing import NamedTuple

    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    with open(training.path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    measurements = [[float(value) for value in row[:-1]] for row in rows]
    species = [row[-1] for row in rows]

    # JSON has one kind of number: 3.0 is what a whole number looks like in a compiled pipeline
    settings = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in settings.items()}
    makers = {
        "logistic-regression": lambda: LogisticRegression(random_state=seed, **settings),
        "decision-tree": lambda: DecisionTreeClassifier(random_state=seed, **settings),
        "nearest-neighbours": lambda: KNeighborsClassifier(**settings),
        "support-vectors": lambda: SVC(random_state=seed, **settings),
    }
    if kind not in makers:
        raise ValueError(f"unknown kind of model {kind!r}; known are {', '.join(sorted(makers))}")
    classifier = make_pipeline(StandardScaler(), makers[kind]())
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
    scores = cross_val_score(classifier, measurements, species, cv=folds)
    classifier.fit(measurements, species)
    joblib.dump(classifier, model.path)

    accuracy = round(float(scores.mean()), 6)
    model.metadata.update({"framework": "scikit-learn", "kind": kind, "settings": settings})
    metrics.log_metric("cross_validation_accuracy", accuracy)
    metrics.log_metric("cross_validation_spread", round(float(scores.std()), 6))
    print(f"{kind}: {accuracy:.4f} on {len(rows)} flowers")
    trained = NamedTuple("Trained", [("name", str), ("accuracy", float)])
    return trained(kind, accuracy)


@dsl.component(base_image="python:3.11", packages_to_install=PACKAGES)
def choose_best(
    names: List[str], accuracies: List[float], models: Input[List[Model]], best: Output[Model]
) -> NamedTuple("Best", [("name", str), ("accuracy", float)]):
    """Hand on the model with the highest accuracy; of two equal ones the first."""
    import shutil
    from typing import NamedTuple

    for name, accuracy in zip(names, accuracies):
        print(f"{accuracy:.4f}  {name}")
    place = max(range(len(names)), key=lambda index: accuracies[index])
    shutil.copyfile(models[place].path, best.path)
    best.metadata.update({"framework": "scikit-learn", "kind": names[place], "candidates": len(names)})
    chosen = NamedTuple("Best", [("name", str), ("accuracy", float)])
    return chosen(names[place], accuracies[place])


@dsl.component(base_image="python:3.11", packages_to_install=PACKAGES)
def evaluate_model(
    name: str,
    candidate: Input[Model],
    test: Input[Dataset],
    released: Output[Model],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
    report: Output[HTML],
) -> str:
    """Try the model on flowers that it has never seen, and release it with its figures and a page to read."""
    import csv
    import html
    import shutil

    import joblib
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    with open(test.path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    truth = [row[-1] for row in rows]
    classifier = joblib.load(candidate.path)
    answers = [str(answer) for answer in classifier.predict([[float(value) for value in row[:-1]] for row in rows])]
    species = sorted(set(truth))
    matrix = confusion_matrix(truth, answers, labels=species).tolist()
    precision, recall, _, _ = precision_recall_fscore_support(truth, answers, labels=species, zero_division=0)
    accuracy = round(float(accuracy_score(truth, answers)), 6)

    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("mean_precision", round(float(precision.mean()), 6))
    metrics.log_metric("mean_recall", round(float(recall.mean()), 6))
    confusion.log_confusion_matrix(species, matrix)
    shutil.copyfile(candidate.path, released.path)
    released.metadata.update({"framework": "scikit-learn", "kind": name, "test_accuracy": accuracy})

    head = "".join(f"<th>{html.escape(one)}</th>" for one in species)
    body = "".join(
        f"<tr><th>{html.escape(one)}</th>{''.join(f'<td>{count}</td>' for count in counts)}</tr>"
        for one, counts in zip(species, matrix)
    )
    with open(report.path, "w") as file:
        file.write(
            "<!doctype html><meta charset='utf-8'><title>Iris classifier</title>"
            "<style>body{font-family:sans-serif;margin:2em}td,th{border:1px solid #999;padding:.4em .8em}"
            "table{border-collapse:collapse}</style>"
            f"<h1>{html.escape(name)}: {accuracy:.1%} of {len(rows)} unseen flowers</h1>"
            f"<p>Rows: what they are. Columns: what the model says.</p><table><tr><th></th>{head}</tr>{body}</table>"
        )
    return f"{name} is released: {accuracy:.1%} of {len(rows)} unseen flowers are right"


@dsl.component(base_image="python:3.11", packages_to_install=PACKAGES)
def explain_refusal(name: str, accuracy: float, needed: float) -> str:
    verdict = f"{name} is not released: its accuracy {accuracy:.4f} is below {needed:.4f}"
    print(verdict)
    return verdict


@dsl.pipeline(name="iris", description="Train classifiers on the iris set, keep the best, evaluate it if it is good enough.")
def iris(
    candidates: List[Dict] = CANDIDATES, needed_accuracy: float = 0.9, test_share: float = 0.3, seed: int = 7
) -> NamedTuple("Outputs", [("best_model", str), ("accuracy", float), ("verdict", str)]):
    flowers = split_flowers(test_share=test_share, seed=seed)
    flowers.set_cpu_request("500m").set_memory_request("256M")
    with dsl.ParallelFor(items=candidates, parallelism=4) as candidate:
        trained = train_model(
            kind=candidate.kind, settings=candidate.settings, seed=seed, training=flowers.outputs["training"]
        )
        trained.set_retry(num_retries=1)
    best = choose_best(
        names=dsl.Collected(trained.outputs["name"]),
        accuracies=dsl.Collected(trained.outputs["accuracy"]),
        models=dsl.Collected(trained.outputs["model"]),
    )
    with dsl.If(best.outputs["accuracy"] >= needed_accuracy, name="good enough"):
        evaluated = evaluate_model(
            name=best.outputs["name"], candidate=best.outputs["best"], test=flowers.outputs["test"]
        )
    with dsl.Else(name="not good enough"):
        refused = explain_refusal(
            name=best.outputs["name"], accuracy=best.outputs["accuracy"], needed=needed_accuracy
        )
    outputs = NamedTuple("Outputs", [("best_model", str), ("accuracy", float), ("verdict", str)])
    return outputs(
        best.outputs["name"],
        best.outputs["accuracy"],
        dsl.OneOf(evaluated.outputs["Output"], refused.output),
    )
