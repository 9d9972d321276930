namespace self {}
