"""What an analysis is, how it is found, and how it is run. Runs weights with ONNX Runtime; never imports torch."""
