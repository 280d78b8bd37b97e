"""ONNX files: what lies behind `cnnkit.onnx`."""
