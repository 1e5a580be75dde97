"""What runs inside the scoring image: numpy, onnxruntime and the HTTP server, nothing else of ours."""
