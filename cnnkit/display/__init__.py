"""Drawings of networks, filters, feature maps, mistakes and curves.

The displays follow scikit-learn's convention: the object holds the data, `from_estimator` computes
them and draws, `plot` draws them (again, or on other axes), and `ax_` and `figure_` hold the
objects of matplotlib. matplotlib is imported when something is drawn.
"""

from cnnkit.display.architecture import ArchitectureDisplay, plot_graph
from cnnkit.display.class_activation import ClassActivationDisplay, class_activation_maps
from cnnkit.display.curves import LearningRateDisplay, LossCurveDisplay
from cnnkit.display.dot import to_dot
from cnnkit.display.filters import FeatureMapDisplay, FilterDisplay
from cnnkit.display.mistakes import MisclassifiedDisplay
from cnnkit.display.segmentation import SegmentationDisplay
from cnnkit.graph.summary import describe

__all__ = [
    "ArchitectureDisplay",
    "ClassActivationDisplay",
    "FeatureMapDisplay",
    "FilterDisplay",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "MisclassifiedDisplay",
    "SegmentationDisplay",
    "class_activation_maps",
    "describe",
    "plot_graph",
    "to_dot",
]
