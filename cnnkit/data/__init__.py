"""Images as people keep them: arrays in files, folders of photos, tables with a column of paths."""

from cnnkit.data.folders import load_image_folder, load_image_stack
from cnnkit.data.lazy import LazyArray
from cnnkit.data.reader import ImageReader

__all__ = ["ImageReader", "LazyArray", "load_image_folder", "load_image_stack"]
