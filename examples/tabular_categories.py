"""A table of numbers and words: each word gets a vector that is learned, and months form a year.

The sales of ice cream at kiosks on a lake depend on the kiosk, the weather and the month, which are text, and on
hour and price. `StringLookup` turns text into ids, `Embedding` ids into vectors, both within the model: it takes the
columns of the table as they are, also when it is loaded from its file. The sales are made by a formula, so that one
can see how close the network comes to it, and what it misses without the words.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from shared import folder, positive, run

from cnet import Input, Model, layers, models, utils

if TYPE_CHECKING:
    import pandas as pd

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
WEATHER = {"sunny": 0.6, "cloudy": 0.1, "windy": -0.2, "rainy": -0.5}
KIOSKS, NOISE = 30, 0.2
CATEGORIES, NUMBERS = ["month", "kiosk", "weather"], ["hour", "price"]
VECTOR = 2  # numbers for each word

Floats = npt.NDArray[np.floating[Any]]


def make_sales(rows: int, seed: int) -> tuple[pd.DataFrame, Floats, Floats]:
    """Return a table, the logarithm of the sales in each row, and the level of each kiosk.

    Evenings sell by daylight, which is longest in June; all hours by the warmth of the water, two months later.
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    levels = rng.normal(0, 0.5, KIOSKS)
    month, kiosk = rng.integers(12, size=rows), rng.integers(KIOSKS, size=rows)
    table = pd.DataFrame(
        {
            "month": np.array(MONTHS)[month],
            "kiosk": [f"kiosk {n:02}" for n in kiosk],
            "weather": rng.choice(list(WEATHER), rows),
            "hour": rng.uniform(9, 21, rows),
            "price": rng.uniform(1, 4, rows),
        }
    )
    daylight, warmth = (np.cos(2 * np.pi * (month - peak) / 12) for peak in (5.5, 7.5))
    evening = 1 / (1 + np.exp(18 - table["hour"].to_numpy()))
    effects = (
        levels[kiosk] + table["weather"].map(WEATHER).to_numpy() - 0.3 * table["price"].to_numpy()
    )
    sales = effects + 0.7 * warmth + 1.5 * evening * daylight + rng.normal(0, NOISE, rows)
    return table, sales, levels


def main(args: argparse.Namespace) -> None:
    """Train with and without the words, and draw the vectors of the months."""
    table, sales, levels = make_sales(args.rows, args.seed)
    print(table.head(3).to_string(index=False))
    is_test = np.arange(args.rows) % 5 == 0
    known, unknown = table[~is_test], table[is_test]

    for title, words in {"numbers only": [], "numbers and words": CATEGORIES}.items():
        utils.set_random_seed(args.seed)
        model = make_model(known, words)
        model.compile("adam", "mse", metrics=["root_mean_squared_error"])
        x = columns_for(model, known)
        model.fit(x, sales[~is_test], batch_size=64, epochs=args.epochs, verbose=0)
        x = columns_for(model, unknown)
        error = model.evaluate(x, sales[is_test], verbose=0)[1]
        print(f"{title}: test error {error:.3f}")
    print(f"noise in the sales: {NOISE:.3f}")

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "sales.safetensors")
        model.save(file)
        loaded = models.load_model(file)
    sold, predicted = (np.exp(each) for each in (sales[0], loaded.predict(x, verbose=0)[0, 0]))
    print(f"the first row, by the model from its file: sold {sold:.2f}, predicted {predicted:.2f}")

    vectors = {name: vectors_of(model, name) for name in CATEGORIES}
    print("around the year:", *around(vectors["month"]))
    if args.plots:
        plot(args.plots / "tabular_categories.png", vectors, levels)


def make_model(table: pd.DataFrame, words: list[str]) -> Any:
    """Return a network of the numbers, and of some columns of words, each an input by its name."""
    inputs = [Input((1,), name=name) for name in NUMBERS]
    scale = layers.Normalization()
    scale.adapt(table[NUMBERS].to_numpy())
    parts = [scale(layers.Concatenate()(inputs))]
    for name in words:
        lookup = layers.StringLookup(name=f"{name}_id")
        lookup.adapt(table[name])
        size = lookup.vocabulary_size()
        print(f"{name}: {size} ids, such as {lookup.get_vocabulary()[:3]}")
        inputs.append(Input((1,), name=name, dtype="string"))
        vector = layers.Embedding(size, VECTOR, name=f"{name}_vector")(lookup(inputs[-1]))
        parts.append(layers.Flatten()(vector))
    x = layers.Concatenate()(parts) if words else parts[0]
    for _ in range(2):
        x = layers.Dense(64, activation="relu")(x)
    return Model(inputs, layers.Dense(1)(x))


def columns_for(model: Any, table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of a table that a model takes."""
    return {name: table[name] for name in model.input_names}


def vectors_of(model: Any, name: str) -> dict[str, Floats]:
    """Return the vector of each word of a column."""
    words = model.get_layer(f"{name}_id").get_vocabulary()
    vectors = model.get_layer(f"{name}_vector").get_weights()[0]
    return dict(zip(words, vectors, strict=True))


def around(vectors: dict[str, Floats]) -> list[str]:
    """Return the months in the order of the directions of their vectors, from their middle; January is first."""
    x, y = (np.array([vectors[month] for month in MONTHS]) - np.mean([*vectors.values()], axis=0)).T
    order = np.argsort(np.arctan2(y, x)).tolist()
    start = order.index(0)
    order = order[start:] + order[:start]
    if order.index(3) > 6:  # it may turn either way
        order = order[:1] + order[:0:-1]
    return [MONTHS[month] for month in order]


def plot(path: Path, vectors: dict[str, dict[str, Floats]], levels: Floats) -> None:
    """Draw the vectors of the months, joined in their order, and those of the kiosks, coloured by their true level."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(10, 11))
    year = np.array([vectors["month"][month] for month in MONTHS])
    closed = np.concatenate([year, year[:1]])
    left.plot(*closed.T, color="0.8", linewidth=1.5, zorder=1)
    left.scatter(
        *year.T, c=np.cos(2 * np.pi * (np.arange(12) - 6.5) / 12), cmap="coolwarm", s=60, zorder=2
    )
    center = year.mean(axis=0)
    for month, place in zip(MONTHS, year, strict=True):
        outwards = (20, 14) * (place - center) / np.linalg.norm(place - center)
        left.annotate(month, place, outwards, textcoords="offset points", ha="center", va="center")
    left.set_title("The vectors of the months", fontsize=10, fontweight="bold", loc="left")

    kiosks = np.array([vectors["kiosk"][f"kiosk {n:02}"] for n in range(KIOSKS)])
    points = right.scatter(*kiosks.T, c=levels, cmap="viridis", s=60)
    figure.colorbar(points, label="true level of sales")
    right.set_title("The vectors of the kiosks", fontsize=10, fontweight="bold", loc="left")
    for axes in (left, right):
        axes.margins(0.15)
        axes.set(xlabel="first number", ylabel="second number")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def make_parser() -> argparse.ArgumentParser:
    """Return the command-line parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--rows", type=positive, default=10_000, help="default: %(default)s")
    parser.add_argument("--epochs", type=positive, default=20, help="default: %(default)s")
    parser.add_argument("--plots", type=folder, metavar="DIR", help="draw into this folder")
    return parser


if __name__ == "__main__":
    run(make_parser(), main)
