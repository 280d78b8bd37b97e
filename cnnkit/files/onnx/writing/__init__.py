"""Networks as ONNX files; needs the onnx package."""
