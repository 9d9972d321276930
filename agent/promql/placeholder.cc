namespace promql {}
