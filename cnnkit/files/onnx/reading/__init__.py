"""ONNX files as graphs of layers; their bytes are read here, without the onnx package."""
