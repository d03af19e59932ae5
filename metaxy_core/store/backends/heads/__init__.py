"""One log of heads makes a change of many tables atomic where there is no transaction for that."""
