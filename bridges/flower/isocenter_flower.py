"""A site of Isocenter as a client of Flower (https://flower.ai), and a server that averages what its sites give.

For those who run Flower already. Networks, recipes, reading of pictures and the steps of a site are Isocenter's; the
transport, who takes part and the averaging are Flower's. **The secure sum, the consent of the archive and the journal
of `isocenter federate` are not there**: Flower's server sees the update of each site. It lives in an environment of its
own (see docs/do/train-with-other-sites.md), and nothing of Isocenter imports it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from isocenter.errors import Refused
from isocenter.learn.classify import said_of, tensor
from isocenter.learn.examples import Examples
from isocenter.learn.federation import Federation, flat, network, poured, recipe_of, shared_names
from isocenter.learn.federation_site import divided
from isocenter.learn.labelled import read_labelled
from isocenter.learn.site_steps import changed
from isocenter.learn.tensors import packed
from isocenter.methods import roc

client = ClientApp()
server = ServerApp()


def agreed(context: Context) -> Federation:
    """What the run says: a recipe, FedAvg or FedProx, rounds, looks at the pictures, rate, seed."""
    said = context.run_config
    if said["method"] not in ("fedavg", "fedprox"):
        raise Refused(f"method '{said['method']}' through Flower", "what stays at a site has no place here",
                      "use fedavg or fedprox, or `isocenter federate`")  # fmt: skip
    return Federation(
        task=str(said["task"]), method=str(said["method"]), rounds=int(said["num-server-rounds"]),
        epochs=int(said["epochs"]), rate=float(said["rate"]), seed=int(said["seed"]),
    )  # fmt: skip


def own_pictures(context: Context, how: Federation) -> tuple[Examples, Examples, int]:
    """This site's people for training, those kept back, and how many pictures could not be used."""
    told = context.node_config
    if not told.get("data") or not told.get("ground"):
        raise Refused("a site without data or ground", "nobody joins with pictures of which nobody was asked",
                      """start its node with --node-config 'data="FOLDER" ground="consent form EC-12"'""")  # fmt: skip
    data = Path(str(told["data"]))
    if (data / "examples.json").is_file():
        raise Refused(f"pictures from signed reports in {data.name}", "their archive has to be asked before each round",
                      "take part with `isocenter federate join`")  # fmt: skip
    aside: list[tuple[str, str]] = []
    split = str(told["split"]) if "split" in told else None
    examples = read_labelled(data, recipe_of(how), split, aside=aside)
    return *divided(examples, how.held, how.seed), len(aside)


@client.train()
def train(message: Message, context: Context) -> Message:
    """One round at this site: from the shared weights, some looks at its own pictures."""
    how = agreed(context)
    own = recipe_of(how)
    net = network(how, own)
    names = shared_names(net, how)
    (shared,) = message.content["arrays"].to_numpy_ndarrays()
    poured(net, names, shared)
    training, _, aside = own_pictures(context, how)
    number = int(message.content["config"]["server-round"]) - 1
    change, lost = changed(net, training, how, own, number, str(context.node_id))
    told = MetricRecord({"train_loss": lost, "num-examples": len(training), "set-aside": aside})
    return Message(RecordDict({"arrays": ArrayRecord([shared + change]), "metrics": told}), reply_to=message)


@client.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """The area under the curve of the shared weights on the people whom this site kept back."""
    how = agreed(context)
    own = recipe_of(how)
    net = network(how, own)
    poured(net, shared_names(net, how), message.content["arrays"].to_numpy_ndarrays()[0])
    _, held, _ = own_pictures(context, how)
    logits = said_of(net, tensor(held.pictures, own), own.views, torch.ones(own.shape))[0].numpy()
    area = roc.auc(held.labels, logits[:, 1] - logits[:, 0]) if len(own.classes) == 2 else roc.one_against_rest(
        held.labels, np.exp(logits - logits.max(1, keepdims=True))
    )  # fmt: skip
    told = MetricRecord({"auc": area.value, "num-examples": len(held)})
    return Message(RecordDict({"metrics": told}), reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Average for the agreed rounds, and write the shared weights."""
    how = agreed(context)
    net = network(how, recipe_of(how))
    names, sites = shared_names(net, how), int(context.run_config["sites"])
    strategy = FedAvg(min_train_nodes=sites, min_evaluate_nodes=sites, min_available_nodes=sites)
    result = strategy.start(grid, ArrayRecord([flat(net, names)]), num_rounds=how.rounds)
    poured(net, names, result.arrays.to_numpy_ndarrays()[0])
    for number, told in result.evaluate_metrics_clientapp.items():
        print(f"round {number}: AUC {told['auc']:.4f} on people whom the sites kept back", flush=True)
    if context.run_config["out"]:
        weights = packed({name: value.numpy() for name, value in net.state_dict().items()})
        Path(str(context.run_config["out"])).write_bytes(weights)
