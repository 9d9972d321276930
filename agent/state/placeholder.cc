namespace state {}
