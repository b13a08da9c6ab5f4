"""What every network of the zoo must be, whoever adds it."""

from __future__ import annotations

import networkx
import pytest

from hwsim.networks import network, zoo
from hwsim.operators import Operand


@pytest.fixture(params=zoo(), scope="module")
def net(request):
    return network(request.param)


def test_is_a_connected_graph_without_cycles(net):
    assert networkx.is_directed_acyclic_graph(net.graph)
    whole = net.graph.copy()
    whole.add_edges_from(
        (source.name, layer.name) for source in net.inputs for layer in net.layers if source.name in layer.inputs
    )
    assert networkx.is_weakly_connected(whole)
    assert {source.name for source in net.inputs} <= set(whole)


def test_layers_are_in_an_order_that_can_run(net):
    position = {layer.name: index for index, layer in enumerate(net.layers)}
    assert all(position[producer] < position[consumer] for producer, consumer in net.graph.edges)


def test_names_are_unique(net):
    names = [source.name for source in net.inputs] + [layer.name for layer in net.layers]
    assert len(names) == len(set(names))


def test_sizes_chain(net):
    made = {source.name: source.elements * net.batch for source in net.inputs}
    for layer in net.layers:
        assert tuple(made[name] for name in layer.inputs) == layer.operator.inputs
        for operator in layer.fused:
            assert operator.inputs == (layer.output_elements,)
            assert operator.output_elements == layer.output_elements
        made[layer.name] = layer.output_elements


def test_has_work_and_weights(net):
    assert net.macs > 0
    assert net.weights > 0
    assert net.mac_layers


def test_nests_make_the_outputs_from_the_weights(net):
    for layer in net.mac_layers:
        nest = layer.nest
        assert nest.elements(Operand.OUTPUTS) == layer.output_elements
        stored = layer.operator.parameters.weights
        assert nest.elements(Operand.WEIGHTS) == (stored or layer.operator.inputs[1])


@pytest.mark.parametrize("batch", [2, 7])
def test_batch_scales_work_and_not_parameters(net, batch):
    scaled = net.with_batch(batch)
    assert scaled.batch == batch
    assert scaled.parameters == net.parameters
    assert scaled.input_elements == batch * net.input_elements
    for one, many in zip(net.layers, scaled.layers, strict=True):
        assert many.macs == batch * one.macs
        assert many.operations == batch * one.operations
        assert many.output_elements == batch * one.output_elements
        assert many.operator.input_elements == batch * one.operator.input_elements
    assert scaled.working_set_elements() == batch * net.working_set_elements()
    assert scaled.fingerprint() != net.fingerprint()


def test_working_set_holds_the_largest_layer(net):
    largest = max(
        layer.operator.input_elements + layer.output_elements for layer in net.layers if not layer.operator.view
    )
    everything = net.input_elements + sum(layer.output_elements for layer in net.layers)
    assert largest <= net.working_set_elements() <= everything


def test_every_layer_describes_itself(net):
    assert all(layer.operator.label and layer.operator.shape for layer in net.layers)


def test_is_the_same_each_time(net):
    assert network(net.name) == net
