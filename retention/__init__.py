"""The retention pipeline: land what the source systems changed, build the marts, check them, publish them."""
