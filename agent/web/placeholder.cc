namespace web {}
