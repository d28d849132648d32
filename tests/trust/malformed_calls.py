"""Make malformed calls and record their outcomes, in a process of its own.

``python -m trust.malformed_calls FOLDER SEED FIRST LAST`` makes the calls [FIRST, LAST). It writes the number
of each call to FOLDER/number first, which identifies a crash. With LAST = FIRST + 1 it prints the call.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import struct
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import cnet
from cnet.models.graph_model import GraphModel

from .hostile_values import Hostile, UserError, hostile
from .public_calls import CALLS, NUMPY, Call, write_files

MEMORY = 4 << 30
SECONDS = 5

#: Errors that every call may raise, without unrelated subclasses.
DOCUMENTED = (TypeError, ValueError, OSError, FloatingPointError, UserError)
#: In these arguments a large number costs time, not memory.
TIMES = {"data", "epochs", "initial_epoch", "step", "steps", "steps_per_epoch", "validation_steps"}


cnet.utils.set_random_seed(0)
FIRST_SEED = cnet.random.next_seed()
_before: dict[str, Any] = {}


class TooLong(Exception):
    """A call takes too long."""


def draw(call: Call, rng: Random) -> tuple[dict[str, Any], list[Hostile], str]:
    """Return the arguments of a call, the invalid ones among them, and a description."""
    arguments = {name: call.good[name]() for name in call.required}
    count = min(1 + (rng.random() < 0.3) + (rng.random() < 0.1), len(call.parameters))
    spoiled: dict[str, Hostile] = {}
    for name in rng.sample(call.parameters, count):
        spoiled[name] = bad(name, arguments, rng, huge=call.name not in NUMPY)
    # A valid argument more, which may not fit the invalid one.
    for name in call.parameters:
        if name not in arguments and name in call.good and rng.random() < 0.1:
            arguments[name] = call.good[name]()
    arguments |= {name: each.value for name, each in spoiled.items()}
    text = ", ".join(f"{name}={each.name}" for name, each in spoiled.items())
    return arguments, list(spoiled.values()), f"{call.name}({text})"


def bad(name: str, arguments: dict[str, Any], rng: Random, *, huge: bool) -> Hostile:
    """Return an invalid value for an argument; for `out` often memory of another argument."""
    arrays = {key: each for key, each in arguments.items() if isinstance(each, np.ndarray)}
    if name == "out" and arrays and rng.random() < 0.5:
        key = rng.choice(list(arrays))
        shifted = arrays[key].reshape(-1)[rng.choice([0, 0, 1, -1]) :]
        return Hostile(f"memory of {key}", rng.choice([arrays[key], shifted, (shifted,) * 3]))
    return hostile(rng, huge=huge and name not in TIMES)


def state_of(thing: Any) -> Any:
    """Return the state that a failed call must not change."""
    if not isinstance(thing, GraphModel):
        return None
    flat = list(thing._flat_layers())
    build = (
        thing.built,
        [weight.tobytes() for weight in thing.get_weights()],
        repr(thing.get_config()),
    )
    return (
        build,
        [(layer.name, layer.trainable) for layer in flat],
        [layer.random_state.steps for layer in flat if hasattr(layer, "random_state")],
        repr(thing.optimizer.get_config()),
        thing.optimizer.iterations,
        type(thing.loss),
        thing.stop_training,
    )


def fault_of(error: BaseException, call: Call, spoiled: list[Hostile]) -> str | None:
    """Return what is wrong with an exception, or None if it is documented."""
    if isinstance(error, MemoryError):
        is_documented = MemoryError in call.raises or any(each.is_huge for each in spoiled)
        return None if is_documented else "MemoryError"
    if isinstance(error, (*DOCUMENTED, *call.raises)):
        return None if str(error) or isinstance(error, UserError) else "no message"
    if isinstance(error, NotImplementedError) and "expected a method" in str(error):
        return None  # an abstract base class
    return type(error).__name__


def make(seed: int, number: int, *, tell: bool = False) -> tuple[str, str | None, str]:
    """Make one call; return its outcome, what is wrong with it, and the call."""
    rng = Random(f"{seed}:{number}")
    call = rng.choice(CALLS)
    cnet.utils.clear_session()  # default names are numbered
    cnet.utils.set_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings while hostile values are made
        function, thing = call.prepare()
        arguments, spoiled, text = draw(call, rng)
    if tell:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 # for its caller
    if call.name not in _before:
        _before[call.name] = state_of(thing)  # the same before every call
    before = _before[call.name]
    cnet.utils.set_random_seed(0)
    signal.alarm(SECONDS)
    try:
        function(**arguments)
    except BaseException as error:  # noqa: BLE001 # every exception is checked
        signal.alarm(0)
        wrong = fault_of(error, call, spoiled)
        if tell:
            traceback.print_exc()
        # Changes before a failure: steps on earlier batches, and a build by the first batch, which draws weights.
        learnt = any(each.is_batches for each in spoiled)
        is_unbuilt = call.name.startswith("unbuilt")
        if before is not None and not learnt:
            after = state_of(thing)
            if (after[1:] != before[1:]) if is_unbuilt else (after != before):
                wrong = wrong or "the model has changed"
            if not is_unbuilt and cnet.random.next_seed() != FIRST_SEED:
                wrong = wrong or "the random state has changed"
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f"{type(error).__name__}: {str(error)[:200]} [{Path(where.filename).name}:{where.lineno}]"
        return type(error).__name__, wrong and f"{wrong} ({message})", text
    finally:
        signal.alarm(0)
        cnet.set_num_threads(1)
        cnet.config.set_floatx("float32")
    return "succeeded", None, text


def main(folder: Path, seed: int, first: int, last: int) -> None:
    if "CNET_SANITIZER" not in os.environ:  # sanitizers limit single allocations
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.chdir(folder)
    write_files(folder)
    with (folder / "number").open("w+b") as file:
        file.write(bytes(8))
        file.flush()
        place = mmap.mmap(file.fileno(), 8)
    # Discard progress bars and summaries.
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 # until the process ends

    def too_long(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, too_long)
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", r"(?!Warning)\w+: ", UserWarning)  # cnet's warnings
    outcomes: Counter[str] = Counter()
    findings: dict[str, list[str]] = {}
    for number in range(first, last):
        place[:] = struct.pack("<q", number)
        outcome, wrong, text = make(seed, number, tell=last == first + 1)
        outcomes[outcome] += 1
        if wrong is not None:
            findings.setdefault(wrong[-60:], []).append(f"{number}: {text}: {wrong}")
    found = {key: [len(texts), *texts[:3]] for key, texts in findings.items()}
    (folder / "result.json").write_text(json.dumps({"outcomes": outcomes, "findings": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
