"""Networks, filters, maps, mistakes and curves drawn.

The displays follow scikit-learn's convention: what is drawn is held by the object, `from_estimator`
computes it and draws, `plot` draws (again, on other axes), and what matplotlib made is kept in
`ax_` and `figure_`. matplotlib is imported when something is drawn.
"""

from cnnkit.display.architecture import ArchitectureDisplay, plot_graph
from cnnkit.display.class_activation import ClassActivationDisplay, class_activation_maps
from cnnkit.display.curves import LearningRateDisplay, LossCurveDisplay
from cnnkit.display.dot import to_dot
from cnnkit.display.filters import FeatureMapDisplay, FilterDisplay
from cnnkit.display.mistakes import MisclassifiedDisplay
from cnnkit.graph.summary import describe

__all__ = [
    "ArchitectureDisplay",
    "ClassActivationDisplay",
    "FeatureMapDisplay",
    "FilterDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "MisclassifiedDisplay",
    "class_activation_maps",
    "describe",
    "plot_graph",
    "to_dot",
]
