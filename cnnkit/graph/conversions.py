"""Forms of a graph that the graph does not know itself: JSON, DOT."""

# functions by the name of the method of `Graph` that passes on to them; ``cnnkit/__init__.py`` puts
# them here, and each imports its module when it is first called
CONVERSIONS = {}
