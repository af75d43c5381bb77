"""The Open Inference Protocol over gRPC.

nghttp2 reads and writes HTTP/2; what gRPC adds to that is here, as far as the methods of the protocol need it.
gRPC's own library cannot drain (it kills calls that cross its farewell), and costs many times the processor and
memory.
"""
