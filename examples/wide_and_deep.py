"""Wide and deep: a linear model that knows exceptions by heart, and a network that knows the rule, in one.

Whether customers buy depends on their age, the price and the product by a smooth rule, except for some pairs of a
town and a product, which the town is mad about or never buys. Crossed categories, one weight for each pair, learn the
exceptions, but no rule. The network learns the rule, but not the exceptions (Cheng et al., 2016,
https://arxiv.org/abs/1606.07792). The data is made by a formula, so that the true probabilities are known.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import folder, positive, run

from cnet import Input, Model, layers, utils

TOWNS, PRODUCTS, BINS = 25, 20, 5000
EXCEPTIONS = 0.1  # of all pairs

Floats = npt.NDArray[np.floating[Any]]


def make_sales(rows: int, seed: int) -> tuple[dict[str, Any], Floats]:
    """Return towns and products as text, ages and prices, and the true probability of each sale."""
    rng = np.random.default_rng(seed)
    kind = rng.uniform(-1, 1, PRODUCTS)
    is_exception = rng.uniform(size=(TOWNS, PRODUCTS)) < EXCEPTIONS
    exceptions = np.where(is_exception, rng.choice([-4.0, 4.0], (TOWNS, PRODUCTS)), 0)
    town, product = rng.integers(TOWNS, size=rows), rng.integers(PRODUCTS, size=rows)
    age, price = rng.uniform(-1, 1, (2, rows))
    rule = 3 * np.cos(3 * (age - kind[product])) - 2 * price - 1
    probability = 1 / (1 + np.exp(-(rule + exceptions[town, product])))
    data = {
        "town": np.char.mod("town %02d", town),
        "product": np.char.mod("product %02d", product),
        "numbers": np.stack([age, price], axis=1).astype(np.float32),
    }
    return data, probability


def main(args: argparse.Namespace) -> None:
    """Train the wide part, the deep part and both together; compare them with the truth."""
    columns, truth = make_sales(args.rows, args.seed)
    is_sold = np.random.default_rng(args.seed + 1).uniform(size=args.rows) < truth
    cross = layers.HashedCrossing(BINS)
    products = layers.StringLookup()
    products.adapt(columns["product"])
    data = {
        "pair": cross([columns["town"], columns["product"]])[:, None],
        "product": products(columns["product"])[:, None],
        "numbers": columns["numbers"],
    }
    is_test = np.arange(args.rows) % 5 == 0
    entropy = -np.mean(truth * np.log(truth) + (1 - truth) * np.log(1 - truth))

    predictions = {}
    for title in ("wide", "deep", "wide and deep"):
        utils.set_random_seed(args.seed)
        model = make_model(title, products.vocabulary_size())
        model.compile("adam", "binary_crossentropy", metrics=["auc"])
        known, unknown = (
            {name: data[name][rows] for name in model.input_names} for rows in (~is_test, is_test)
        )
        model.fit(known, is_sold[~is_test], batch_size=64, epochs=args.epochs, verbose=0)
        loss, auc = model.evaluate(unknown, is_sold[is_test], verbose=0)
        predictions[title] = model.predict(unknown, verbose=0)[:, 0]
        print(f"{title}: test loss {loss:.4f}, AUC {auc:.4f}")
        distance = np.abs(predictions[title] - truth[is_test]).mean()
        print(f"{title}: mean distance from the true probabilities {distance:.3f}")
    print(f"loss of the true probabilities: {entropy:.4f}")
    if args.plots:
        plot(args.plots / "wide_and_deep.png", predictions, truth[is_test])
        utils.plot_model(model, args.plots / "wide_and_deep.dot", show_shapes=True)


def make_model(parts: str, products: int) -> Any:
    """Return a model with a wide part, a deep part or both."""
    inputs, features = [], []
    if "wide" in parts:
        pair = Input((1,), name="pair", dtype="int64")
        inputs.append(pair)
        # One weight for each pair: a linear layer of one-hot pairs.
        weights = layers.Embedding(BINS, 1, embeddings_initializer="zeros")
        features.append(layers.Flatten()(weights(pair)))
    if "deep" in parts:
        product, numbers = Input((1,), name="product", dtype="int64"), Input((2,), name="numbers")
        inputs += [product, numbers]
        vector = layers.Flatten()(layers.Embedding(products, 4)(product))
        x = layers.Concatenate()([vector, numbers])
        for _ in range(2):
            x = layers.Dense(64, activation="relu")(x)
        features.append(x)
    x = layers.Concatenate()(features) if len(features) > 1 else features[0]
    return Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def plot(path: Path, predictions: dict[str, Floats], truth: Floats) -> None:
    """Draw the predicted probabilities over the true ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    panels = figure.subplots(1, len(predictions), sharex=True, sharey=True)
    for axes, (title, predicted) in zip(panels, predictions.items(), strict=True):
        axes.scatter(truth, predicted, s=3, color="#0072b2", alpha=0.3, linewidths=0)
        axes.plot([0, 1], [0, 1], color="#d55e00", linewidth=1)
        axes.set(xlabel="true probability of a sale", aspect="equal")
        axes.set_title(title, fontsize=10, fontweight="bold", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("predicted probability")
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--rows", type=positive, default=40_000, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=10, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
