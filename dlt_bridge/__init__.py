"""dlt_bridge: the output of any Singer tap, in any dlt destination."""
