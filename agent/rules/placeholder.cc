namespace rules {}
