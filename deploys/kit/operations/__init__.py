"""What pages do to a host, one verb at a time: files, units, images, gates, watches."""
