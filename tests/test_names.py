"""Default names."""

from __future__ import annotations

import cnet
from cnet import layers, optimizers, utils
from cnet._names import snake_case


def test_classes_in_snake_case() -> None:
    names = ["Dense", "ReLU", "LeakyReLU", "ELU", "AdamW", "SGD", "RMSprop", "InputLayer", "MyNet2"]
    assert [snake_case(name) for name in names] == [
        *(
            "dense",
            "re_lu",
            "leaky_re_lu",
            "elu",
            "adam_w",
            "sgd",
            "rm_sprop",
            "input_layer",
            "my_net2",
        )
    ]


def test_custom_classes_are_named_after_the_class() -> None:
    class HiddenDense(layers.Dense):
        pass

    class MyNet(cnet.Sequential):
        pass

    class MySGD(optimizers.SGD):
        pass

    utils.clear_session()
    names = [thing.name for thing in (HiddenDense(1), MyNet(), MySGD(), HiddenDense(1))]
    assert names == ["hidden_dense", "my_net", "my_sgd", "hidden_dense_1"]
    assert [layers.Dense(1, name="given").name, layers.Dense(1).name] == ["given", "dense"]
