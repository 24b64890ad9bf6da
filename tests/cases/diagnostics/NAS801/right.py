import nasdsl
from nasdsl.graph.network import Network, Node
from nasdsl.operations.operation import TensorType

image = TensorType((1, 8, 8))
nodes = (Node("image", "input", {}, (), image), Node("a", "relu", {}, ("image",), image))
nasdsl.compile(Network(nodes, ("a",)))
