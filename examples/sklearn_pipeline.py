"""scikit-learn's tools around cnet's MLPClassifier: encoding, scaling, a search, importances, calibration.

The import of `MLPClassifier` is the only line that differs from a program for scikit-learn. Customers of a bicycle
rental renew their subscription or not, by a probability that a formula gives, so that one can see how close the
predicted probabilities come to the true ones, and whether the columns that matter are found.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from shared import folder, positive, run
from sklearn.calibration import calibration_curve
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cnet.neural_network import MLPClassifier

if TYPE_CHECKING:
    import pandas as pd

CITIES = {"Basel": 0.9, "Ghent": 0.2, "Malaga": -0.3, "Turin": -0.8}
PLANS = ["day", "month", "year"]
CATEGORIES, NUMBERS = ["city", "plan"], ["age", "trips", "breakdowns", "shoe size"]

Floats = npt.NDArray[np.floating[Any]]


def make_customers(rows: int, seed: int) -> tuple[pd.DataFrame, npt.NDArray[np.str_], Floats]:
    """Return a table, who renewed, and the true probabilities.

    Breakdowns matter to those who ride a lot, and age has its best in the middle. Shoe size doesn't matter.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "city": rng.choice(list(CITIES), rows),
            "plan": rng.choice(PLANS, rows),
            "age": rng.uniform(18, 75, rows),
            "trips": rng.gamma(3, 10, rows),
            "breakdowns": rng.poisson(1.5, rows),
            "shoe size": rng.normal(41, 2.5, rows),
        }
    )
    rides = np.log(table["trips"].to_numpy() / 25)
    logit = (
        table["city"].map(CITIES).to_numpy()
        + 0.5 * (table["plan"] == "year").to_numpy()
        + 1.2 * rides
        - 0.4 * table["breakdowns"].to_numpy() * np.exp(rides)
        + 1.5 * np.cos((table["age"].to_numpy() - 45) / 12)
    )
    probability = 1 / (1 + np.exp(-logit))
    renewed = np.where(rng.random(rows) < probability, "renewed", "left")
    return table, renewed, probability


def main(args: argparse.Namespace) -> None:
    """Search, and judge the best pipeline on other customers."""
    table, renewed, truth = make_customers(args.rows, args.seed)
    print(table.head(3).round(1).to_string(index=False))
    train, test, y_train, y_test, _, p_test = train_test_split(
        table, renewed, truth, test_size=0.5, stratify=renewed, random_state=args.seed
    )
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), CATEGORIES), (StandardScaler(), NUMBERS)),
        MLPClassifier((32, 16), max_iter=args.epochs, early_stopping=True, random_state=args.seed),
    )
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__learning_rate_init": [1e-3, 1e-2]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the slow ones
        search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=3, n_jobs=args.jobs)
        search.fit(train, y_train)
    best = {name.partition("__")[2]: value for name, value in search.best_params_.items()}
    print(f"best of {len(search.cv_results_['params'])}: {best}")

    probability = search.predict_proba(test)[:, list(search.classes_).index("renewed")]
    print(f"test accuracy {search.best_estimator_.score(test, y_test):.3f}")
    is_renewed = y_test == "renewed"
    print(f"test log-loss {log_loss(is_renewed, probability):.3f}")
    print(f"log-loss of the true probabilities {log_loss(is_renewed, p_test):.3f}")
    found = permutation_importance(
        search, test, y_test, scoring="neg_log_loss", n_repeats=5, random_state=args.seed
    )
    importances = dict(zip(table.columns, found.importances_mean, strict=True))
    for column, importance in sorted(importances.items(), key=lambda item: -item[1]):
        print(f"importance of {column}: {importance:.3f}")
    if args.plots:
        plot(args.plots / "sklearn_pipeline.png", is_renewed, probability, p_test, importances)


def plot(
    path: Path,
    is_renewed: npt.NDArray[np.bool_],
    probability: Floats,
    truth: Floats,
    importances: dict[str, float],
) -> None:
    """Draw the calibration curve over the single customers, and the importances."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 4))
    left.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--", label="perfect")
    left.scatter(probability, truth, s=4, color="#56b4e9", alpha=0.35, label="one customer")
    share, predicted = calibration_curve(is_renewed, probability, n_bins=10)
    left.plot(predicted, share, "o-", color="#d55e00", label="share that renewed")
    left.set(xlabel="predicted probability", ylabel="true probability", aspect="equal")
    left.legend(loc="upper left", frameon=False)
    left.set_title("Calibration", fontsize=10, fontweight="bold", loc="left")

    names = sorted(importances, key=importances.__getitem__)
    right.barh(names, [importances[name] for name in names], color="#0072b2")
    right.set(xlabel="log-loss added by shuffling the column")
    right.set_title("Importance", fontsize=10, fontweight="bold", loc="left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--rows", type=positive, default=8000, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=60, help="default: %(default)s")
    parser.add_argument("--jobs", type=positive, default=1, help="processes, default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
