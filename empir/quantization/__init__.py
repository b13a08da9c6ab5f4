"""DoReFa quantisation: of tensors, of the layers of any module, and its export to ONNX."""
